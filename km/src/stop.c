// SPDX-License-Identifier: Apache-2.0
/*
 * stop.c: bring all threads of the payload to a halt, for who looks at their registers: coredump.c
 * and gdb.c.
 *
 * A thread is held where it is about to enter the guest: its state is whole there, and it holds no
 * lock. A system call that it waits in is broken off, and made again when it goes on. The signal
 * that brings a thread there is SIGBUS, which the host never blocks (signal.c), with a value that
 * tells it from all others.
 */
#include "stop.h"

#include <asm/unistd.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct stoppable threads[VCPUS_MAX];
static unsigned limit;      /* no thread is at or above it */
static bool somebody_stops; /* between stop_all() and stop_release() */

void stop_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void stop_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

struct stoppable *stop_of(const struct vcpu *vcpu)
{
    return &threads[vcpu->id];
}

static struct stoppable *from(size_t id)
{
    for (; id < limit; id++) {
        if (threads[id].vcpu) {
            return &threads[id];
        }
    }
    return NULL;
}

struct stoppable *stop_first(void)
{
    return from(0);
}

struct stoppable *stop_next(const struct stoppable *thread)
{
    return from((size_t)(thread - threads) + 1);
}

/* ---- threads come, fork and go ---- */

void stop_enter(struct vcpu *vcpu, const struct vcpu *parent)
{
    stop_lock();
    threads[vcpu->id] = (struct stoppable){.vcpu = vcpu, .held = parent && stop_of(parent)->held};
    limit = vcpu->id < limit ? limit : vcpu->id + 1;
    stop_unlock();
}

void stop_set_tid(const struct vcpu *vcpu, pid_t tid)
{
    stop_lock();
    stop_of(vcpu)->tid = tid;
    stop_unlock();
}

void stop_leave(const struct vcpu *vcpu)
{
    stop_lock();
    *stop_of(vcpu) = (struct stoppable){0};
    (void)pthread_cond_broadcast(&changed);
    stop_unlock();
}

void stop_after_fork(struct vcpu *vcpu)
{
    (void)pthread_mutex_init(&lock, NULL);
    (void)pthread_cond_init(&changed, NULL);
    somebody_stops = false;
    for (struct stoppable *thread = stop_first(); thread; thread = stop_next(thread)) {
        *thread = (struct stoppable){0};
    }
    stop_enter(vcpu, NULL);
    stop_set_tid(vcpu, getpid());
}

void stop_away(const struct vcpu *vcpu, struct cpu_state *state)
{
    struct stoppable *thread = stop_of(vcpu);

    stop_lock();
    thread->away = state;
    thread->stopped = true;
    (void)pthread_cond_broadcast(&changed);
    stop_unlock();
}

void stop_back(const struct vcpu *vcpu)
{
    struct stoppable *thread = stop_of(vcpu);

    stop_lock();
    stop_point_locked(thread);
    thread->away = NULL;
    stop_unlock();
}

/* ---- a thread stands still ---- */

void stop_point_locked(struct stoppable *thread)
{
    thread->stopped = true;
    (void)pthread_cond_broadcast(&changed);
    while (thread->held) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    thread->stopped = false;
}

void stop_point(struct stoppable *thread)
{
    stop_lock();
    stop_point_locked(thread);
    stop_unlock();
}

bool stop_is_kick(const void *signal_info)
{
    const siginfo_t *info = signal_info;

    return info->si_signo == SIGBUS && info->si_code == SI_QUEUE && info->si_ptr == threads;
}

bool stop_is_wanted(const struct vcpu *vcpu)
{
    return stop_wanted(stop_of(vcpu));
}

/* ---- who stops them ---- */

static void kick(const struct stoppable *thread)
{
    siginfo_t info = {.si_signo = SIGBUS, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_ptr = threads;
    (void)syscall(__NR_rt_tgsigqueueinfo, getpid(), thread->tid, SIGBUS, &info);
}

/* The first thread but `self` that still runs, or NULL. */
static const struct stoppable *running(const struct stoppable *self)
{
    for (const struct stoppable *thread = stop_first(); thread; thread = stop_next(thread)) {
        if (thread != self && !thread->stopped) {
            return thread;
        }
    }
    return NULL;
}

void stop_all(struct stoppable *self)
{
    stop_lock();
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
    for (struct stoppable *thread = stop_first(); thread; thread = stop_next(thread)) {
        if (thread != self) {
            __atomic_store_n(&thread->held, true, __ATOMIC_RELEASE);
            if (thread->tid && !thread->stopped) {
                kick(thread);
            }
        }
    }
    while (running(self)) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    stop_unlock();
}

void stop_release(void)
{
    stop_lock();
    somebody_stops = false;
    (void)pthread_cond_broadcast(&changed);
    stop_unlock();
}

void stop_get_state(struct stoppable *thread, struct cpu_state *state)
{
    if (thread->away) {
        *state = *thread->away;
    } else {
        cpu_save(thread->vcpu, state);
    }
}

void stop_set_state(struct stoppable *thread, const struct cpu_state *state)
{
    if (thread->away) {
        *thread->away = *state;
    } else {
        cpu_load(thread->vcpu, state);
    }
}
