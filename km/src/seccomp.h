// SPDX-License-Identifier: Apache-2.0
/*
 * seccomp.h: the filters that a payload's thread has put on its own system calls; seccomp(2). They
 * are the payload's alone: the host's kernel has the monitor's filter, lock.c.
 */
#ifndef KM_SECCOMP_H
#define KM_SECCOMP_H

#include "km.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

/* Never changed once a thread has it. */
struct filter {
    struct filter *older;
    unsigned users; /* threads and newer filters; under stop_lock() */
    unsigned short count;
    struct sock_filter code[];
};

/* A filter with room for so many instructions, in pages of its own, or NULL; and its end. */
struct filter *filter_alloc(unsigned short count);
void filter_free(struct filter *filter);

/* One user less, under stop_lock(): the last one takes it along. */
void filter_drop(struct filter *filter);

/* Give a thread these in place of what it has, or one more. Under stop_lock(). */
void seccomp_give(struct vcpu *vcpu, struct filter *filters, unsigned mode);
void seccomp_add(struct vcpu *vcpu, struct filter *filter);

/*
 * Judge a call of the payload whose next instruction is at `next`. False when it is not made: the
 * registers are what they are to be after it, a handler's first instruction among it.
 */
bool seccomp_allows(struct vcpu *vcpu, uint64_t next, uint64_t number, const uint64_t *args);

/* prctl(PR_SET_SECCOMP, mode, filter): 0, or -errno. */
int64_t seccomp_set(struct vcpu *vcpu, uint64_t mode, uint64_t filter);

/* Whether the thread has none; how many filters it has. */
static inline bool seccomp_is_off(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->seccomp.mode, __ATOMIC_SEQ_CST) == 0;
}
unsigned seccomp_count(const struct vcpu *vcpu);

/* A thread begins, with what `parent` has, once stop_enter() knows it; it has ended. */
void seccomp_inherit(struct vcpu *vcpu, const struct vcpu *parent);
void seccomp_release(struct vcpu *vcpu);

/* The child of a vfork has given the vCPU back, which has again what it had before. */
void seccomp_after_vfork(struct vcpu *vcpu);

/* Let the thread's pin be a file of what it has, that nobody can change; read one, and close it. */
bool seccomp_save(struct vcpu *vcpu);
void seccomp_load(struct vcpu *vcpu, int fd);

/* The thread, the first one, has the container's own filter, in hexadecimal. Ends km if it is none.
 */
void seccomp_parse(struct vcpu *vcpu, const char *text);

/* How many filters the payload finds that a process has, of which the host says `host`; `vcpu` is
 * the process's own, or NULL for another one that km runs. */
unsigned seccomp_shown(const struct vcpu *vcpu, unsigned host);

#endif /* KM_SECCOMP_H */
