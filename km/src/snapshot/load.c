// SPDX-License-Identifier: Apache-2.0
/*
 * load.c: a snapshot's file, read and judged, becomes memory: pages that are only read are mapped
 * privately, so that they come when touched, and all programs resumed from one file share them.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define META_MAX (256UL << 20)
#define COPIED_MAX (64UL << 20) /* of what can be written */
#define FIX_FILE "copy the snapshot again, or make it again"

struct snapshot resuming;

static _Noreturn void die_damaged(const char *what)
{
    die(STATUS_CANNOT_RUN, FIX_FILE, "cannot resume %s: it is damaged: %s", image.execfn, what);
}

/* ---- the file ---- */

static void check_header(const struct snap_header *header, uint64_t size)
{
    if (header->format != SNAPSHOT_FORMAT) {
        die(STATUS_ELSEWHERE, "make it again with this km",
            "cannot resume %s: it is of format %u, wanted %u", image.execfn, header->format,
            SNAPSHOT_FORMAT);
    }
    if (header->sum != snapshot_sum(header, offsetof(struct snap_header, sum))) {
        die_damaged("its header's checksum is wrong");
    }
    if (header->file_size != size) {
        die(STATUS_CANNOT_RUN, FIX_FILE,
            "cannot resume %s: it is damaged: it has %lu bytes, wanted %lu", image.execfn, size,
            header->file_size);
    }
    if (header->meta_at % PAGE_SIZE || header->meta_at < PAGE_SIZE || header->meta_at > size ||
        header->meta_size != size - header->meta_at ||
        header->meta_size < sizeof(struct snap_process) || header->meta_size > META_MAX ||
        !memchr(header->host.km, 0, sizeof(header->host.km))) {
        die_damaged("its header");
    }
}

/* Where the arrays are in the copy of the metadata. */
static void find_arrays(char *meta, uint64_t size)
{
    uint64_t at = sizeof(resuming.process);

    memcpy(&resuming.process, meta, sizeof(resuming.process));
#define FIND(name, max)                                                                            \
    resuming.name = (void *)(meta + at);                                                           \
    at += resuming.process.counts.name * sizeof(*resuming.name);                                   \
    if (resuming.process.counts.name > (max) || at > size) {                                       \
        die_damaged("its number of " #name);                                                       \
    }
    SNAPSHOT_ARRAYS(FIND)
#undef FIND
    if (at != size) {
        die_damaged("its size");
    }
}

static struct snap_host made_on;

void snapshot_open(void)
{
    struct snap_header header = {0};
    const char *what;
    struct stat st;
    char *meta;

    resuming.fd = fd_hide(image.snapshot_fd);
    if (resuming.fd < 0 || fstat(resuming.fd, &st) < 0) {
        die(STATUS_FAILED, "raise the limit on open files (ulimit -n)", "cannot read %s: %m",
            image.execfn);
    }
    if (pread(resuming.fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header)) {
        die_damaged("its header is cut off");
    }
    check_header(&header, (uint64_t)st.st_size);
    meta = mmap(NULL, header.meta_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (meta == MAP_FAILED || pread(resuming.fd, meta, header.meta_size, (off_t)header.meta_at) !=
                                  (ssize_t)header.meta_size) {
        die_damaged("its metadata cannot be read");
    }
    if (snapshot_sum(meta, header.meta_size) != header.meta_sum) {
        die_damaged("its metadata's checksum is wrong");
    }
    resuming.data_end = header.meta_at;
    find_arrays(meta, header.meta_size);
    if (!snapshot_valid(&resuming, &what)) {
        die_damaged(what);
    }
    made_on = header.host;
    (void)snprintf(image.path, sizeof(image.path), "%s", resuming.strings + resuming.process.path);
}

/* ---- memory ---- */

static _Noreturn void die_of_mapping(const struct snap_mapping *mapping)
{
    die(STATUS_ELSEWHERE, "start the program itself",
        "cannot resume %s: cannot map its memory at 0x%lx: %m", image.execfn, mapping->start);
}

static void map_zeroes(const struct snap_mapping *mapping)
{
    int flags = mapping->kind == MAPPING_SHARED ? MAP_SHARED : MAP_PRIVATE;
    uint64_t size = mapping->end - mapping->start;
    int64_t at = mm_map(mapping->start, size, (int)mapping->prot,
                        flags | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (at < 0) {
        errno = (int)-at;
        die_of_mapping(mapping);
    }
    if (mapping->prot & PROT_WRITE && size >= HUGE_SIZE && size <= COPIED_MAX) {
        (void)madvise((void *)mapping->start, size, MADV_HUGEPAGE);
    }
}

static void map_file(const struct snap_mapping *mapping)
{
    const char *path = resuming.strings + mapping->path;
    int fd = open(path, (mapping->write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size != (off_t)mapping->size) {
        die(STATUS_ELSEWHERE, "bring the file back as it was, or make the snapshot again",
            "cannot resume %s: it needs the file %s as it was (%lu bytes)", image.execfn, path,
            mapping->size);
    }
    if (mm_map(mapping->start, mapping->end - mapping->start, (int)mapping->prot,
               MAP_SHARED | MAP_FIXED_NOREPLACE, fd, mapping->offset) < 0) {
        die_of_mapping(mapping);
    }
    (void)close(fd);
}

/*
 * Read it into the memory that is there. So it is with shared memory, which a private mapping of
 * the file would not be after a fork, and with what can be written: most of it will be, and a copy
 * of many pages at once, in huge pages, costs a tenth of one page by page.
 */
static void fill(const struct snap_mapping *mapping, const struct snap_piece *piece)
{
    void *at = (void *)piece->start;

    if (mprotect(at, piece->size, PROT_READ | PROT_WRITE) < 0 ||
        pread(resuming.fd, at, piece->size, (off_t)piece->offset) != (ssize_t)piece->size ||
        mprotect(at, piece->size, mm_host_prot((int)mapping->prot)) < 0) {
        die_of_mapping(mapping);
    }
}

static void map_piece(const struct snap_mapping *mapping, const struct snap_piece *piece)
{
    static uint64_t copied;
    void *at = (void *)piece->start;

    if (mapping->kind == MAPPING_SHARED ||
        (mapping->prot & PROT_WRITE && copied + piece->size <= COPIED_MAX)) {
        copied += piece->size;
        fill(mapping, piece);
    } else if (mmap(at, piece->size, mm_host_prot((int)mapping->prot), MAP_PRIVATE | MAP_FIXED,
                    resuming.fd, (off_t)piece->offset) != at ||
               !backing_add(piece->start, piece->size)) {
        die_of_mapping(mapping);
    } else {
        prefault_piece(piece->start, piece->size, (int)mapping->prot);
    }
    mm_populate(piece->start, piece->size);
}

void snapshot_load(const struct vcpu *vcpu)
{
    const struct snap_piece *piece = resuming.pieces;
    const struct snap_piece *end = piece + resuming.process.counts.pieces;

    layout = resuming.process.layout;
    if (made_on.vdso) { /* it is found among the host's mappings while these are few */
        (void)vdso_create(vcpu);
    }
    snapshot_check_host(&made_on, image.execfn);
    for (size_t i = 0; i < resuming.process.counts.mappings; i++) {
        const struct snap_mapping *mapping = &resuming.mappings[i];

        if (mapping->kind == MAPPING_VDSO) {
            continue;
        }
        if (mapping->kind == MAPPING_FILE) {
            map_file(mapping);
            continue;
        }
        map_zeroes(mapping);
        for (; piece < end && piece->start < mapping->end; piece++) {
            map_piece(mapping, piece);
        }
    }
    mm_set_brk(resuming.process.brk_start, resuming.process.brk_end);
    fd_close_hidden(resuming.fd);
}
