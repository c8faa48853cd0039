// SPDX-License-Identifier: Apache-2.0
/*
 * Runs an instruction that gives an exception. Its arguments are the case and, to have the signal
 * handled, a second word: the handler's facts must be exact.
 */
#include "fault_report.h"

#include <immintrin.h>

static _Alignas(64) char room[64];

static void divide_by_sse(void)
{
    volatile float one = 1, zero = 0;

    _mm_setcsr(_mm_getcsr() & ~(unsigned)_MM_MASK_MASK);
    one = one / zero;
}

static void divide_by_x87(void)
{
    unsigned short control = 0x0040; /* no exception is masked */

    __asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
}

/* The step is over the instruction that clears the trap flag, so the handler sees it cleared. */
static void step_over_clearing(void)
{
    __asm__ volatile("pushfq; pushfq; orq $0x100, (%%rsp); popfq; popfq; nop" : : : "memory", "cc");
}

static void go_on(int signo)
{
    (void)signo;
}

/* That there were steps before says nothing of a later INT1. */
static void int1_after_steps(void)
{
    struct sigaction ignored = {.sa_handler = go_on}, before;

    (void)sigaction(SIGTRAP, &ignored, &before);
    __asm__ volatile("pushfq; pushfq; orq $0x100, (%%rsp); popfq; nop; popfq" : : : "memory", "cc");
    (void)sigaction(SIGTRAP, &before, NULL);
    __asm__ volatile(".byte 0xf1");
}

static void misalign(void)
{
    __asm__ volatile("pushfq; orq $0x40000, (%%rsp); popfq; movl 1(%0), %%ecx;"
                     "pushfq; andq $~0x40000, (%%rsp); popfq"
                     :
                     : "r"(room)
                     : "rcx", "memory", "cc");
}

static void fault(const char *what)
{
    volatile int zero = 0;
    uint64_t far = 1UL << 62;

    if (!strcmp(what, "divide")) {
        zero = 1 / zero;
    } else if (!strcmp(what, "sse")) {
        divide_by_sse();
    } else if (!strcmp(what, "x87")) {
        divide_by_x87();
    } else if (!strcmp(what, "undefined")) {
        __asm__ volatile("ud2");
    } else if (!strcmp(what, "breakpoint")) {
        __asm__ volatile("int3");
    } else if (!strcmp(what, "int1")) {
        __asm__ volatile(".byte 0xf1");
    } else if (!strcmp(what, "int1-after-steps")) {
        int1_after_steps();
    } else if (!strcmp(what, "overflow")) {
        __asm__ volatile("int $4");
    } else if (!strcmp(what, "interrupt")) {
        __asm__ volatile("int $0x40");
    } else if (!strcmp(what, "halt")) {
        __asm__ volatile("hlt");
    } else if (!strcmp(what, "trap-flag")) {
        __asm__ volatile("pushfq; orq $0x100, (%rsp); popfq; nop; nop");
    } else if (!strcmp(what, "trap-flag-cleared")) {
        step_over_clearing();
    } else if (!strcmp(what, "alignment")) {
        misalign();
    } else if (!strcmp(what, "alignment-sse")) {
        __asm__ volatile("movaps 1(%0), %%xmm0" : : "r"(room) : "xmm0");
    } else if (!strcmp(what, "stack")) {
        __asm__ volatile("movq %%rsp, %%rcx; movq %0, %%rsp; popq %%rdx; movq %%rcx, %%rsp"
                         :
                         : "r"(far)
                         : "rcx", "rdx", "memory");
    }
}

int main(int argc, char **argv)
{
    report(fault, argv[1], argc > 2);
    return 3;
}
