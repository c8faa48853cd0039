// SPDX-License-Identifier: Apache-2.0
/*
 * mounts.c: the mounts that are noexec only to keep an image's programs from running outside a VM.
 *
 * krun names them (--hide-noexec), for only it knows which of a container's mounts are noexec by
 * the container's own wish. km keeps the kernel's ID of each: it stays whatever the payload
 * does to its root, and no payload can mount. A namespace of mounts that the payload makes is a
 * copy in the same order, with IDs that no other namespace has, so that both may be in the list.
 */
#include "calls/mounts.h"
#include "base/base.h"
#include "calls/calls.h"
#include "calls/proc.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define HIDDEN_MAX 1024

static uint64_t hidden[HIDDEN_MAX];
static size_t hidden_count; /* threads add, and look, at any time */

static void hide(uint64_t id)
{
    size_t at;

    if (!id || mounts_hides(id)) {
        return;
    }
    at = __atomic_fetch_add(&hidden_count, 1, __ATOMIC_RELAXED);
    if (at < HIDDEN_MAX) {
        __atomic_store_n(&hidden[at], id, __ATOMIC_RELEASE);
    }
}

static size_t count(void)
{
    size_t all = __atomic_load_n(&hidden_count, __ATOMIC_RELAXED);

    return all < HIDDEN_MAX ? all : HIDDEN_MAX;
}

bool mounts_any(void)
{
    return count();
}

bool mounts_hides(uint64_t id)
{
    for (size_t i = 0; i < count(); i++) {
        if (id && __atomic_load_n(&hidden[i], __ATOMIC_ACQUIRE) == id) {
            return true;
        }
    }
    return false;
}

/* ---- what a file is on ---- */

#define STATX_BASIC 0x7ffU
#define STATX_MOUNT 0x1000U        /* STATX_MNT_ID, since Linux 5.8 */
#define STATX_IS_MOUNT_ROOT 0x2000 /* STATX_ATTR_MOUNT_ROOT, likewise */

int64_t file_look(uint64_t dirfd, uint64_t path, uint64_t flags, struct file_facts *facts)
{
    struct host_statx found = {0};
    int64_t error = host_syscall(
        __NR_statx, (uint64_t[6]){dirfd, path, flags, STATX_BASIC | STATX_MOUNT, (uint64_t)&found});

    *facts = (struct file_facts){
        .uid = found.uid,
        .gid = found.gid,
        .mode = found.mode,
        .disk = found.major,
        .mount = found.mask & STATX_MOUNT ? found.mount : 0,
        .is_mount_root = found.attributes & STATX_IS_MOUNT_ROOT,
    };
    return error;
}

bool mounts_refuse(int fd)
{
    struct file_facts facts;
    struct statvfs fs;

    return mounts_any() && fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_NOEXEC &&
           file_look((uint64_t)fd, (uint64_t)"", AT_EMPTY_PATH, &facts) == 0 &&
           !mounts_hides(facts.mount);
}

/* ---- the command line ---- */

void mounts_hide(const char *path)
{
    struct file_facts facts;

    if (file_look((uint64_t)AT_FDCWD, (uint64_t)path, AT_SYMLINK_NOFOLLOW, &facts) == 0 &&
        facts.is_mount_root) {
        hide(facts.mount);
    }
}

static const char carried[] = "--hidden-mounts=";

const char *mounts_carry(void)
{
    static char word[sizeof(carried) + 21UL * HIDDEN_MAX]; /* of its digits and a comma */
    char *to = word;

    if (!mounts_any()) {
        return NULL;
    }
    to += sprintf(to, "%s", carried);
    for (size_t i = 0; i < count(); i++) {
        to += sprintf(to, "%lu,", hidden[i]);
    }
    return word;
}

void mounts_take(const char *ids)
{
    char *end;

    for (; *ids; ids = *end ? end + 1 : end) {
        hide(strtoul(ids, &end, 10));
    }
}

/* ---- copies ---- */

/* The IDs of the mounts that a process sees, in their order; that of its root, which it may not
 * see.
 */
struct seen {
    uint64_t root;
    size_t count;
    uint64_t ids[HIDDEN_MAX];
};

struct mounts_seen {
    struct seen before, after;
};

static void look_around(struct seen *seen)
{
    struct file_facts root;
    struct maps text = {.fd = openat(pin_proc(), "self/mountinfo", O_RDONLY | O_CLOEXEC)};
    const char *line;

    seen->count = 0;
    (void)file_look((uint64_t)AT_FDCWD, (uint64_t)"/", 0, &root);
    seen->root = root.mount;
    for (line = maps_line(&text); line && seen->count < HIDDEN_MAX; line = maps_line(&text)) {
        seen->ids[seen->count++] = strtoul(line, NULL, 10);
    }
    maps_close(&text);
}

/* Not by malloc(), whose lock another thread may have held when the child was made. */
struct mounts_seen *mounts_before_copy(void)
{
    struct mounts_seen *seen = MAP_FAILED;

    if (mounts_any()) {
        seen =
            mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (seen == MAP_FAILED) {
        return NULL;
    }
    look_around(&seen->before);
    return seen;
}

void mounts_after_copy(struct mounts_seen *seen)
{
    const struct seen *before, *after;

    if (!seen) {
        return;
    }
    before = &seen->before;
    after = &seen->after;
    look_around(&seen->after);
    if (mounts_hides(before->root)) {
        hide(after->root);
    }
    for (size_t i = 0; before->count == after->count && i < after->count; i++) {
        if (mounts_hides(before->ids[i])) {
            hide(after->ids[i]);
        }
    }
    mounts_forget(seen);
}

void mounts_forget(struct mounts_seen *seen)
{
    if (seen) {
        (void)munmap(seen, sizeof(*seen));
    }
}

/* ---- /proc/PID/mounts, /proc/PID/mountinfo ---- */

/* Where field number `i` of a line begins, from 0 on, or its end. */
static const char *field(const char *line, unsigned i)
{
    for (; i && *line; line++) {
        i -= *line == ' ';
    }
    return line;
}

static bool same_field(const char *one, const char *other)
{
    size_t length = strcspn(one, " ");

    return strcspn(other, " ") == length && !strncmp(one, other, length);
}

/* Write a line whose options begin at `from` without their noexec. */
static void write_line(struct text *to, const char *line, const char *from)
{
    static const char word[] = ",noexec";
    const char *at = from, *end = from + strcspn(from, " ");

    do {
        at = strstr(at, word);
        if (!at || at >= end) {
            text_line(to, line);
            return;
        }
        at += strlen(word);
    } while (*at != ',' && *at != ' ');
    text_add(to, line, (size_t)(at - strlen(word) - line));
    text_line(to, at);
}

/* The lines of `mounts` have no IDs: those of the same process's `mountinfo` stand in the same
 * order.
 */
void mounts_write(struct text *to, struct maps *text, const struct proc_file *what)
{
    static const unsigned options_at = 3, point_at = 1, options_at_info = 5, point_at_info = 4;
    bool is_info = !strcmp(what->last, "mountinfo");
    struct maps beside = {.fd = -1};
    char path[PROC_AT + 16];
    const char *line, *info;

    if (!is_info) {
        (void)snprintf(path, sizeof(path), "%s/mountinfo", what->folder);
        beside.fd = openat(pin_proc(), path, O_RDONLY | O_CLOEXEC);
    }
    while ((line = maps_line(text))) {
        info = is_info ? line : maps_line(&beside);
        if (info && (is_info || same_field(field(info, point_at_info), field(line, point_at))) &&
            mounts_hides(strtoul(info, NULL, 10))) {
            write_line(to, line, field(line, is_info ? options_at_info : options_at));
        } else {
            text_line(to, line);
        }
    }
    maps_close(&beside);
}

bool mounts_unwrite(int fd)
{
    int file, flags = fcntl(fd, F_GETFD);
    struct proc_file of;
    char name[PROC_AT];

    if (!mounts_any() || !proc_copy_at(fd, &of) || !strstr(of.last, "mount")) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%s/%s", of.folder, of.last);
    file = openat(pin_proc(), name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    (void)dup3(file, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    (void)close(file);
    return true;
}
