// SPDX-License-Identifier: Apache-2.0
/*
 * thread.c: the payload's threads: each a thread of the host, with its tid, that drives a vCPU.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"
#include "top.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_SIZE (256UL << 10) /* of the monitor, a thread; the lowest page is a guard */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned count = 1;
static _Thread_local bool is_first = true; /* the thread that the host gave the process */

/* What a new thread takes over from the one that makes it, which waits meanwhile. */
struct start {
    struct vcpu *vcpu;
    const struct cpu_state *state;
    uint64_t flags, parent_tid, child_tid, mask, robust_next;
    bool tsc_forbidden;
    void *(*main)(void *);
    int64_t tid;
    uint32_t filled, ready; /* futexes, enum ready: *state is whole; the new thread has it */
};

enum ready { READY_NOT, READY_WAITED, READY_YES };

/* A new thread takes some 20 us to begin, and as long to be ready: as long as it takes to sleep and
 * to be woken up. */
#define READY_SPINS 2000

void thread_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void thread_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

bool thread_several(void)
{
    return __atomic_load_n(&count, __ATOMIC_RELAXED) > 1;
}

void thread_after_fork(void)
{
    count = 1;
    is_first = true;
}

/* When it is the new thread that says so, `start` is the other's again. */
static void is_ready(uint32_t *ready)
{
    if (__atomic_exchange_n(ready, READY_YES, __ATOMIC_ACQ_REL) == READY_WAITED) {
        (void)syscall(__NR_futex, ready, FUTEX_WAKE_PRIVATE, 1);
    }
}

/* Whether another thread can run meanwhile. */
static bool can_spin(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

static void wait_ready(uint32_t *ready)
{
    uint32_t not = READY_NOT;

    for (unsigned i = can_spin() ? READY_SPINS : 0; i; i--) {
        if (__atomic_load_n(ready, __ATOMIC_ACQUIRE) == READY_YES) {
            return;
        }
        __builtin_ia32_pause();
    }
    (void)__atomic_compare_exchange_n(ready, &not, READY_WAITED, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE);
    while (__atomic_load_n(ready, __ATOMIC_ACQUIRE) != READY_YES) {
        (void)syscall(__NR_futex, ready, FUTEX_WAIT_PRIVATE, READY_WAITED, NULL);
    }
}

static void *thread_main(void *argument)
{
    struct start *start = argument;
    struct vcpu *vcpu = start->vcpu;
    int32_t tid = (int32_t)syscall(__NR_gettid), shown = pid_map_shown(tid);

    is_first = false;
    vcpu->children_apart = false;
    vcpu->clear_tid = start->flags & CLONE_CHILD_CLEARTID ? start->child_tid : 0;
    robust_begin(vcpu, start->robust_next);
    if (start->flags & CLONE_CHILD_SETTID) {
        (void)guest_write(start->child_tid, &shown, sizeof(shown));
    }
    if (start->flags & CLONE_PARENT_SETTID) {
        (void)guest_write(start->parent_tid, &shown, sizeof(shown));
    }
    wait_ready(&start->filled);
    cpu_load(vcpu, start->state);
    if (vcpu->tsc_forbidden != start->tsc_forbidden) {
        cpu_forbid_tsc(vcpu, start->tsc_forbidden);
    }
    start->tid = tid;
    uint64_t mask = start->mask;
    is_ready(&start->ready);
    signal_init_thread(vcpu, mask);
    vcpu_run(vcpu);
}

/* Held while a snapshot's threads are made: none runs before all are there. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static bool gate_is_held;

static void *resumed_main(void *argument)
{
    struct start *start = argument;
    struct vcpu *vcpu = start->vcpu;

    is_first = false;
    cpu_load(vcpu, start->state);
    start->tid = syscall(__NR_gettid);
    signal_init_thread(vcpu, start->mask);
    is_ready(&start->ready);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    vcpu_run(vcpu);
}

void threads_go(void)
{
    if (gate_is_held) {
        gate_is_held = false;
        (void)pthread_mutex_unlock(&gate);
    }
}

/* Once: it is locked then, and a forked process finds it in its copy of the memory. */
static bool make_stack(struct vcpu *vcpu, uint64_t stack)
{
    if (!vcpu->has_stack &&
        mmap((void *)stack, STACK_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED &&
        mprotect((void *)stack, PAGE_SIZE, PROT_NONE) == 0) {
        seal_memory(stack, STACK_SIZE);
        vcpu->has_stack = true;
    }
    return vcpu->has_stack;
}

/* The host's thread that drove this vCPU before must be gone: its stack is used again. */
static int create(struct start *start)
{
    struct vcpu *vcpu = start->vcpu;
    uint64_t stack = places.stacks + vcpu->id * STACK_SIZE;
    pthread_attr_t attr;
    int error;

    if (vcpu->host_thread) {
        (void)pthread_join((pthread_t)vcpu->host_thread, NULL);
        vcpu->host_thread = NULL;
    } else if (!make_stack(vcpu, stack)) {
        return EAGAIN;
    }
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstack(&attr, (void *)(stack + PAGE_SIZE), STACK_SIZE - PAGE_SIZE);
    error = pthread_create((pthread_t *)&vcpu->host_thread, &attr, start->main, start);
    (void)pthread_attr_destroy(&attr);
    if (error) {
        vcpu->host_thread = NULL;
    }
    return error;
}

/* The new thread's tid, or -EAGAIN. What `fpu` lacks yet is saved while the thread begins. */
static int64_t start_thread(struct vcpu *parent, struct start *start, struct cpu_state *fpu)
{
    int error = EAGAIN;

    hooks.before_thread(parent);
    signal_before_threads();
    signal_hold();
    thread_lock();
    mm_lock(); /* a new vCPU takes system memory, as new page tables do */
    start->vcpu = vcpu_acquire(parent->vm);
    mm_unlock();
    if (start->vcpu) {
        __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
        freeze_enter(start->vcpu, parent);
        hooks.thread_begins(start->vcpu, parent);
        error = create(start);
        if (error) {
            __atomic_fetch_sub(&count, 1, __ATOMIC_RELAXED);
            freeze_leave(start->vcpu);
            hooks.thread_fails(start->vcpu);
            vcpu_release(start->vcpu);
        }
    }
    thread_unlock();
    if (!error && fpu) {
        cpu_save_fpu(parent, fpu);
        is_ready(&start->filled);
    }
    if (!error) {
        wait_ready(&start->ready);
    }
    signal_release(parent);
    return error ? -EAGAIN : start->tid;
}

int64_t thread_start(struct vcpu *parent, uint64_t flags, struct cpu_state *state,
                     uint64_t parent_tid, uint64_t child_tid)
{
    struct start start = {
        .flags = flags,
        .state = state,
        .parent_tid = parent_tid,
        .child_tid = child_tid,
        .mask = parent->signal_mask,
        .robust_next = robust_expected(parent, state->fs_base),
        .tsc_forbidden = parent->tsc_forbidden,
        .main = thread_main,
    };

    return start_thread(parent, &start, state);
}

int64_t thread_resume(struct vcpu *first, const struct cpu_state *state, uint64_t mask,
                      struct vcpu **made)
{
    struct start start = {.state = state, .mask = mask, .main = resumed_main};
    int64_t tid;

    if (!gate_is_held) {
        gate_is_held = true;
        (void)pthread_mutex_lock(&gate);
    }
    tid = start_thread(first, &start, NULL);
    *made = start.vcpu;
    return tid;
}

/* ---- the end of a thread ---- */

void thread_wake(uint64_t addr)
{
    (void)syscall(__NR_futex, addr, FUTEX_WAKE, 1); /* also when a signal waits */
}

void thread_clear_tid(uint64_t addr)
{
    const int32_t zero = 0;

    if (addr && guest_write(addr, &zero, sizeof(zero)) == 0) {
        thread_wake(addr);
    }
}

_Noreturn void thread_end(struct vcpu *vcpu, int status)
{
    bool last;

    signal_hold();
    robust_end(vcpu);
    thread_clear_tid(vcpu->clear_tid);
    last = __atomic_sub_fetch(&count, 1, __ATOMIC_ACQ_REL) == 0;
    if (status < 0) {
        status = -status;
        if (last) {
            signal_die(status);
        }
    }
    hooks.exits(vcpu, status, last);
    freeze_leave(vcpu);
    hooks.thread_ended(vcpu);
    if (last) { /* KVM may have a thread of its own in this process, which would stay */
        _exit(status);
    }
    if (is_first) {
        hooks.first_thread_ends();
        for (;;) {
            (void)syscall(__NR_exit, status);
        }
    }
    thread_lock();
    vcpu_release(vcpu);
    thread_unlock();
    pthread_exit(NULL);
}
