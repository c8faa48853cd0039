// SPDX-License-Identifier: Apache-2.0
/*
 * fault.c: a CPU exception of the payload becomes memory that was promised, or a signal.
 */
#include "km.h"

#include <signal.h>

static const struct {
    int signo, code;
} of_vector[VECTOR_COUNT] = {
    [0] = {SIGFPE, FPE_INTDIV},  [1] = {SIGTRAP, TRAP_TRACE}, [3] = {SIGTRAP, SI_KERNEL},
    [4] = {SIGSEGV, SI_KERNEL},  [5] = {SIGSEGV, SI_KERNEL},  [6] = {SIGILL, ILL_ILLOPN},
    [7] = {SIGFPE, 0},           [8] = {SIGSEGV, SI_KERNEL},  [10] = {SIGSEGV, SI_KERNEL},
    [11] = {SIGBUS, SI_KERNEL},  [12] = {SIGBUS, SI_KERNEL},  [13] = {SIGSEGV, SI_KERNEL},
    [16] = {SIGFPE, FPE_FLTINV}, [17] = {SIGBUS, BUS_ADRALN}, [19] = {SIGFPE, FPE_FLTINV},
};

void fault_handle(struct vcpu *vcpu, const struct exception *exception)
{
    unsigned vector = exception->vector;
    int code;

    if (vector == 14) {
        mm_lock();
        code = mm_fault(exception->cr2, exception->error);
        mm_unlock();
        if (code) {
            vcpu->fault = *exception;
            signal_force(vcpu, SIGSEGV, code, exception->cr2);
        }
    } else if (of_vector[vector].signo) {
        /* Linux gives these the address of the instruction; a general protection fault has none. */
        bool at_rip = vector == 0 || vector == 1 || vector == 6 || vector == 16 || vector == 19;

        vcpu->fault = *exception;
        signal_force(vcpu, of_vector[vector].signo, of_vector[vector].code,
                     at_rip ? vcpu->regs->rip : 0);
    } else {
        signal_die(SIGSEGV);
    }
}
