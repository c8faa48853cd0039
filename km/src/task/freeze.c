// SPDX-License-Identifier: Apache-2.0
/*
 * freeze.c: stop all threads of the payload while coredump.c or gdb.c reads their registers.
 *
 * A thread is held where it is about to enter the guest: its state is whole there, and it holds no
 * lock. A system call that it waits in is broken off, and made again when it resumes. The signal
 * that brings a thread there is SIGBUS, or SIGSEGV while the host blocks that (held.c), with a
 * value that tells it from all others.
 */
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct freezable threads[VCPUS_MAX];
static unsigned limit;      /* no thread is at or above it */
static bool somebody_stops; /* between freeze_all() and freeze_release() */

void freeze_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void freeze_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

struct freezable *freeze_of(const struct vcpu *vcpu)
{
    return &threads[vcpu->id];
}

static struct freezable *from(size_t id)
{
    for (; id < limit; id++) {
        if (threads[id].vcpu) {
            return &threads[id];
        }
    }
    return NULL;
}

struct freezable *freeze_first(void)
{
    return from(0);
}

struct freezable *freeze_next(const struct freezable *thread)
{
    return from((size_t)(thread - threads) + 1);
}

/* ---- threads come, fork and go ---- */

void freeze_enter(struct vcpu *vcpu, const struct vcpu *parent)
{
    freeze_lock();
    threads[vcpu->id] = (struct freezable){.vcpu = vcpu, .held = parent && freeze_of(parent)->held};
    limit = vcpu->id < limit ? limit : vcpu->id + 1;
    freeze_unlock();
}

void freeze_set_tid(const struct vcpu *vcpu, pid_t tid)
{
    freeze_lock();
    freeze_of(vcpu)->tid = tid;
    freeze_unlock();
}

void freeze_leave(const struct vcpu *vcpu)
{
    freeze_lock();
    *freeze_of(vcpu) = (struct freezable){0};
    (void)pthread_cond_broadcast(&changed);
    freeze_unlock();
}

void freeze_after_fork(struct vcpu *vcpu)
{
    (void)pthread_mutex_init(&lock, NULL);
    (void)pthread_cond_init(&changed, NULL);
    somebody_stops = false;
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        *thread = (struct freezable){0};
    }
    freeze_enter(vcpu, NULL);
    freeze_set_tid(vcpu, getpid());
}

void freeze_away(const struct vcpu *vcpu, struct cpu_state *state)
{
    struct freezable *thread = freeze_of(vcpu);

    freeze_lock();
    thread->away = state;
    thread->stopped = true;
    (void)pthread_cond_broadcast(&changed);
    freeze_unlock();
}

void freeze_back(const struct vcpu *vcpu)
{
    struct freezable *thread = freeze_of(vcpu);

    freeze_lock();
    freeze_point_locked(thread);
    thread->away = NULL;
    freeze_unlock();
}

void freeze_executes(const struct vcpu *vcpu, bool executes)
{
    freeze_lock();
    freeze_of(vcpu)->executes = executes;
    freeze_unlock();
    (void)syscall(__NR_gettid); /* what was sent before comes at the end of a call */
}

/* ---- a thread stands still ---- */

void freeze_point_locked(struct freezable *thread)
{
    thread->stopped = true;
    (void)pthread_cond_broadcast(&changed);
    while (thread->held) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    thread->stopped = false;
}

void freeze_point(struct freezable *thread)
{
    freeze_lock();
    freeze_point_locked(thread);
    freeze_unlock();
}

bool freeze_is_kick(const void *signal_info)
{
    const siginfo_t *info = signal_info;

    return info->si_code == SI_QUEUE && info->si_ptr == threads;
}

bool freeze_is_wanted(const struct vcpu *vcpu)
{
    return freeze_wanted(freeze_of(vcpu));
}

/* ---- who stops them ---- */

static void kick(const struct freezable *thread)
{
    uint64_t lent = __atomic_load_n(&thread->vcpu->signals_lent, __ATOMIC_SEQ_CST);
    int signo = lent & SIGNAL_BIT(SIGBUS) ? SIGSEGV : SIGBUS;
    siginfo_t info = {.si_signo = signo, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_ptr = threads;
    (void)syscall(__NR_rt_tgsigqueueinfo, getpid(), thread->tid, signo, &info);
}

/* The first thread but `self` that still runs, or NULL. */
static const struct freezable *running(const struct freezable *self)
{
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        if (thread != self && !thread->stopped) {
            return thread;
        }
    }
    return NULL;
}

void freeze_all(struct freezable *self)
{
    freeze_lock();
    while (somebody_stops) {
        if (self) {
            self->stopped = true;
            (void)pthread_cond_broadcast(&changed);
        }
        (void)pthread_cond_wait(&changed, &lock);
    }
    somebody_stops = true;
    if (self) {
        self->stopped = false;
    }
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        thread->was_held = thread->held;
        if (thread != self) {
            __atomic_store_n(&thread->held, true, __ATOMIC_RELEASE);
            if (thread->tid && !thread->stopped && !thread->executes) { /* it ends, or comes */
                kick(thread);
            }
        }
    }
    while (running(self)) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    freeze_unlock();
}

void freeze_thaw(void)
{
    freeze_lock();
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        __atomic_store_n(&thread->held, thread->was_held, __ATOMIC_RELEASE);
    }
    freeze_unlock();
    freeze_release();
}

void freeze_release(void)
{
    freeze_lock();
    somebody_stops = false;
    (void)pthread_cond_broadcast(&changed);
    freeze_unlock();
}

void freeze_get_state(struct freezable *thread, struct cpu_state *state)
{
    if (thread->away) {
        *state = *thread->away;
    } else {
        cpu_save(thread->vcpu, state);
    }
}

void freeze_set_state(struct freezable *thread, const struct cpu_state *state)
{
    if (thread->away) {
        *thread->away = *state;
    } else {
        cpu_load(thread->vcpu, state);
    }
}
