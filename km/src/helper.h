// SPDX-License-Identifier: Apache-2.0
/*
 * helper.h: the thread that makes system calls while the guest waits.
 */
#ifndef KM_HELPER_H
#define KM_HELPER_H

#include "base.h"

struct vcpu;

/* ---- helper.c ---- */

#define HELPER_NAME "km-helper" /* its comm */

/* Around KVM_RUN: the helper may, and must not, serve this vCPU. */
void helper_let(struct vcpu *vcpu);
void helper_hold(struct vcpu *vcpu);

/*
 * Whether the helper has made the call that the vCPU left its stub for, or was interrupted in: its
 * result. The helper forgets it. `taken`: the guest has the result already.
 */
bool helper_has_made(const struct vcpu *vcpu, bool taken, int64_t *result);

/* The vCPU left the guest for this call, which then costs most: see whether a helper would pay. */
void helper_count(struct vcpu *vcpu, uint64_t number);

/* It must be gone: there will be other threads, or this one changes what it took over from it. */
void helper_end(const struct vcpu *vcpu);

/* In the child of fork(): it stayed with the parent. */
void helper_after_fork(void);

/* A signal that came to the helper instead of the payload's thread goes there. Whether it did. */
bool helper_passes_on(int signo, const void *info);

/* ---- helper_call.c ---- */

/* Whether the helper may make this call; make it. False when the payload's thread must. */
bool helper_may_make(uint64_t number);
bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result);

/* ---- cpus.c ---- */

/* How many CPUs the process can use at the same time: by its affinity and its cgroups' quota. */
unsigned cpus_usable(void);

#endif /* KM_HELPER_H */
