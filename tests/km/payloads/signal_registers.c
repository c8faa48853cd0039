// SPDX-License-Identifier: Apache-2.0
/* Keeps every register, the red zone and the flags while signals pour in. */
#include "payload.h"

#include <signal.h>
#include <sys/time.h>
#include <xmmintrin.h>

static volatile sig_atomic_t ticks;

static void handler(int signo)
{
    static volatile double mess = 1;

    (void)signo;
    ticks++;
    mess = mess * 1.5 + 3; /* uses other values in the same registers */
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm15, %%xmm15; fninit; fldpi; std; cld"
                     :
                     :
                     : "xmm0", "xmm15", "cc");
}

#define SET(reg, k) "leaq " #k "(%%rax), %%" #reg "\n"
#define COMPARE(reg, k)                                                                            \
    "subq $" #k ", %%" #reg "\n subq %%rax, %%" #reg "\n orq %%" #reg ", %%rcx\n"
#define EACH(DO)                                                                                   \
    DO(rsi, 3)                                                                                     \
    DO(rdi, 4)                                                                                     \
    DO(r8, 5) DO(r9, 6) DO(r10, 7) DO(r11, 8) DO(r12, 9) DO(r13, 10) DO(r14, 11) DO(r15, 12)

/* Fill registers with values that depend on n, spin, and compare: 0, or what differs. */
__attribute__((noinline)) static uint64_t spin(uint64_t n)
{
    uint64_t wrong;

    __asm__ volatile(
        "movq %1, %%rax\n" EACH(SET) /* RBX, XMM0, XMM15, the red zone, the carry */
        SET(rbx, 1) SET(rdx, 2) "movq %%rax, %%xmm0\n"
                                "movq %%rbx, %%xmm15\n"
                                "movq %%rdx, -128(%%rsp)\n"
                                "movl $3000, %%ecx\n"
                                "stc\n"
                                "0: decl %%ecx\n"
                                "jnz 0b\n"
                                "movl $0, %%ecx\n"
                                "adcq $-1, %%rcx\n" EACH(COMPARE) /* RCX collects what differs */
        "subq -128(%%rsp), %%rdx\n"
        "orq %%rdx, %%rcx\n"
        "movq %%xmm15, %%rdx\n"
        "subq %%rbx, %%rdx\n"
        "orq %%rdx, %%rcx\n"
        "movq %%xmm0, %%rdx\n"
        "subq %%rax, %%rdx\n"
        "orq %%rdx, %%rcx\n" COMPARE(rbx, 1) "movq %%rcx, %0\n"
        : "=m"(wrong)
        : "m"(n)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
          "r15", "xmm0", "xmm15", "memory", "cc");
    return wrong;
}

int main(void)
{
    struct itimerval often = {{0, 500}, {0, 500}};
    uint64_t wrong = 0;

    (void)signal(SIGALRM, handler);
    (void)setitimer(ITIMER_REAL, &often, NULL);
    for (uint64_t n = 1; ticks < 100; n++) {
        wrong |= spin(n * 0x123456789UL);
    }
    SHOW(wrong);
    return 0;
}
