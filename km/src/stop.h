// SPDX-License-Identifier: Apache-2.0
/*
 * stop.h: the payload's threads as something that can be stopped and looked at.
 */
#ifndef KM_STOP_H
#define KM_STOP_H

#include "km.h"

#include <signal.h>

/* One for each vCPU. Read and written under stop_lock(), or by its own thread while it runs. */
struct stoppable {
    struct vcpu *vcpu;      /* NULL: no thread drives it */
    pid_t tid;              /* 0: it is about to start */
    bool held;              /* it must not enter the guest */
    bool stopped;           /* it stands still */
    struct cpu_state *away; /* where its state is while its vCPU is that of a vfork's child */
    struct gdb_thread *gdb; /* what gdb.c knows of it */
};

void stop_lock(void);
void stop_unlock(void);

/* The thread that drives `vcpu`, and all there are: the first, and the next one after; or NULL. */
struct stoppable *stop_of(const struct vcpu *vcpu);
struct stoppable *stop_first(void);
struct stoppable *stop_next(const struct stoppable *thread);

/* Whether this thread must call stop_point() before it enters the guest. */
static inline bool stop_wanted(const struct stoppable *thread)
{
    return __atomic_load_n(&thread->held, __ATOMIC_ACQUIRE);
}

/* Stand still until let go; the second form with stop_lock() held, which it gives up meanwhile. */
void stop_point(struct stoppable *thread);
void stop_point_locked(struct stoppable *thread);

/*
 * Stop all threads but `self`, which is the caller's or NULL. When somebody else does so already,
 * it comes first. On return nothing of the payload runs until stop_release(), which lets those go
 * whose `held` is false.
 */
void stop_all(struct stoppable *self);
void stop_release(void);

/* The state of a thread that stands still; set it. */
void stop_get_state(struct stoppable *thread, struct cpu_state *state);
void stop_set_state(struct stoppable *thread, const struct cpu_state *state);

#endif /* KM_STOP_H */
