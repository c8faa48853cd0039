// SPDX-License-Identifier: Apache-2.0
/*
 * vcpu.c: the run loop: enter the guest, find the reason of its exit, serve it, repeat.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "snapshot/snapshot.h"
#include "task/task.h"
#include "top.h"
#include "watch/watch.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOST_FAULTS_MAX 100
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13 /* since Linux 5.14 */
#endif

_Noreturn static void die_of_exit(const struct vcpu *vcpu, const char *what, uint64_t detail)
{
    die(STATUS_FAILED, FIX_REPORT,
        "the VM stopped: %s (exit reason %u, 0x%lx, rip 0x%llx, rsp 0x%llx)", what,
        vcpu->run->exit_reason, detail, vcpu->regs->rip, vcpu->regs->rsp);
}

/* SYSCALL is two bytes long: the payload's next instruction is the call again. RCX stays what the
 * first one made it. */
static void restart_syscall(struct vcpu *vcpu, uint64_t number)
{
    cpu_leave_stub(vcpu);
    vcpu->regs->rax = number;
    vcpu->regs->rip -= 2;
}

static enum waiting waits(uint64_t number)
{
    return number < SYSCALL_COUNT ? syscall_table[number].waits : WAITS_NOT;
}

/* Whether a call that the waiting signal ended is made again: of futex(2) a wait without an end in
 * time, after a handler with SA_RESTART, and one for a lock with an owner after any. */
static bool is_made_again(uint64_t number, const uint64_t *args)
{
    int command = number == __NR_futex ? (int)args[1] & FUTEX_CMD_MASK : -1;

    return command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2 ||
           signal_restarts(waits(number) == RESTARTS ||
                           ((command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET) && !args[3]));
}

/* Whether it is a call that may wait for ever; of another number than a call's it may be one. */
static bool may_wait(const struct kvm_regs *regs)
{
    uint32_t number = (uint32_t)regs->rax;
    struct stat st;

    return waits(number) &&
           (number != __NR_read || fstat((int)regs->rdi, &st) < 0 || !S_ISREG(st.st_mode));
}

static void serve_syscall(struct vcpu *vcpu)
{
    struct kvm_regs *regs = vcpu->regs;
    uint64_t number = (uint32_t)regs->rax; /* as the kernel takes it */
    uint64_t args[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    int64_t result;

    regs->rcx = island_next(regs->rcx);
    if (regs->rcx >= GUEST_TOP) { /* SYSRET to a non-canonical address would fault at CPL 0 */
        signal_die(SIGSEGV);
    }
    vcpu->host_faults = 0;
    stub_return(vcpu);
    hot_count(vcpu, regs->rcx, number);
    if (!helper_has_made(vcpu, false, &result)) {
        if (!seccomp_is_off(vcpu) && !seccomp_allows(vcpu, regs->rcx, number, args)) {
            return;
        }
        helper_count(vcpu, number, args);
        if (options.carried[CARRIED_FEW] && may_wait(regs)) { /* meanwhile it would be one more */
            helper_end(vcpu);
        }
        result = syscall_serve(vcpu, number, args);
    }
    if (number == __NR_rt_sigreturn) { /* all registers are what the frame said */
        return;
    }
    regs->rax = (uint64_t)result;
    if (result == NOT_STARTED ||
        (result == -EINTR && signal_waiting && is_made_again(number, args))) {
        restart_syscall(vcpu, number);
    }
    if (regs->r11 & FLAG_TF) { /* SYSRET would trap before the payload's next instruction */
        cpu_leave_stub(vcpu);
    }
}

/* Whether a child of km's that ends later would be seen: by a limit, by a call that waits for
 * children, or by others, as long as this one waits. */
static bool sees_children(const struct vcpu *vcpu)
{
    return options.snapshot || options.carried[CARRIED_FEW] || may_wait(vcpu->regs);
}

static void serve_port(struct vcpu *vcpu)
{
    unsigned port = vcpu->run->io.port;
    struct exception exception;

    if (port == PORT_SYSCALL) {
        serve_syscall(vcpu);
    } else if (port - PORT_EXCEPTION < VECTOR_COUNT &&
               cpu_leave_exception(vcpu, port - PORT_EXCEPTION, &exception)) {
        if (vcpu->mask_was_lent && stub_settle_mask(vcpu)) { /* a pointer for us to judge */
            signal_set_mask(vcpu, stub_data(vcpu)->mask);
            vcpu->mask_is_asked = true;
        } else {
            fault_handle(vcpu, &exception);
        }
    } else {
        die_of_exit(vcpu, "an output to a port unknown to km", port);
    }
}

#define WORKER_TRIES 100
#define WORKER_PAUSE_NS 20000000L

/*
 * A VM's first KVM_RUN makes a thread of KVM's own in this process, since Linux 6.11, and answers
 * EAGAIN where a limit leaves no room for it. A program has no use for a limit that keeps its VM
 * from being: the soft one is lifted for that moment. Others may end, too.
 */
static void make_worker(struct vcpu *vcpu)
{
    const struct timespec pause = {0, WORKER_PAUSE_NS};
    struct rlimit limit = {0, 0};
    int error = EAGAIN;
    uint64_t own;

    vcpu_wait_elsewhere(vcpu, true); /* the child that tried it counts until then */
    for (int i = 0; i < WORKER_TRIES && error == EAGAIN; i++) {
        if (i) {
            (void)nanosleep(&pause, NULL);
        }
        own = limits_lift_processes();
        vcpu->run->immediate_exit = 1; /* KVM looks at that later: the payload does not run */
        error = kvm_ioctl(vcpu->fd, KVM_RUN, 0) < 0 ? errno : 0;
        vcpu->run->immediate_exit = 0;
        if (signal_waiting) { /* it came meanwhile, or comes now and says so itself */
            vcpu->run->immediate_exit = 1;
        }
        limits_lower_processes(own);
    }
    if (error == EAGAIN) {
        (void)getrlimit(RLIMIT_NPROC, &limit);
        die(STATUS_FAILED,
            "allow twice as many: `ulimit -u` for the user, `--pids-limit` for the container",
            "the limit on processes leaves no room for KVM's thread: a program in a VM counts as "
            "two, and the user's limit (RLIMIT_NPROC) is %lu",
            (unsigned long)limit.rlim_max);
    }
}

/* ---- KVM's own thread ---- */

#define ELSEWHERE_STACK (16UL << 10)
#define ELSEWHERE_TRIES 20000U /* looks whether the child has ended, some 10 ms */

static pid_t elsewhere; /* a child that has made a KVM_RUN, and is to be waited for; or 0 */

/*
 * The child, and KVM's thread with it, may end some time after the process whose descriptors these
 * are copies of: until then a lock, a port or a pipe would stay taken. Only KVM's is needed; the
 * filter lets nobody close the program's.
 */
static void close_all_but(int one, int other)
{
    unsigned low = (unsigned)(one < other ? one : other),
             high = (unsigned)(one < other ? other : one);

    (void)syscall(__NR_close_range, 0U, low - 1, 0);
    (void)syscall(__NR_close_range, low + 1, high - 1, 0);
    (void)syscall(__NR_close_range, high + 1, ~0U, 0);
}

static int run_for_nothing(void *argument)
{
    const struct vcpu *vcpu = argument;

    close_all_but(vcpu->fd, self_fd() < 0 ? vcpu->fd : self_fd());
    (void)limits_lift_processes();
    vcpu->run->immediate_exit = 1;
    (void)kvm_ioctl(vcpu->fd, KVM_RUN, 0);
    vcpu->run->immediate_exit = 0;
    (void)syscall(__NR_exit_group, 0);
    return 0;
}

/*
 * A VM's first KVM_RUN makes a thread of KVM's own in the process that makes the call, since Linux
 * 6.11. It only joins pages again to huge ones, but unshare(CLONE_NEWUSER) is refused to a process
 * of several threads. So another process makes that call, in this memory, and ends with it.
 */
static void run_elsewhere(struct vcpu *vcpu)
{
    uint8_t stack[ELSEWHERE_STACK] __attribute__((aligned(16)));
    pid_t pid;

    vcpu->vm->has_run = true;
    elsewhere = 0;              /* in a fork: its parent's */
    if (vcpu->children_apart) { /* it would be the first in their namespace */
        return;
    }
    signal_hold();
    pid = clone(run_for_nothing, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, vcpu);
    elsewhere = pid > 0 ? pid : 0;
    signal_release(vcpu);
}

/* Whether the child may have ended, and KVM's thread before it: /proc/PID/task has a link each. */
static bool may_have_ended(pid_t pid)
{
    char name[32];
    struct stat st;

    (void)snprintf(name, sizeof(name), "%d/task", pid);
    return fstatat(pin_proc(), name, &st, 0) < 0 || st.st_nlink <= 3;
}

/*
 * Not by a sleep, and no wait4(2) before its time, in which a thread that is made to let others run
 * counts as asleep: a program that waits until another sleeps in a call would find this one asleep
 * before it has begun the call. On a busy host the child takes its time.
 */
void vcpu_wait_elsewhere(const struct vcpu *vcpu, bool until_it_ends)
{
    pid_t pid = vcpu->vforked ? 0 : __atomic_exchange_n(&elsewhere, 0, __ATOMIC_RELAXED);
    pid_t ended = 0;

    for (unsigned tries = 0; pid && !ended; tries++) {
        bool last = tries == ELSEWHERE_TRIES;

        ended = last || may_have_ended(pid) ? waitpid(pid, NULL, __WALL | (last ? 0 : WNOHANG)) : 0;
        if (ended < 0 && errno == EINTR) {
            tries -= last;
            ended = 0;
        } else if (!ended && !until_it_ends) {
            __atomic_store_n(&elsewhere, pid, __ATOMIC_RELAXED);
            return;
        } else if (!ended) {
            (void)sched_yield();
        }
    }
}

/* Whether the host's children of this process are to be in another PID namespace than it is. */
static bool children_are_apart(void)
{
    struct stat own, children;

    return fstatat(pin_proc(), "thread-self/ns/pid", &own, 0) == 0 &&
           (fstatat(pin_proc(), "thread-self/ns/pid_for_children", &children, 0) < 0 ||
            own.st_ino != children.st_ino);
}

/*
 * The host has no memory where the guest's page tables promise some. Either another thread is just
 * taking it away or changing its rights, then the page tables say so next time; or the host cannot
 * give it: natively a signal, which mm_fault() finds out. What KVM fails at all the same, where
 * nobody changes anything and the program does not go on, is no memory at all.
 */
static void serve_no_memory(struct vcpu *vcpu)
{
    bool changed = vcpu->mm_seen != mm_changes();

    if (vcpu->poisoned || !changed) {
        mm_lock();
        mm_distrust();
        mm_unlock();
    }
    if (changed || memcmp(&vcpu->host_fault_regs, vcpu->regs, sizeof(*vcpu->regs)) != 0) {
        vcpu->host_faults = 0;
    }
    vcpu->poisoned = false;
    vcpu->host_fault_regs = *vcpu->regs;
    if (++vcpu->host_faults > HOST_FAULTS_MAX) {
        vcpu->host_faults = 0;
        signal_force(vcpu, SIGBUS, BUS_ADRERR, vcpu->fault.cr2); /* the page that it touched last */
    }
}

/* KVM_RUN failed. */
static void serve_host_fault(struct vcpu *vcpu)
{
    int error = errno;

    if (error == EFAULT || vcpu->poisoned) {
        serve_no_memory(vcpu);
    } else if (error == EAGAIN) {
        make_worker(vcpu);
    } else if (error == EINVAL && children_are_apart()) {
        die(STATUS_FAILED, "start km in the new PID namespace, as `unshare --pid --fork` does",
            "KVM cannot start a VM's thread after unshare(CLONE_NEWPID) (KVM_RUN)");
    } else if (error == ENOMEM) {
        die(STATUS_FAILED,
            "let the program have more memory (`--memory` of a container), or free some",
            "the host has no memory for the VM's page tables (KVM_RUN)");
    } else if (error != EINTR) {
        errno = error;
        die(STATUS_FAILED, FIX_REPORT, "KVM_RUN failed: %m (rip 0x%llx)", vcpu->regs->rip);
    }
}

/* The payload goes on at an instruction of its own: first comes what waited for that. */
static void prepare(struct vcpu *vcpu)
{
    do {
        if (signal_waiting) {
            signal_deliver(vcpu);
        }
        if (vcpu->vforked) {
            return;
        }
        snapshot_point(vcpu);
        gdb_before_guest(vcpu);
        if (freeze_is_wanted(vcpu)) {
            freeze_point(freeze_of(vcpu));
        }
    } while (signal_waiting || freeze_is_wanted(vcpu));
    gdb_enter_guest(vcpu);
}

/*
 * On PVM the guest's RDTSC is judged by the host's CR4 alone: so the host forbids it, as long as
 * the guest runs, for the monitor asks for the time, too.
 */
static int run_without_tsc(struct vcpu *vcpu)
{
    int result, error;

    (void)prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    result = kvm_ioctl(vcpu->fd, KVM_RUN, 0);
    error = errno;
    (void)prctl(PR_SET_TSC, PR_TSC_ENABLE);
    errno = error;
    return result;
}

static int run_once(struct vcpu *vcpu)
{
    return vcpu->tsc_forbidden && !vcpu->vm->hardware ? run_without_tsc(vcpu)
                                                      : kvm_ioctl(vcpu->fd, KVM_RUN, 0);
}

/* KVM_RUN, with the registers on both sides of it. */
static bool run(struct vcpu *vcpu)
{
    bool entered;
    int error;

    if (vcpu->vm->shares_registers) {
        return run_once(vcpu) == 0;
    }
    if (!cpu_give_registers(vcpu)) {
        return false;
    }
    entered = run_once(vcpu) == 0;
    error = errno;
    if (!cpu_take_registers(vcpu)) {
        return false;
    }
    errno = error;
    return entered;
}

/* Enter the guest until it comes back. False when KVM_RUN failed, with errno set. */
static bool enter(struct vcpu *vcpu)
{
    bool entered;
    int error;

    if (!vcpu->vm->has_run) {
        run_elsewhere(vcpu);
    }
    cpu_show_number(vcpu);
    vcpu->mm_seen = mm_changes();
    vcpu->mask_was_lent = guest_mask_lend(vcpu);
    robust_offer(vcpu);
    helper_let(vcpu);
    entered = run(vcpu);
    error = errno;
    if (vcpu->mask_was_lent) {
        (void)stub_settle_mask(vcpu);
        guest_mask_take(vcpu, !entered && error == EINTR);
    }
    robust_take(vcpu);
    helper_hold(vcpu);
    gdb_left_guest(vcpu, entered && vcpu->run->exit_reason == KVM_EXIT_IO &&
                             vcpu->run->io.port == PORT_SYSCALL);
    if (options.stats) {
        stats_exit(vcpu, entered ? 0 : error);
    }
    errno = error;
    return entered;
}

_Noreturn void vcpu_run(struct vcpu *vcpu)
{
    if (!vcpu->vforked) {
        freeze_set_tid(vcpu, (pid_t)syscall(__NR_gettid));
    }
    stub_set_answers(vcpu);
    hot_begin(vcpu);
    prepare(vcpu);
    for (;;) {
        if (!enter(vcpu)) {
            serve_host_fault(vcpu);
            if (cpu_in_stub(vcpu)) { /* a signal waits until it has come */
                vcpu->run->immediate_exit = 0;
            } else {
                prepare(vcpu);
            }
            continue;
        }
        switch (vcpu->run->exit_reason) {
        case KVM_EXIT_IO:
            if (__atomic_load_n(&elsewhere, __ATOMIC_RELAXED)) {
                vcpu_wait_elsewhere(vcpu, sees_children(vcpu));
            }
            serve_port(vcpu);
            break;
        case KVM_EXIT_INTR:
            if (cpu_in_stub(vcpu)) {
                continue;
            }
            break;
        case KVM_EXIT_MMIO:
            die_of_exit(vcpu, "an access to memory that the VM does not have",
                        vcpu->run->mmio.phys_addr);
        case KVM_EXIT_SHUTDOWN:
            die_of_exit(vcpu, "a triple fault", 0);
        case KVM_EXIT_INTERNAL_ERROR:
            die_of_exit(vcpu, "KVM cannot emulate an instruction", vcpu->run->internal.suberror);
        case KVM_EXIT_FAIL_ENTRY:
            die_of_exit(vcpu, "the CPU refuses the guest's state",
                        vcpu->run->fail_entry.hardware_entry_failure_reason);
        default:
            die_of_exit(vcpu, "an exit unknown to km", 0);
        }
        prepare(vcpu);
    }
}
