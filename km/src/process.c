// SPDX-License-Identifier: Apache-2.0
/*
 * process.c: fork, vfork, clone and clone3.
 *
 * A forked process is a fork of the monitor: memory is copied on write by the host, and the VM,
 * which KVM binds to the parent's address space, is made again around it. The child of a vfork runs
 * in the parent's address space and so in the parent's VM, on the vCPU of the thread that waits for
 * it.
 */
#include "km.h"
#include "mounts.h"
#include "seccomp.h"
#include "syscall.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLAGS_THREAD ((uint64_t)CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define FLAGS_TIDS                                                                                 \
    ((uint64_t)CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS)
#define FLAGS_SPACES                                                                               \
    ((uint64_t)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |       \
     CLONE_NEWPID | CLONE_NEWNET)
#define FLAGS_KNOWN                                                                                \
    (FLAGS_THREAD | FLAGS_TIDS | FLAGS_SPACES | CLONE_VFORK | CLONE_SYSVSEM | CLONE_DETACHED |     \
     CLONE_UNTRACED | CLONE_PIDFD | CLONE_PARENT | CLONE_IO | CLONE_CLEAR_SIGHAND)

/* struct clone_args of clone3(2); what clone(2) cannot say is zero. */
struct clone {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

/* The state that the child begins with: the parent's, with what clone was told. */
static void child_state(struct vcpu *vcpu, const struct clone *how, struct cpu_state *state)
{
    cpu_save(vcpu, state);
    state->regs.rax = 0;
    if (how->stack) {
        state->regs.rsp = how->stack + how->stack_size;
    }
    if (how->flags & CLONE_SETTLS) {
        state->fs_base = how->tls;
    }
}

/* ---- fork ---- */

/* In the child: from the copy of the parent's memory make a process that can run. */
static void become_child(struct vcpu *vcpu, const struct clone *how, const struct cpu_state *state)
{
    int32_t tid = ids_shown(getpid());

    thread_after_fork();
    vcpu->vforked = false;
    pin_after_fork();
    opening_after_fork();
    stop_after_fork(vcpu);
    gdb_after_fork(vcpu);
    stats_after_fork();
    aio_after_fork();
    helper_after_fork();
    signal_after_fork();
    vm_restore(vcpu->vm, vcpu);
    cpu_load(vcpu, state);
    stub_after_fork(vcpu, how->flags & CLONE_NEWUSER);
    mm_unlock();
    thread_unlock();
    vcpu->clear_tid = how->flags & CLONE_CHILD_CLEARTID ? how->child_tid : 0;
    vcpu->robust_list = 0;
    if (how->flags & CLONE_CHILD_SETTID) {
        (void)guest_write(how->child_tid, &tid, sizeof(tid));
    }
    if (how->flags & CLONE_CLEAR_SIGHAND) {
        signal_clear_handlers();
    }
    signal_release(vcpu);
}

/* The host's fork: musl's own where nothing special is asked for, since it keeps its locks whole.
 */
static int64_t host_fork(const struct clone *how)
{
    uint64_t flags = how->flags & (FLAGS_SPACES | CLONE_PARENT | CLONE_IO);
    pid_t pid;

    if (!flags && how->exit_signal == SIGCHLD) {
        pid = fork();
        return pid < 0 ? -errno : pid;
    }
    return host_syscall(__NR_clone, (uint64_t[6]){flags | how->exit_signal});
}

static int64_t fork_process(struct vcpu *vcpu, const struct clone *how)
{
    struct cpu_state state;
    struct mounts_seen *mounts;
    int64_t pid;

    if (!vm_can_restore(vcpu->vm)) {
        return -EAGAIN;
    }
    child_state(vcpu, how, &state);
    mounts = how->flags & CLONE_NEWNS ? mounts_before_copy() : NULL;
    signal_hold();
    thread_lock();
    mm_lock();
    pid = host_fork(how);
    if (!pid) {
        mounts_after_copy(mounts);
        become_child(vcpu, how, &state);
        return 0;
    }
    mm_unlock();
    thread_unlock();
    signal_release(vcpu);
    mounts_forget(mounts);
    return pid;
}

/* ---- vfork ---- */

struct vfork {
    struct vcpu *vcpu;
    const struct cpu_state *state;
    bool clear_handlers;
};

static int vfork_main(void *argument)
{
    struct vfork *how = argument;
    struct vcpu *vcpu = how->vcpu;

    cpu_load(vcpu, how->state);
    vcpu->vforked = true;
    if (how->clear_handlers) {
        signal_clear_handlers();
    }
    signal_release(vcpu);
    vcpu_run(vcpu);
}

/*
 * The child has its own descriptors and dispositions at the host, but the monitor's memory is
 * shared: its dispositions there are a copy of the parent's, and the thread's registers are put
 * back.
 */
static int64_t vfork_process(struct vcpu *vcpu, const struct clone *how)
{
    static const size_t stack_size = 256UL << 10;
    struct actions own, *actions;
    uint64_t limit = core_limit;
    struct cpu_state parent, child;
    struct vfork start = {vcpu, &child, how->flags & CLONE_CLEAR_SIGHAND};
    struct vcpu thread;
    int64_t pid;
    void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED) {
        return -ENOMEM;
    }
    child_state(vcpu, how, &child);
    cpu_save(vcpu, &parent);
    signal_hold();
    actions = signal_actions_copy(&own); /* other threads of the parent run on, with theirs */
    stop_away(vcpu, &parent);
    memcpy(&thread, vcpu, sizeof(thread));
    gdb_before_vfork();
    pid = clone(vfork_main, (char *)stack + stack_size,
                CLONE_VM | CLONE_VFORK | (int)how->exit_signal, &start);
    if (pid < 0) {
        pid = -errno;
    }
    memcpy(vcpu, &thread, sizeof(thread));
    signal_waiting = 0;
    vcpu->run->immediate_exit = 0;
    signal_actions_use(actions);
    core_limit = limit;
    gdb_after_vfork();
    stop_back(vcpu);
    seccomp_after_vfork(vcpu);
    cpu_load(vcpu, &parent);
    stub_set_answers(vcpu); /* they were the child's */
    signal_release(vcpu);
    (void)munmap(stack, stack_size);
    return pid;
}

/* ---- clone ---- */

static int64_t new_thread(struct vcpu *vcpu, const struct clone *how)
{
    struct cpu_state state;

    if (!how->stack || how->exit_signal) {
        return -EINVAL;
    }
    if (vcpu->vforked) {
        return -EAGAIN; /* its threads would be in the parent's lists, and outlive it there */
    }
    child_state(vcpu, how, &state);
    return thread_start(vcpu, how->flags, &state, how->parent_tid, how->child_tid);
}

static int64_t new_process(struct vcpu *vcpu, const struct clone *how)
{
    int64_t pid = how->flags & CLONE_VM ? vfork_process(vcpu, how) : fork_process(vcpu, how);
    int32_t tid = ids_shown((pid_t)pid), pidfd;

    if (pid <= 0) {
        return pid;
    }
    if (how->flags & CLONE_PARENT_SETTID) {
        (void)guest_write(how->parent_tid, &tid, sizeof(tid));
    }
    if (how->flags & CLONE_PIDFD) {
        pidfd = (int32_t)syscall(__NR_pidfd_open, pid, 0);
        (void)guest_write(how->pidfd, &pidfd, sizeof(pidfd));
    }
    return pid;
}

/* The sanitizer of leaks stops its program's threads by such a process, and ptrace. */
static void note_tracer(uint64_t flags)
{
    static uint32_t noted;

    if (flags & CLONE_UNTRACED && !__atomic_exchange_n(&noted, 1, __ATOMIC_RELAXED)) {
        complain("set ASAN_OPTIONS=detect_leaks=0, or LSAN_OPTIONS=detect_leaks=0",
                 "the program asks for a process that traces it, which a VM does not have: the "
                 "sanitizer of leaks does so at the end");
    }
}

static int64_t clone_any(struct vcpu *vcpu, const struct clone *how)
{
    bool thread = how->flags & CLONE_THREAD;

    if (how->flags & ~FLAGS_KNOWN || how->exit_signal > SIGNAL_MAX || how->tls >= GUEST_TOP) {
        return -EINVAL;
    }
    if (thread && (how->flags & (FLAGS_THREAD | FLAGS_SPACES)) != FLAGS_THREAD) {
        return -EINVAL; /* a thread that does not share all that threads share */
    }
    if (!thread && how->flags & CLONE_VM && !(how->flags & CLONE_VFORK)) {
        note_tracer(how->flags);
        return -EINVAL; /* two processes in one memory at the same time */
    }
    return thread ? new_thread(vcpu, how) : new_process(vcpu, how);
}

/* pid_t fork(void) */
HANDLER(fork)
{
    (void)args;
    return clone_any(vcpu, &(struct clone){.exit_signal = SIGCHLD});
}

/* pid_t vfork(void) */
HANDLER(vfork)
{
    (void)args;
    return clone_any(vcpu,
                     &(struct clone){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

/* long clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid, unsigned long tls)
 */
HANDLER(clone)
{
    struct clone how = {
        .flags = args[0] & 0xffffff00,
        .exit_signal = args[0] & 0xff,
        .stack = args[1],
        .parent_tid = args[2],
        .pidfd = args[2],
        .child_tid = args[3],
        .tls = args[0] & CLONE_SETTLS ? args[4] : 0,
    };

    return clone_any(vcpu, &how);
}

/* long clone3(struct clone_args *args, size_t size) */
HANDLER(clone3)
{
    struct clone how = {0};
    uint64_t size = args[1] < sizeof(how) ? args[1] : sizeof(how);

    if (args[1] < 64 || args[1] > PAGE_SIZE) { /* CLONE_ARGS_SIZE_VER0 */
        return args[1] < 64 ? -EINVAL : -E2BIG;
    }
    if (guest_read(&how, args[0], size) < 0) {
        return -EFAULT;
    }
    if (how.set_tid_size || how.cgroup) {
        return -EPERM;
    }
    return clone_any(vcpu, &how);
}

/*
 * int unshare(int flags)
 *
 * Threads with tables of descriptors of their own would not find the VM in them. For one thread
 * alone there is nothing to part from.
 */
HANDLER(unshare)
{
    uint64_t of_threads = CLONE_FILES | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    uint64_t without[6] = {args[0] & ~of_threads};
    struct mounts_seen *mounts;
    int64_t error;

    if (args[0] & of_threads && thread_several() && !vcpu->vforked) {
        return -EINVAL;
    }
    if (args[0] & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER)) {
        opening_part();
    }
    mounts = args[0] & CLONE_NEWNS ? mounts_before_copy() : NULL;
    error = host_syscall(__NR_unshare, without);
    if (error) {
        mounts_forget(mounts);
    } else {
        mounts_after_copy(mounts);
    }
    return error;
}

/* void exit(int status): of this thread */
HANDLER(exit)
{
    syscall_ended(vcpu, __NR_exit, args, 0, stats_clock());
    if (vcpu->vforked) {
        ending_exit(vcpu, (int)args[0], true);
        _exit((int)args[0]);
    }
    thread_end(vcpu, (int)args[0] & 0xff);
}

/* pid_t set_tid_address(int *tidptr) */
HANDLER(set_tid_address)
{
    vcpu->clear_tid = args[0];
    return syscall(__NR_gettid);
}

/*
 * long set_robust_list(struct robust_list_head *head, size_t len)
 *
 * The kernel walks the list when the process ends, however that comes about. For a thread that ends
 * alone thread.c does it: a hostile list must not lead the kernel into a monitor that lives on. Nor
 * must that of a vfork's child, in its parent's memory: it is kept, but nobody walks it. What holds
 * the numbers of a resumed program says nothing to the kernel.
 */
HANDLER(set_robust_list)
{
    if (args[1] != 24) {
        return -EINVAL;
    }
    vcpu->robust_list = args[0]; /* any address: who walks there finds out */
    return guest_ok(args[0], 24) && !vcpu->vforked && !ids_translated()
               ? host_syscall(__NR_set_robust_list, args)
               : 0;
}

/* long get_robust_list(int pid, struct robust_list_head **head, size_t *len): of the caller */
HANDLER(get_robust_list)
{
    uint64_t size = 24;

    if (args[0] && args[0] != (uint64_t)syscall(__NR_gettid)) {
        return -EPERM;
    }
    return guest_write(args[1], &vcpu->robust_list, sizeof(vcpu->robust_list)) < 0 ||
                   guest_write(args[2], &size, sizeof(size)) < 0
               ? -EFAULT
               : 0;
}
