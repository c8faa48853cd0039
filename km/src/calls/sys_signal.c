// SPDX-License-Identifier: Apache-2.0
/*
 * sys_signal.c: the system calls of signals that the monitor answers itself.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* int rt_sigaction(int signum, const struct sigaction *act, struct sigaction *oldact, size_t) */
HANDLER(rt_sigaction)
{
    struct action new, old;
    int signo = (int)args[0];

    (void)vcpu;
    if (args[3] != sizeof(new.mask) || signo < 1 || signo > SIGNAL_MAX ||
        (args[1] && (signo == SIGKILL || signo == SIGSTOP))) {
        return -EINVAL;
    }
    if (args[1] && guest_read(&new, args[1], sizeof(new)) < 0) {
        return -EFAULT;
    }
    old = *signal_action(signo);
    if (args[1]) {
        int64_t error = signal_set_action(signo, &new);

        if (error < 0) {
            return error;
        }
    }
    return args[2] ? guest_write(args[2], &old, sizeof(old)) : 0;
}

/* int rt_sigprocmask(int how, const sigset_t *set, sigset_t *oldset, size_t sigsetsize) */
HANDLER(rt_sigprocmask)
{
    uint64_t set, old = vcpu->signal_mask;

    guest_mask_count(vcpu);
    if (args[3] != sizeof(set)) {
        return -EINVAL;
    }
    if (args[1]) {
        if (guest_read(&set, args[1], sizeof(set)) < 0) {
            return -EFAULT;
        }
        switch ((int)args[0]) {
        case SIG_BLOCK:
            signal_set_mask(vcpu, old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_mask(vcpu, old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_mask(vcpu, set);
            break;
        default:
            return -EINVAL;
        }
    }
    return args[2] ? guest_write(args[2], &old, sizeof(old)) : 0;
}

/* int rt_sigpending(sigset_t *set, size_t sigsetsize): also what the host does not keep */
HANDLER(rt_sigpending)
{
    int64_t result = host_syscall(__NR_rt_sigpending, args);
    uint64_t set = 0;

    held_gather(vcpu, vcpu->signal_mask);
    if (result < 0 || !vcpu->signals_held) {
        return result;
    }
    if (guest_read(&set, args[0], args[1]) < 0) {
        return -EFAULT;
    }
    set |= vcpu->signals_held;
    return guest_write(args[0], &set, args[1]);
}

/* int rt_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *, size_t) */
HANDLER(rt_sigtimedwait)
{
    uint64_t set, with_copies[6];
    uint8_t info[128];
    int64_t result;
    bool lent;

    if (args[3] != sizeof(set)) {
        return -EINVAL;
    }
    if (guest_read(&set, args[0], sizeof(set)) < 0) {
        return -EFAULT;
    }
    memcpy(with_copies, args, sizeof(with_copies));
    with_copies[0] = (uint64_t)&set;
    with_copies[1] = (uint64_t)info;
    __atomic_store_n(&vcpu->signals_wanted, set, __ATOMIC_SEQ_CST);
    held_gather(vcpu, set);
    lent = held_lend(vcpu, set); /* then it does not wait */
    result = host_syscall(__NR_rt_sigtimedwait, with_copies);
    __atomic_store_n(&vcpu->signals_wanted, 0, __ATOMIC_SEQ_CST);
    if (lent) {
        held_take(vcpu);
    }
    if (result <= 0) {
        return result;
    }
    if (freeze_is_kick(info)) {
        return NOT_STARTED;
    }
    signal_undisguise((int)result, info);
    pid_map_of_info(info);
    return args[1] && guest_write(args[1], info, sizeof(info)) < 0 ? -EFAULT : result;
}

/* int rt_sigreturn(void): the frame decides about everything */
HANDLER(rt_sigreturn)
{
    uint64_t mask;

    (void)args;
    if (!sigframe_pop(vcpu, &mask)) {
        signal_die(SIGSEGV);
    }
    signal_set_mask(vcpu, mask);
    return (int64_t)vcpu->regs->rax;
}

/*
 * A call that sends a siginfo of the payload's making, its argument i, to process `pid`. One to
 * itself that claims to be of a fault must not look like a fault of the monitor's.
 */
static int64_t send_info(uint64_t number, const uint64_t *args, unsigned i, int signo, int pid)
{
    uint8_t info[128];
    uint64_t with_copy[6];

    memcpy(with_copy, args, sizeof(with_copy));
    with_copy[i] = (uint64_t)info;
    if (guest_read(info, args[i], sizeof(info)) < 0) {
        with_copy[i] = NOWHERE; /* the kernel says what comes first */
    } else if (signal_disguise(signo, info) && pid != getpid()) {
        return -EPERM; /* as the kernel answers who claims so to others */
    }
    return host_syscall(number, with_copy);
}

/* int rt_sigqueueinfo(pid_t tgid, int sig, siginfo_t *info) */
HANDLER(rt_sigqueueinfo)
{
    (void)vcpu;
    return send_info(__NR_rt_sigqueueinfo, args, 2, (int)args[1], (int)args[0]);
}

/* int rt_tgsigqueueinfo(pid_t tgid, pid_t tid, int sig, siginfo_t *info) */
HANDLER(rt_tgsigqueueinfo)
{
    (void)vcpu;
    return send_info(__NR_rt_tgsigqueueinfo, args, 3, (int)args[2], (int)args[0]);
}

/* int pidfd_send_signal(int pidfd, int sig, siginfo_t *info, unsigned flags) */
HANDLER(pidfd_send_signal)
{
    (void)vcpu;
    return args[2] ? send_info(__NR_pidfd_send_signal, args, 2, (int)args[1], 0)
                   : host_syscall(__NR_pidfd_send_signal, args);
}

/* int rt_sigsuspend(const sigset_t *mask, size_t sigsetsize) */
HANDLER(rt_sigsuspend)
{
    uint64_t mask, with_copy[6] = {(uint64_t)&mask, sizeof(mask)};

    if (args[1] != sizeof(mask)) {
        return -EINVAL;
    }
    if (guest_read(&mask, args[0], sizeof(mask)) < 0) {
        return -EFAULT;
    }
    return signal_call_under_mask(vcpu, &mask, __NR_rt_sigsuspend, with_copy);
}

#define ALTSTACK_MIN 2048 /* MINSIGSTKSZ */

static int64_t set_altstack(struct vcpu *vcpu, uint64_t addr)
{
    struct altstack new;
    uint32_t how;

    if (guest_read(&new, addr, sizeof(new)) < 0) {
        return -EFAULT;
    }
    if (new.sp == vcpu->altstack.sp && new.size == vcpu->altstack.size &&
        new.flags == vcpu->altstack.flags) {
        return 0;
    }
    how = new.flags & ~SS_AUTODISARM;
    if (how && how != SS_DISABLE && how != SS_ONSTACK) {
        return -EINVAL;
    }
    if (how == SS_DISABLE) {
        new.sp = new.size = 0;
    } else if (new.size < ALTSTACK_MIN) {
        return -ENOMEM;
    }
    new.padding = 0;
    vcpu->altstack = new;
    return 0;
}

/* int sigaltstack(const stack_t *ss, stack_t *old_ss) */
HANDLER(sigaltstack)
{
    struct altstack old = vcpu->altstack;
    uint32_t disarms = old.flags & SS_AUTODISARM;
    bool inside = !disarms && old.size && on_altstack(vcpu, vcpu->regs->rsp);
    int64_t error = 0;

    old.flags = disarms | (!old.size ? SS_DISABLE : inside ? SS_ONSTACK : 0U);
    if (args[0]) {
        error = inside ? -EPERM : set_altstack(vcpu, args[0]);
    }
    return !error && args[1] ? guest_write(args[1], &old, sizeof(old)) : error;
}
