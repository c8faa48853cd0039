// SPDX-License-Identifier: Apache-2.0
/*
 * sys_clone.c: the system calls that make and end processes and threads, and part them.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/opening.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Where limits leave no room, the helper makes some: natively it would not be there. */
static int64_t clone_with_room(struct vcpu *vcpu, const struct clone *how)
{
    int64_t result = process_clone(vcpu, how);

    if (result != -EAGAIN) {
        return result;
    }
    helper_end(vcpu);
    return process_clone(vcpu, how);
}

/* pid_t fork(void) */
HANDLER(fork)
{
    (void)args;
    return clone_with_room(vcpu, &(struct clone){.exit_signal = SIGCHLD});
}

/* pid_t vfork(void) */
HANDLER(vfork)
{
    (void)args;
    return clone_with_room(
        vcpu, &(struct clone){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
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

    if (args[0] & CLONE_PIDFD && args[0] & CLONE_PARENT_SETTID) {
        return -EINVAL; /* one pointer for both */
    }
    return clone_with_room(vcpu, &how);
}

#define CLONE3_LEAST 64    /* CLONE_ARGS_SIZE_VER0 */
#define SET_TID_MAX 32     /* MAX_PID_NS_LEVEL */
#define CLONE3_SIGNAL 0x7f /* CSIGNAL without CLONE_NEWTIME, which is the bit above */
#define INTO_CGROUP CLONE_INTO_CGROUP

/* What the kernel says of the structure itself: copy_clone_args_from_user, clone3_args_valid. */
static int64_t judge_clone3(const struct clone *how, uint64_t size)
{
    uint64_t known = UINT32_MAX | CLONE_CLEAR_SIGHAND | INTO_CGROUP;
    uint64_t both = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;

    return how->set_tid_size > SET_TID_MAX || !how->set_tid != !how->set_tid_size ||
                   how->exit_signal > SIGNAL_MAX ||
                   (how->flags & INTO_CGROUP && (how->cgroup > INT_MAX || size < sizeof(*how))) ||
                   how->flags & ~known || how->flags & (CLONE_DETACHED | CLONE3_SIGNAL) ||
                   (how->flags & both) == both ||
                   (how->flags & (CLONE_THREAD | CLONE_PARENT) && how->exit_signal) ||
                   !how->stack != !how->stack_size ||
                   (how->stack && !guest_ok(how->stack, how->stack_size))
               ? -EINVAL
               : 0;
}

/* long clone3(struct clone_args *args, size_t size) */
HANDLER(clone3)
{
    struct clone how = {0};
    uint64_t size = args[1] < sizeof(how) ? args[1] : sizeof(how);
    int64_t error;
    uint8_t more;

    if (args[1] < CLONE3_LEAST || args[1] > PAGE_SIZE) {
        return args[1] < CLONE3_LEAST ? -EINVAL : -E2BIG;
    }
    if (guest_read(&how, args[0], size) < 0) {
        return -EFAULT;
    }
    for (uint64_t i = size; i < args[1]; i++) {
        if (guest_read(&more, args[0] + i, 1) < 0) {
            return -EFAULT;
        }
        if (more) {
            return -E2BIG;
        }
    }
    error = judge_clone3(&how, args[1]);
    if (error) {
        return error;
    }
    return how.set_tid_size ? -EPERM : clone_with_room(vcpu, &how);
}

/* What unshare(2) knows. */
#define UNSHARED                                                                                   \
    (CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |              \
     CLONE_SYSVSEM | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWPID |   \
     CLONE_NEWCGROUP | CLONE_NEWTIME)
#define PART_TRIES 50
#define PART_PAUSE_NS 1000000L

/*
 * The host's thread of a payload's that has ended, for whoever waits for it, goes a moment later;
 * till then the host refuses a namespace of users.
 */
static int64_t part(const uint64_t *args)
{
    static const struct timespec pause = {0, PART_PAUSE_NS};
    int64_t error = host_syscall(__NR_unshare, args);

    for (int i = 0; i < PART_TRIES && error == -EINVAL && args[0] & CLONE_NEWUSER &&
                    !(args[0] & ~(uint64_t)UNSHARED);
         i++) {
        (void)nanosleep(&pause, NULL);
        error = host_syscall(__NR_unshare, args);
    }
    return error;
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
    error = part(without);
    if (error) {
        mounts_forget(mounts);
    } else {
        mounts_after_copy(mounts);
        vcpu->children_apart |= (args[0] & CLONE_NEWPID) != 0;
    }
    return error;
}

/* void exit(int status): of this thread */
HANDLER(exit)
{
    hooks.call_ends_caller(vcpu, __NR_exit, args);
    if (vcpu->vforked) {
        hooks.exits(vcpu, (int)args[0], true);
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
 * alone robust.c does it: a hostile list must not lead the kernel into a monitor that lives on. Nor
 * must that of a vfork's child, in its parent's memory: it is kept, but nobody walks it. What holds
 * the numbers of a resumed program says nothing to the kernel.
 */
HANDLER(set_robust_list)
{
    if (args[1] != 24) {
        return -EINVAL;
    }
    robust_set(vcpu, args[0]); /* any address: who walks there finds out */
    return guest_ok(args[0], 24) && !vcpu->vforked && !pid_map_translated()
               ? host_syscall(__NR_set_robust_list, args)
               : 0;
}

/* Let *list be that of thread `tid`, where it is one of this process: 0 or -errno. */
static int64_t find_robust_list(const struct vcpu *vcpu, pid_t tid, uint64_t *list)
{
    int64_t error = getpgid(tid) < 0 ? -ESRCH : -EPERM;

    if (!tid || tid == (pid_t)syscall(__NR_gettid)) {
        *list = robust_of(vcpu);
        return 0;
    }
    freeze_lock();
    for (struct freezable *thread = freeze_first(); thread && !vcpu->vforked;
         thread = freeze_next(thread)) {
        if (thread->tid == tid) {
            *list = robust_of(thread->vcpu);
            error = 0;
        }
    }
    freeze_unlock();
    return error;
}

/* long get_robust_list(int pid, struct robust_list_head **head, size_t *len): of this process */
HANDLER(get_robust_list)
{
    uint64_t list, size = 24;
    int64_t error = find_robust_list(vcpu, (pid_t)args[0], &list);

    if (error < 0) {
        return error;
    }
    return guest_write(args[2], &size, sizeof(size)) < 0 ||
                   guest_write(args[1], &list, sizeof(list)) < 0
               ? -EFAULT
               : 0;
}
