// SPDX-License-Identifier: Apache-2.0
/*
 * opening.h: how a file is opened.
 */
#ifndef KM_OPENING_H
#define KM_OPENING_H

#include <stdint.h>

struct vcpu;

/* The monitor's own descriptor of that folder, or -1. */
int opening_root(void);

/* Threads will have roots and working folders of their own; the root will be another. */
void opening_part(void);
void opening_leaves_root(void);

/* The folders that this part holds become that of `fd`. */
void opening_follow_root(int fd);

/* What open(2) knows; openat2(2) refuses others. */
#define OPEN_LARGE 0100000UL /* O_LARGEFILE, which open(2) always has */
#define OPEN_ACCESS 3UL      /* to read, to write: musl's O_ACCMODE has O_PATH in it */
#define OPEN_FLAGS                                                                                 \
    ((uint64_t)O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |         \
     O_SYNC | O_ASYNC | O_DIRECT | OPEN_LARGE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
     O_PATH | O_TMPFILE)

/* As openat(2) and openat2(2), but for what proc_judge() refuses. */
int64_t open_at(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags, uint64_t mode);
int64_t open_at2(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, const uint64_t how[3]);

#endif /* KM_OPENING_H */
