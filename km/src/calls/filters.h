// SPDX-License-Identifier: Apache-2.0
/*
 * filters.h: the filters that a payload's thread has put on its own calls.
 */
#ifndef KM_FILTERS_H
#define KM_FILTERS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vcpu;

/* ---- calls/filters.c, sys_seccomp.c: the filters that a payload's thread has put on its own calls
 * ---- */

/* Never changed once a thread has it. */
struct filter {
    struct filter *older;
    unsigned users; /* threads and newer filters; under freeze_lock() */
    unsigned short count;
    struct sock_filter code[];
};

/* A filter with room for so many instructions, in pages of its own, or NULL; and its end. */
struct filter *filter_alloc(unsigned short count);
void filter_free(struct filter *filter);

/* One user less, under freeze_lock(): the last one takes it along. */
void filter_drop(struct filter *filter);

/* Give a thread these in place of what it has, or one more. Under freeze_lock(). */
void seccomp_give(struct vcpu *vcpu, struct filter *filters, unsigned mode);
void seccomp_add(struct vcpu *vcpu, struct filter *filter);

/* prctl(PR_SET_SECCOMP, mode, filter): 0, or -errno. */
int64_t seccomp_set(struct vcpu *vcpu, uint64_t mode, uint64_t filter);

/* How many filters it has. */
unsigned seccomp_count(const struct vcpu *vcpu);

/* How many filters the payload finds that a process has, of which the host says `host`; `vcpu` is
 * the process's own, or NULL for another one that km runs. */
unsigned seccomp_shown(const struct vcpu *vcpu, unsigned host);

/* ---- bpf.c: programs of classic BPF as seccomp(2) takes them ---- */

/*
 * Whether a program of 1 to BPF_MAXINSNS instructions is one that seccomp takes: it ends, reads no
 * word of its memory that it has not written, and nothing but `struct seccomp_data`.
 */
bool bpf_check(const struct sock_filter *code, size_t count);

/* What such a program returns. */
uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data);

#endif /* KM_FILTERS_H */
