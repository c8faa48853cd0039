// SPDX-License-Identifier: Apache-2.0
/*
 * helper.h: the thread that makes calls next to the payload's.
 */
#ifndef KM_HELPER_H
#define KM_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;
struct vcpu;

/* ---- helper.c ---- */

#define HELPER_NAME "km-helper" /* its comm */

/* Whether this is its thread, which for the payload is not there. */
bool helper_is(pid_t tid);

/* ---- helper_call.c ---- */

/* Whether the helper may make this call, as far as its number says, and as far as these arguments
 * do; make it. False when the payload's thread must. */
bool helper_may_make(uint64_t number);
bool helper_may_make_so(uint64_t number, const uint64_t *args);
bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result);

/* ---- helper_wait.c ---- */

/* Make a call of a descriptor that may wait, `st` as fstat() says, if the host does all of it at
 * once: whether it did. `args` are lost. */
bool waiting_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, const struct stat *st,
                  int64_t *result);

/* Likewise, of the calls that wait for descriptors: whether it is one, and whether any is ready. */
bool waiting_polls(uint32_t number);
bool waiting_poll(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result);

/* ---- helper_own.c ---- */

/* Whether the answer to a call depends on which thread makes it, or a signal to that could end it.
 */
bool own_asks(const struct vcpu *vcpu, uint32_t number, const uint64_t *args);

/* Likewise, of a call that has been answered without an error: a link has led it into a proc(5). */
bool own_answers(uint32_t number, const uint64_t *args);

/* Take the signals that a call of the helper's has raised: the payload's thread gets them, unless
 * it makes the call again. */
void own_signals(const struct vcpu *vcpu, bool is_made);

#endif /* KM_HELPER_H */
