// SPDX-License-Identifier: Apache-2.0
/*
 * signal_deliver.c: deliver a signal on the way back into the guest: one that signal.c has noted,
 * or that a fault of the payload forces, enters its handler or ends the payload.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void take_mask_back(struct vcpu *vcpu)
{
    if (vcpu->mask_lent) {
        vcpu->mask_lent = false;
        signal_set_mask(vcpu, vcpu->own_mask);
    }
}

int64_t signal_call_under_mask(struct vcpu *vcpu, uint64_t *mask, uint64_t number,
                               const uint64_t *args)
{
    bool lent = held_lend_one(vcpu);
    int64_t result = NOT_STARTED;

    vcpu->own_mask = vcpu->signal_mask;
    vcpu->mask_lent = true;
    vcpu->signal_mask = *mask & ~SIGNALS_UNBLOCKABLE;     /* what on_signal() looks at */
    *mask &= ~(SIGNALS_OF_MONITOR & ~vcpu->signals_lent); /* which the host may not block */
    if (!lent || !freeze_is_wanted(vcpu)) {
        result = host_syscall(number, args);
    }
    if (lent) {
        held_take(vcpu);
    }
    if (!signal_waiting) {
        take_mask_back(vcpu);
    }
    return result;
}

/* Enter the payload's handler for signo, whose siginfo is in vcpu->signal_info. False where its
 * frame cannot be written. */
static bool push_handler(struct vcpu *vcpu, int signo)
{
    struct action action = *signal_action(signo);
    uint64_t old = vcpu->mask_lent ? vcpu->own_mask : vcpu->signal_mask;
    uint64_t mask =
        vcpu->signal_mask | action.mask | (action.flags & SA_NODEFER ? 0 : SIGNAL_BIT(signo));

    hooks.signal_handled(vcpu, signo);
    if (action.flags & SA_RESETHAND) {
        struct action reset = action;

        reset.handler = (uint64_t)SIG_DFL;
        (void)signal_set_action(signo, &reset);
    }
    if (action.handler >= GUEST_TOP || !(action.flags & SA_RESTORER) ||
        !sigframe_push(vcpu, &action, signo, old)) {
        return false;
    }
    vcpu->mask_lent = false;
    signal_set_mask(vcpu, mask);
    return true;
}

/* Whether the payload handles SIGSEGV, also now. */
static bool handles_fault(const struct vcpu *vcpu)
{
    uint64_t handler = signal_action(SIGSEGV)->handler;

    return handler != (uint64_t)SIG_DFL && handler != (uint64_t)SIG_IGN &&
           !(vcpu->signal_mask & SIGNAL_BIT(SIGSEGV));
}

/* The same, or the handler of what Linux sends in its place, force_sigsegv() in the kernel. */
static void enter_handler(struct vcpu *vcpu, int signo)
{
    const siginfo_t unwritten = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

    if (push_handler(vcpu, signo)) {
        return;
    }
    if (vcpu->mask_lent) { /* no signal may come yet */
        vcpu->mask_lent = false;
        vcpu->signal_mask = vcpu->own_mask;
    }
    memcpy(vcpu->signal_info, &unwritten, sizeof(vcpu->signal_info));
    vcpu->fault = (struct exception){0};
    if (signo == SIGSEGV || !handles_fault(vcpu) || !push_handler(vcpu, SIGSEGV)) {
        signal_die(SIGSEGV);
    }
}

/* ---- a fault that none was ---- */

/* What instructions cause: the host delivers those with a fault's si_code first, blocked or not. */
#define SIGNALS_OF_FAULTS                                                                          \
    (SIGNALS_OF_MONITOR | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) |          \
     SIGNAL_BIT(SIGSYS))
#define DISGUISE 0x80000000U /* or'ed to an si_code, which makes it one of a sender */

bool signal_disguise(int signo, uint8_t info[128])
{
    uint32_t code;

    memcpy(&code, info + offsetof(siginfo_t, si_code), sizeof(code));
    if (signo < 1 || signo > SIGNAL_MAX || !(SIGNAL_BIT(signo) & SIGNALS_OF_FAULTS) ||
        (int32_t)code <= 0) {
        return false;
    }
    code |= DISGUISE;
    memcpy(info + offsetof(siginfo_t, si_code), &code, sizeof(code));
    return true;
}

void signal_undisguise(int signo, uint8_t info[128])
{
    uint32_t code;

    memcpy(&code, info + offsetof(siginfo_t, si_code), sizeof(code));
    if (SIGNAL_BIT(signo) & SIGNALS_OF_FAULTS && code >> 16 == DISGUISE >> 16) {
        code &= ~DISGUISE;
        memcpy(info + offsetof(siginfo_t, si_code), &code, sizeof(code));
    }
}

/* The host lets no thread say of a signal to another that a process has sent it. */
void signal_pass_on(pid_t tid, int signo, const void *info)
{
    uint8_t passed[128];
    int32_t code;

    memcpy(passed, info, sizeof(passed));
    memcpy(&code, passed + offsetof(siginfo_t, si_code), sizeof(code));
    if (SIGNAL_BIT(signo) & SIGNALS_OF_FAULTS && code >= 0) {
        code = (int32_t)((uint32_t)code | DISGUISE);
        memcpy(passed + offsetof(siginfo_t, si_code), &code, sizeof(code));
    }
    if (syscall(__NR_rt_tgsigqueueinfo, getpid(), tid, signo, passed) < 0) {
        (void)syscall(__NR_tgkill, getpid(), tid, signo);
    }
}

/* Whether this is process 1 of its namespace and the signal was sent: it does not die of that. */
static bool is_spared(const struct vcpu *vcpu)
{
    int32_t code;

    memcpy(&code, vcpu->signal_info + offsetof(siginfo_t, si_code), sizeof(code));
    return getpid() == 1 && code <= 0;
}

/* A child that died with a core has told so only by its mark. */
static void note_core(int signo, uint8_t raw[128])
{
    siginfo_t info;

    memcpy(&info, raw, sizeof(info));
    if (signo == SIGCHLD && info.si_code == CLD_KILLED &&
        core_is_marked(info.si_pid, info.si_status)) {
        info.si_code = CLD_DUMPED;
        memcpy(raw, &info, sizeof(info));
    }
}

/* The signal in vcpu->signal_info. */
static void deliver(struct vcpu *vcpu, int signo)
{
    uint64_t handler = (uint64_t)SIG_IGN;

    vcpu->fault = (struct exception){0};
    if (vcpu->signal_mask & SIGNAL_BIT(signo)) { /* blocked since: it waits again */
        (void)syscall(__NR_rt_tgsigqueueinfo, getpid(), syscall(__NR_gettid), signo,
                      vcpu->signal_info);
        signal_set_mask(vcpu, vcpu->signal_mask);
        return;
    }
    signal_undisguise(signo, vcpu->signal_info);
    note_core(signo, vcpu->signal_info);
    pid_map_of_info(vcpu->signal_info);
    signo = hooks.signal_comes(vcpu, signo, vcpu->signal_info);
    if (signo) {
        handler = signal_action(signo)->handler;
    }
    if (handler == (uint64_t)SIG_DFL && signal_kills(signo) && !is_spared(vcpu)) {
        signal_die(signo);
    } else if (handler == (uint64_t)SIG_DFL || handler == (uint64_t)SIG_IGN) {
        signal_set_mask(vcpu, vcpu->signal_mask);
    } else {
        enter_handler(vcpu, signo);
    }
}

void signal_deliver(struct vcpu *vcpu)
{
    while (signal_waiting) { /* unblocking the others may bring the next */
        int signo = signal_waiting;

        signal_waiting = 0;
        vcpu->run->immediate_exit = 0;
        if (signo != SIGNAL_STOP) {
            deliver(vcpu, signo);
        }
    }
    take_mask_back(vcpu);
}

bool signal_restarts(bool restarts)
{
    const struct action *action;

    if (signal_waiting == SIGNAL_STOP) {
        return true;
    }
    action = signal_action(signal_waiting);
    return action->handler == (uint64_t)SIG_DFL || action->handler == (uint64_t)SIG_IGN ||
           (restarts && action->flags & SA_RESTART);
}

void signal_force_info(struct vcpu *vcpu, const void *forced)
{
    uint8_t of_waiting[sizeof(vcpu->signal_info)];
    siginfo_t info;
    uint64_t handler;
    int signo, waiting;

    memcpy(&info, forced, sizeof(info));
    signo = hooks.signal_comes(vcpu, info.si_signo, &info);
    if (!signo) {
        return;
    }
    handler = signal_action(signo)->handler;
    if (handler == (uint64_t)SIG_DFL || handler == (uint64_t)SIG_IGN ||
        vcpu->signal_mask & SIGNAL_BIT(signo)) {
        memcpy(vcpu->signal_info, &info, sizeof(vcpu->signal_info));
        signal_die(signo);
    }
    /* Its frame is the outer one, whatever else waits: that is delivered next, before the handler's
     * first instruction, which might not come back. So does dequeue_synchronous_signal() in the
     * kernel. */
    signal_hold();
    waiting = signal_waiting;
    memcpy(of_waiting, vcpu->signal_info, sizeof(of_waiting));
    memcpy(vcpu->signal_info, &info, sizeof(vcpu->signal_info));
    enter_handler(vcpu, signo);
    if (waiting) {
        memcpy(vcpu->signal_info, of_waiting, sizeof(of_waiting));
    }
}

void signal_force(struct vcpu *vcpu, int signo, int code, uint64_t addr)
{
    siginfo_t info = {.si_signo = signo, .si_code = code, .si_addr = (void *)addr};

    if (signo == SIGBUS && code == BUS_MCEERR_AR) {
        info.si_addr_lsb = 12; /* a page of memory is lost */
    }
    signal_force_info(vcpu, &info);
}
