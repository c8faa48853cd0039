// SPDX-License-Identifier: Apache-2.0
/*
 * mounts.h: the mounts that are noexec only to keep an image's programs from running outside a VM,
 * and what a file on them may be.
 */
#ifndef KM_MOUNTS_H
#define KM_MOUNTS_H

#include "km.h"

struct maps;
struct proc_file;

/* What statx(2) says of a file. */
struct file_facts {
    uint32_t uid, gid, mode;
    uint64_t mount;     /* its ID in the host's kernel, 0 where that does not tell */
    bool is_mount_root; /* the file is where the mount begins */
};

/* `flags` are those of statx(2). 0, or -errno. */
int64_t file_look(uint64_t dirfd, uint64_t path, uint64_t flags, struct file_facts *facts);

/* --hide-noexec: the mount at `path` is one of these. Of a path where none begins nothing is kept.
 */
void mounts_hide(const char *path);

/* The word of the command line by which the next program's monitor knows them, or NULL; its value.
 */
const char *mounts_carry(void);
void mounts_take(const char *ids);

/* Whether there is any; whether the mount with this ID is one. */
bool mounts_any(void);
bool mounts_hides(uint64_t id);

/*
 * Around a call by which this process, or the child that it makes, gets a namespace of mounts,
 * which have other IDs there. What the first returns may be NULL; each of the others frees it.
 */
struct mounts_seen;
struct mounts_seen *mounts_before_copy(void);
void mounts_after_copy(struct mounts_seen *seen);
void mounts_forget(struct mounts_seen *seen);

/* Write the text of a /proc/PID/mounts or mountinfo as it is without their noexec. */
void mounts_write(FILE *to, struct maps *text, const struct proc_file *what);

/*
 * Let `fd`, if it holds such a text, be the host's file itself, which can be waited at for a change
 * of the mounts. False where it does not.
 */
bool mounts_unwrite(int fd);

/* Whether the file is on a mount that is noexec by the container's own wish. */
bool mounts_refuse(int fd);

/*
 * What access(2) answers for a file that the host refuses to execute for one of these mounts: 0, or
 * -errno. `flags` are those of faccessat2(2).
 */
int64_t access_without_noexec(uint64_t dirfd, uint64_t path, uint64_t mode, uint64_t flags);

#endif /* KM_MOUNTS_H */
