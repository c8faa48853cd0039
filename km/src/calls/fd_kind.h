// SPDX-License-Identifier: Apache-2.0
/*
 * fd_kind.h: the kind of the file at a descriptor.
 */
#ifndef KM_FD_KIND_H
#define KM_FD_KIND_H

#include <stdbool.h>
#include <stdint.h>

struct file_facts;
struct stat;
struct vcpu;

enum fd_kind {
    IS_UNKNOWN,
    IS_AT_ONCE, /* a file or folder of a disk or of memory: nothing is awaited there that a signal
                   could end; none of a proc(5), nor a copy of one */
    IS_ENDLESS, /* a device of zeroes, random numbers or nothing */
    IS_PIPE,
    IS_OTHER,
};

/* The kind that is remembered of the payload's descriptor. */
enum fd_kind fd_kind(const struct vcpu *vcpu, uint64_t fd);

/* The kind by `st`, which the host says of it; never IS_UNKNOWN. */
enum fd_kind fd_kind_look(const struct vcpu *vcpu, uint64_t fd, const struct stat *st);

/* Whether it is a file or folder of a disk or of memory; so far as that is known without a
 * descriptor of it. */
bool fd_is_file(int fd, const struct stat *st);
bool file_is_at_once(const struct file_facts *facts);

#endif /* KM_FD_KIND_H */
