// SPDX-License-Identifier: Apache-2.0
/*
 * fault.c: a CPU exception of the payload becomes memory that was promised, or a signal.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/exception.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>

#define TASK_SIZE_MAX 0x7ffffffff000UL
#define VSYSCALL_PAGE 0xffffffffff600000UL

/* 7: of a register that wants a permission which no payload gets: AMX's tiles, on PVM. */
static const struct {
    int signo, code;
} of_vector[VECTOR_COUNT] = {
    [0] = {SIGFPE, FPE_INTDIV},  [1] = {SIGTRAP, TRAP_TRACE}, [3] = {SIGTRAP, SI_KERNEL},
    [4] = {SIGSEGV, SI_KERNEL},  [5] = {SIGSEGV, SI_KERNEL},  [6] = {SIGILL, ILL_ILLOPN},
    [7] = {SIGILL, ILL_ILLOPC},  [8] = {SIGSEGV, SI_KERNEL},  [10] = {SIGSEGV, SI_KERNEL},
    [11] = {SIGBUS, SI_KERNEL},  [12] = {SIGBUS, SI_KERNEL},  [13] = {SIGSEGV, SI_KERNEL},
    [16] = {SIGFPE, FPE_FLTINV}, [17] = {SIGBUS, BUS_ADRALN}, [19] = {SIGFPE, FPE_FLTINV},
};

/* The error code as Linux shows it: of an address that is the kernel's, that it is protected. */
static uint64_t shown_error(const struct exception *exception)
{
    uint64_t not_present = exception->error & ~1UL;

    return exception->cr2 >= TASK_SIZE_MAX ? not_present | 1
           : exception->cr2 >= GUEST_TOP   ? not_present
                                           : exception->error;
}

/*
 * The three calls of the vsyscall page, which old programs make by address: gettimeofday, time,
 * getcpu. Linux emulates them too. Whether the fault was such a call.
 */
static bool vsyscall(struct vcpu *vcpu, const struct exception *exception)
{
    static const uint64_t numbers[] = {__NR_gettimeofday, __NR_time, __NR_getcpu};
    struct kvm_regs *regs = vcpu->regs;
    uint64_t call = (exception->cr2 - VSYSCALL_PAGE) / 1024, back;
    uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx};

    if (exception->cr2 != regs->rip || exception->cr2 % 1024 || call >= ARRAY_LEN(numbers) ||
        guest_read(&back, regs->rsp, sizeof(back)) < 0 || back >= GUEST_TOP) {
        return false;
    }
    regs->rip = back;
    regs->rsp += sizeof(back);
    regs->rax = numbers[call];
    if (seccomp_is_off(vcpu) || seccomp_allows(vcpu, exception->cr2, numbers[call], args)) {
        regs->rax = (uint64_t)syscall_serve(vcpu, numbers[call], args);
    }
    return true;
}

static void page_fault(struct vcpu *vcpu, const struct exception *exception)
{
    int signo, code;

    if (exception->cr2 >= VSYSCALL_PAGE && vsyscall(vcpu, exception)) {
        return;
    }
    mm_lock();
    signo = mm_fault(exception->cr2, exception->error, &code);
    mm_unlock();
    vcpu->fault = *exception;
    vcpu->fault.error = shown_error(exception);
    if (signo) {
        signal_force(vcpu, signo, code, exception->cr2);
    }
}

/* On PVM, KVM's emulator may have chosen it. */
static unsigned vector_of(const struct vcpu *vcpu, const struct exception *exception,
                          uint64_t *error)
{
    bool emulated = (exception->vector == 6 || exception->vector == 13) && !exception->error &&
                    !vcpu->vm->hardware;

    *error = exception->error;
    return emulated ? instruction_vector(vcpu->regs->rip, exception->vector, error)
                    : exception->vector;
}

/* The payload steps, and has stepped from a site that is a jump instead of its SYSCALL: it shall
 * step over the SYSCALL. */
static bool steps_over_site(struct vcpu *vcpu, const struct exception *exception)
{
    uint64_t rip = vcpu->regs->rip;

    if (exception->vector != 1 || !(vcpu->regs->rflags & FLAG_TF)) {
        return false;
    }
    (void)cpu_take_single_step(vcpu);
    mm_lock();
    site_put_back(rip, rip + 1);
    mm_unlock();
    return true;
}

void fault_handle(struct vcpu *vcpu, const struct exception *exception)
{
    island_settle(vcpu); /* a single step may have led there */
    if (site_settle(vcpu) && steps_over_site(vcpu, exception)) {
        return;
    }
    uint64_t error;
    unsigned vector = vector_of(vcpu, exception, &error);
    int code = of_vector[vector].code;
    /* TF does not tell: the step may have been over an instruction that cleared it. */
    bool stepped = vector == 1 && (cpu_take_single_step(vcpu) || vcpu->regs->rflags & FLAG_TF);
    /* Linux gives these the address of the instruction; a general protection fault has none. */
    bool at_rip = vector <= 1 || vector == 6 || vector == 7 || vector == 16 || vector == 19;

    if (vector == 13 && !exception->error && umip_answer(vcpu)) {
        return;
    }
    if (hooks.debugger_takes(vcpu, vector)) {
        return;
    }
    if (vector == 14) {
        page_fault(vcpu, exception);
        return;
    }
    if (!of_vector[vector].signo) {
        signal_die(SIGSEGV);
    }
    if (vector == 16 || vector == 19) {
        code = cpu_fpe_code(vcpu, vector);
    }
    if (vector == 1 && !stepped) { /* icebp */
        code = TRAP_BRKPT;
    }
    vcpu->fault = *exception;
    vcpu->fault.vector = vector;
    vcpu->fault.error = error;
    signal_force(vcpu, of_vector[vector].signo, code, at_rip ? vcpu->regs->rip : 0);
}
