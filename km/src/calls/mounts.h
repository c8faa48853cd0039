// SPDX-License-Identifier: Apache-2.0
/*
 * mounts.h: mounts that are noexec only to keep programs in VMs.
 */
#ifndef KM_MOUNTS_H
#define KM_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct maps;
struct proc_file;
struct text;

/* struct statx of the kernel's uapi, whose older headers lack the mount. */
struct host_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, more[10];
    uint32_t of_major, of_minor, major, minor;
    uint64_t mount;
    uint64_t spare[13];
};

/* What statx(2) says of a file. */
struct file_facts {
    uint32_t uid, gid, mode;
    uint32_t disk;      /* the major number of the device it is on, 0 where that is none */
    uint64_t mount;     /* its ID in the host's kernel, 0 where that does not tell */
    bool is_mount_root; /* the file is where the mount begins */
};

/* `flags` are those of statx(2). 0, or -errno. */
int64_t file_look(uint64_t dirfd, uint64_t path, uint64_t flags, struct file_facts *facts);

/* Whether there is any; whether the mount with this ID is one. */
bool mounts_any(void);
bool mounts_hides(uint64_t id);

/* Write the text of a /proc/PID/mounts or mountinfo as it is without their noexec. */
void mounts_write(struct text *to, struct maps *text, const struct proc_file *what);

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
