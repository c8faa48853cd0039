// SPDX-License-Identifier: Apache-2.0
/*
 * check.c: judge the metadata of a snapshot, which anybody may have made. Metadata that passes can
 * give a payload nothing that it could not have got itself: memory below GUEST_TOP that does not
 * overlap, registers of CPL 3, descriptors by calls that it may make.
 */
#include "base/base.h"
#include "snapshot/snapshot.h"

#include <string.h>
#include <sys/mman.h>

#define DESCRIPTOR_MAX (1 << 20)
#define MAPPINGS_TOP (GUEST_TOP - HUGE_SIZE) /* above is the vDSO */

static bool is_string(const struct snapshot *s, uint32_t at)
{
    return at && at < s->process.counts.strings;
}

static bool is_path(const struct snapshot *s, uint32_t at)
{
    return is_string(s, at) && s->strings[at] == '/';
}

static bool is_aligned(uint64_t start, uint64_t size)
{
    return !(start % PAGE_SIZE) && !(size % PAGE_SIZE) && size;
}

static bool mapping_valid(const struct snapshot *s, const struct snap_mapping *mapping,
                          uint64_t after)
{
    uint64_t top = mapping->kind == MAPPING_VDSO ? GUEST_TOP : MAPPINGS_TOP;

    return mapping->start >= after && mapping->start < mapping->end && mapping->end <= top &&
           is_aligned(mapping->start, mapping->end) && mapping->kind < MAPPING_KINDS &&
           !(mapping->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)) &&
           (mapping->kind != MAPPING_VDSO || mapping->start >= MAPPINGS_TOP) &&
           (mapping->kind != MAPPING_FILE ||
            (is_path(s, mapping->path) && !(mapping->offset % PAGE_SIZE)));
}

static bool mappings_valid(const struct snapshot *s)
{
    uint64_t after = GUEST_BOTTOM;

    for (size_t i = 0; i < s->process.counts.mappings; i++) {
        if (!mapping_valid(s, &s->mappings[i], after)) {
            return false;
        }
        after = s->mappings[i].end;
    }
    return true;
}

/* Both lists are sorted. */
static bool pieces_valid(const struct snapshot *s)
{
    const struct snap_mapping *mapping = s->mappings, *end = mapping + s->process.counts.mappings;
    uint64_t after = 0, stop;

    for (size_t i = 0; i < s->process.counts.pieces; i++) {
        const struct snap_piece *piece = &s->pieces[i];

        if (piece->start < after || !is_aligned(piece->start, piece->size) ||
            __builtin_add_overflow(piece->start, piece->size, &after) ||
            piece->offset % PAGE_SIZE || piece->offset < PAGE_SIZE ||
            __builtin_add_overflow(piece->offset, piece->size, &stop) || stop > s->data_end) {
            return false;
        }
        while (mapping < end && mapping->end <= piece->start) {
            mapping++;
        }
        if (mapping == end || piece->start < mapping->start || after > mapping->end ||
            (mapping->kind != MAPPING_PRIVATE && mapping->kind != MAPPING_SHARED)) {
            return false;
        }
    }
    return true;
}

static bool thread_valid(const struct snap_thread *thread)
{
    return thread->tid > 0 && thread->state.regs.rip < GUEST_TOP &&
           thread->state.fs_base < GUEST_TOP && thread->state.gs_base < GUEST_TOP &&
           memchr(thread->name, 0, sizeof(thread->name));
}

static bool threads_valid(const struct snapshot *s)
{
    size_t count = s->process.counts.threads;

    for (size_t i = 0; i < count; i++) {
        if (!thread_valid(&s->threads[i])) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (s->threads[k].tid == s->threads[i].tid) {
                return false;
            }
        }
    }
    return count && (s->process.self < count || s->process.self == UINT32_MAX);
}

/* The element of descriptor `fd`, or NULL. */
static const struct snap_fd *find(const struct snapshot *s, int32_t fd)
{
    for (size_t i = 0; i < s->process.counts.fds; i++) {
        if (s->fds[i].fd == fd) {
            return &s->fds[i];
        }
    }
    return NULL;
}

static bool other_valid(const struct snapshot *s, const struct snap_fd *fd)
{
    const struct snap_fd *other = find(s, fd->other);

    switch (fd->kind) {
    case FD_STANDARD:
        return fd->other >= 0 && fd->other <= 2;
    case FD_COPY:
        return other && other < fd && other->kind != FD_COPY;
    case FD_PIPE:
        if (fd->values[0] > 4096 || fd->path + fd->values[0] >= s->process.counts.strings) {
            return false;
        }
        __attribute__((fallthrough));
    case FD_PAIR:
        return other && other != fd && other->kind == fd->kind && other->other == fd->fd;
    default:
        return true;
    }
}

static bool fds_valid(const struct snapshot *s)
{
    int32_t before = 2;

    for (size_t i = 0; i < s->process.counts.fds; i++) {
        const struct snap_fd *fd = &s->fds[i];

        if (fd->fd <= before || fd->fd >= DESCRIPTOR_MAX || fd->kind >= FD_KINDS ||
            fd->address_size > sizeof(fd->address) ||
            ((fd->kind == FD_FILE || fd->kind == FD_DEVICE) && !is_path(s, fd->path)) ||
            !other_valid(s, fd)) {
            return false;
        }
        before = fd->fd;
    }
    for (size_t i = 0; i < s->process.counts.watches; i++) {
        const struct snap_fd *epoll = find(s, s->watches[i].epoll);

        if (!epoll || epoll->kind != FD_EPOLL) {
            return false;
        }
    }
    return true;
}

static bool process_valid(const struct snapshot *s)
{
    const struct snap_process *process = &s->process;

    return process->brk_start <= process->brk_end && process->brk_end < MAPPINGS_TOP &&
           process->layout.mmap_top <= MAPPINGS_TOP && process->layout.mmap_top > GUEST_BOTTOM &&
           !(process->layout.mmap_top % PAGE_SIZE) &&
           process->layout.islands <= MAPPINGS_TOP - ISLAND_PAGES * PAGE_SIZE &&
           process->layout.islands > GUEST_BOTTOM && !(process->layout.islands % PAGE_SIZE) &&
           process->auxv_size <= sizeof(process->auxv) && !(process->auxv_size % 16) &&
           is_path(s, process->path) && is_path(s, process->cwd) &&
           process->start <= process->end && process->end <= GUEST_TOP;
}

bool snapshot_valid(const struct snapshot *s, const char **what)
{
    uint32_t strings = s->process.counts.strings;

    *what = !strings || s->strings[0] || s->strings[strings - 1] ? "strings"
            : !process_valid(s)                                  ? "process"
            : !mappings_valid(s)                                 ? "mappings"
            : !pieces_valid(s)                                   ? "pieces of memory"
            : !threads_valid(s)                                  ? "threads"
            : !fds_valid(s)                                      ? "descriptors"
                                                                 : NULL;
    return !*what;
}
