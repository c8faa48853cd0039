// SPDX-License-Identifier: Apache-2.0
/*
 * process.c: fork, vfork, clone and clone3.
 *
 * A forked process is a fork of the monitor: memory is copied on write by the host, and the VM,
 * which KVM binds to the parent's address space, is made again around it. The child of a vfork runs
 * in the parent's address space and so in the parent's VM, on the vCPU of the thread that waits for
 * it.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"
#include "top.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FLAGS_THREAD ((uint64_t)CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define FLAGS_TIDS                                                                                 \
    ((uint64_t)CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS)
#define FLAGS_SPACES                                                                               \
    ((uint64_t)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |       \
     CLONE_NEWPID | CLONE_NEWNET)
#define FLAGS_KNOWN                                                                                \
    (FLAGS_THREAD | FLAGS_TIDS | FLAGS_SPACES | CLONE_VFORK | CLONE_SYSVSEM | CLONE_DETACHED |     \
     CLONE_UNTRACED | CLONE_PIDFD | CLONE_PARENT | CLONE_IO | CLONE_CLEAR_SIGHAND | CLONE_PTRACE | \
     CLONE_INTO_CGROUP)

/* The registers that the child begins with: the parent's, with what clone was told. */
static void child_state(struct vcpu *vcpu, const struct clone *how, struct cpu_state *state)
{
    cpu_save_registers(vcpu, state);
    state->regs.rax = 0;
    if (how->stack) {
        state->regs.rsp = how->stack + how->stack_size;
    }
    if (how->flags & CLONE_SETTLS) {
        state->fs_base = how->tls;
    }
}

/* ---- a control group to begin in ---- */

/* Let how->cgroup be where the child asks to be moved to it. 0, or -errno. */
static int64_t open_cgroup(struct clone *how)
{
    struct statfs fs;
    int fd;

    if (!(how->flags & CLONE_INTO_CGROUP)) {
        return 0;
    }
    if (fd_is_hidden(how->cgroup) || fstatfs((int)how->cgroup, &fs) < 0 ||
        fs.f_type != CGROUP2_SUPER_MAGIC) {
        return -EBADF;
    }
    fd = openat((int)how->cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    how->cgroup = (uint64_t)fd;
    return fd < 0 ? -errno : 0;
}

static void close_cgroup(const struct clone *how)
{
    if (how->flags & CLONE_INTO_CGROUP) {
        (void)close((int)how->cgroup);
    }
}

/* In the child, before its first instruction. */
static void enter_cgroup(const struct clone *how)
{
    if (how->flags & CLONE_INTO_CGROUP) {
        (void)!write((int)how->cgroup, "0", 1);
        close_cgroup(how);
    }
}

/* ---- fork ---- */

/* In the child: from the copy of the parent's memory make a process that can run. */
static void become_child(struct vcpu *vcpu, const struct clone *how, const struct cpu_state *state)
{
    int32_t tid = pid_map_shown(getpid());

    enter_cgroup(how);
    thread_after_fork();
    vcpu->vforked = false;
    vcpu->children_apart = false;
    freeze_after_fork(vcpu);
    signal_after_fork();
    hooks.after_fork(vcpu);
    vm_restore(vcpu->vm, vcpu);
    signal_hold(); /* the monitor's own two may come from here on: there is a vCPU to tell */
    cpu_load(vcpu, state);
    if (vcpu->tsc_forbidden) { /* which the new VM does not know */
        cpu_forbid_tsc(vcpu, true);
    }
    stub_after_fork(vcpu, how->flags & CLONE_NEWUSER);
    mm_unlock();
    thread_unlock();
    vcpu->clear_tid = how->flags & CLONE_CHILD_CLEARTID ? how->child_tid : 0;
    robust_set(vcpu, 0);
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
    cpu_save_fpu(vcpu, &state);
    mounts = how->flags & CLONE_NEWNS ? mounts_before_copy() : NULL;
    signal_hold();
    thread_lock();
    mm_lock();
    signal_hold_all(); /* the child's vCPU is not there yet */
    pid = host_fork(how);
    if (!pid) {
        mounts_after_copy(mounts);
        become_child(vcpu, how, &state);
        return 0;
    }
    signal_hold();
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
    const struct clone *clone;
};

static int vfork_main(void *argument)
{
    const struct vfork *how = argument;
    struct vcpu *vcpu = how->vcpu;
    int32_t tid = pid_map_shown(getpid());

    enter_cgroup(how->clone);
    if (how->clone->flags & CLONE_CHILD_SETTID) {
        (void)guest_write(how->clone->child_tid, &tid, sizeof(tid));
    }
    cpu_load(vcpu, how->state);
    vcpu->vforked = true;
    vcpu->signals_held = 0;              /* those that wait are the parent's */
    robust_set(vcpu, vcpu->robust_list); /* the parent's, which it alone may name */
    vcpu->children_apart = false;
    if (how->clone->flags & CLONE_CLEAR_SIGHAND) {
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
/* Whether root and working folder shall be the parent's, too. Where other threads of it run, which
 * would open files while the child changes them, they are the child's own. */
static int shares_folders(const struct clone *how)
{
    return thread_several() ? 0 : (int)(how->flags & CLONE_FS);
}

static int64_t vfork_process(struct vcpu *vcpu, const struct clone *how)
{
    static const size_t stack_size = 256UL << 10;
    struct actions own, *actions;
    uint64_t limit = core_limit;
    struct cpu_state parent, child;
    struct vfork start = {vcpu, &child, how};
    struct vcpu thread;
    int64_t pid;
    void *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED) {
        return -ENOMEM;
    }
    child_state(vcpu, how, &child);
    cpu_save(vcpu, &parent);
    child.xsave = parent.xsave;
    signal_hold();
    actions = signal_actions_copy(&own); /* other threads of the parent run on, with theirs */
    freeze_away(vcpu, &parent);
    memcpy(&thread, vcpu, sizeof(thread));
    hooks.before_vfork();
    pid = clone(vfork_main, (char *)stack + stack_size,
                CLONE_VM | CLONE_VFORK | shares_folders(how) | (int)how->exit_signal, &start);
    if (pid < 0) {
        pid = -errno;
    }
    memcpy(vcpu, &thread, sizeof(thread));
    guest_mask_forget(vcpu);
    signal_waiting = 0;
    vcpu->run->immediate_exit = 0;
    signal_actions_use(actions);
    core_limit = limit;
    freeze_back(vcpu);
    hooks.after_vfork(vcpu);
    cpu_load(vcpu, &parent);
    stub_set_answers(vcpu);                             /* they were the child's */
    if (pid > 0 && how->flags & CLONE_CHILD_CLEARTID) { /* it has left this memory */
        thread_clear_tid(how->child_tid);
    }
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

static int64_t new_process(struct vcpu *vcpu, const struct clone *asked)
{
    struct clone own = *asked, *how = &own;
    int64_t pid = open_cgroup(how);
    int32_t tid, pidfd;

    if (pid < 0) {
        return pid;
    }
    pid = how->flags & CLONE_VM ? vfork_process(vcpu, how) : fork_process(vcpu, how);
    if (!pid) {
        return 0;
    }
    close_cgroup(how);
    if (pid < 0) {
        return pid;
    }
    tid = pid_map_shown((pid_t)pid);
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
                 "the program starts a process to trace it, which a VM does not allow: the leak "
                 "sanitizer does so at exit");
    }
}

static bool has(uint64_t flags, uint64_t all)
{
    return (flags & all) == all;
}

/* What copy_process() in the kernel says of flags that do not go together, and of a pidfd's place.
 */
static int64_t judge(const struct clone *how)
{
    int32_t pidfd;

    if (how->flags & ~FLAGS_KNOWN || has(how->flags, CLONE_NEWNS | CLONE_FS) ||
        has(how->flags, CLONE_NEWUSER | CLONE_FS) ||
        has(how->flags, CLONE_NEWIPC | CLONE_SYSVSEM) ||
        (how->flags & CLONE_THREAD && !(how->flags & CLONE_SIGHAND)) ||
        (how->flags & CLONE_SIGHAND && !(how->flags & CLONE_VM)) ||
        has(how->flags, CLONE_PIDFD | CLONE_DETACHED) ||
        (has(how->flags, CLONE_PIDFD | CLONE_PARENT_SETTID) && how->pidfd == how->parent_tid)) {
        return -EINVAL;
    }
    if (how->tls >= GUEST_TOP && how->flags & CLONE_SETTLS) {
        return -EPERM;
    }
    return how->flags & CLONE_PIDFD && (guest_read(&pidfd, how->pidfd, sizeof(pidfd)) < 0 ||
                                        guest_write(how->pidfd, &pidfd, sizeof(pidfd)) < 0)
               ? -EFAULT
               : 0;
}

int64_t process_clone(struct vcpu *vcpu, const struct clone *how)
{
    bool thread = how->flags & CLONE_THREAD;
    int64_t error = judge(how);

    if (error) {
        return error;
    }
    if (thread && (how->flags & (FLAGS_THREAD | FLAGS_SPACES)) != FLAGS_THREAD) {
        return -EINVAL; /* a thread that does not share all that threads share */
    }
    if (!thread && how->flags & CLONE_VM && !(how->flags & CLONE_VFORK)) {
        note_tracer(how->flags);
        return -EINVAL; /* two processes in one memory at the same time */
    }
    if (!room_for_one(vcpu, thread)) {
        return -EAGAIN;
    }
    return thread ? new_thread(vcpu, how) : new_process(vcpu, how);
}
