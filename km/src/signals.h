// SPDX-License-Identifier: Apache-2.0
/*
 * signals.h: signals of the payload, and the exceptions that become some.
 */
#ifndef KM_SIGNALS_H
#define KM_SIGNALS_H

#include "vm.h"

/* ---- fault.c: exceptions become signals ---- */

void fault_handle(struct vcpu *vcpu, const struct exception *exception);

/* ---- instruction.c ---- */

/*
 * Which of #UD and #GP this CPU raises at CPL 3 for the instruction at `rip`, where KVM's emulator
 * has raised `vector`.
 */
unsigned instruction_vector(uint64_t rip, unsigned vector);

/* ---- umip.c ---- */

/*
 * Answer, as Linux does, an instruction that asks where the CPU's tables are, and go on after it.
 * False: it is none, or its operand cannot be written.
 */
bool umip_answer(struct vcpu *vcpu);

/* ---- signal.c: signals of the payload ---- */

/* The kernel's struct sigaction, of rt_sigaction(2). */
struct action {
    uint64_t handler, flags, restorer, mask;
};

#define SIGNAL_MAX 64
#define SIGNAL_STOP (SIGNAL_MAX + 1) /* waits: not a signal, but stop.c */
#define SIGNAL_BIT(signo) (1UL << ((signo) - 1))

/* These two also tell the monitor of its own faults: the host never blocks them. */
#define SIGNALS_OF_MONITOR (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* Set by the host's handler: the signal that waits to be delivered on this thread, or 0. */
extern _Thread_local int signal_waiting;

/* The vCPU that the calling thread drives. */
struct vcpu *signal_vcpu(void);

/* Must be called once, and by each further thread the other, before its vCPU runs. */
void signal_init(struct vcpu *vcpu);
void signal_init_thread(struct vcpu *vcpu, uint64_t mask);

/* All handlers become the default, as CLONE_CLEAR_SIGHAND says. */
void signal_clear_handlers(void);

/* Keep all signals from this thread while it changes what their handler looks at. */
void signal_hold(void);
void signal_release(struct vcpu *vcpu);

/* The soft limit of cores that the payload sees; the host's is 0, which would dump the monitor. */
extern uint64_t core_limit;

/* The actions of a process. The child of a vfork has its own, in its parent's memory. */
struct actions {
    struct action of[SIGNAL_MAX + 1];
    uint64_t known; /* bit per signal: else the host knows what we inherited */
};

/* For a vfork: this thread goes on with `own`, a copy of its actions; those, to use them again. */
struct actions *signal_actions_copy(struct actions *own);
void signal_actions_use(struct actions *these);
/* In the child of a fork(): this thread's are now the process's. */
void signal_after_fork(void);

/* Deliver what waits: the payload's handler is what the vCPU runs next, or the process dies. */
void signal_deliver(struct vcpu *vcpu);

/* Whether a call that the waiting signal broke off is made again; `restarts`: as SA_RESTART says.
 */
bool signal_restarts(bool restarts);

/* A signal that the payload's own instruction caused: its handler runs next, or it dies of it. */
void signal_force(struct vcpu *vcpu, int signo, int code, uint64_t addr);

/* The same with all that its siginfo says. */
void signal_force_info(struct vcpu *vcpu, const void *forced);

/*
 * Whether a siginfo that the payload made says that an instruction caused the signal; then its
 * si_code is changed on the way through the host, and changed back at delivery.
 */
bool signal_disguise(int signo, uint8_t info[128]);

/* Whether the default action of `signo` is to die; to die with a core. */
bool signal_kills(int signo);
bool signal_dumps_core(int signo);

/* Die of `signo` as a process does that has no handler for it. */
_Noreturn void signal_die(int signo);

/* The payload's action for signo; set one, for the host too. */
const struct action *signal_action(int signo);
int64_t signal_set_action(int signo, const struct action *action);

/*
 * Make a call that blocks *mask while it waits, such as sigsuspend(2). A signal that ends it finds
 * its handler under that mask; what the thread blocks after it is as before.
 */
int64_t signal_call_under_mask(struct vcpu *vcpu, uint64_t *mask, uint64_t number,
                               const uint64_t *args);

/* Make `mask` what the payload blocks. */
void signal_set_mask(struct vcpu *vcpu, uint64_t mask);

/* The bits of MXCSR that the CPU takes. */
uint32_t mxcsr_mask(void);

/* ---- sigframe.c: what the kernel leaves on the stack for a handler ---- */

/* Save the payload's state on its stack and enter its handler. False when the stack is not there.
 */
bool sigframe_push(struct vcpu *vcpu, const struct action *action, int signo, uint64_t old_mask);

/* Restore what sigframe_push() saved, as far as a payload may set it. False for a bad frame. */
bool sigframe_pop(struct vcpu *vcpu, uint64_t *mask);

#endif /* KM_SIGNALS_H */
