// SPDX-License-Identifier: Apache-2.0
/*
 * bpf.h: programs of classic BPF as seccomp(2) takes them.
 */
#ifndef KM_BPF_H
#define KM_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether a program of 1 to BPF_MAXINSNS instructions is one that seccomp takes: it ends, reads no
 * word of its memory that it has not written, and nothing but `struct seccomp_data`.
 */
bool bpf_check(const struct sock_filter *code, size_t count);

/* What such a program returns. */
uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data);

#endif /* KM_BPF_H */
