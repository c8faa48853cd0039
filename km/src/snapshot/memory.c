// SPDX-License-Identifier: Apache-2.0
/*
 * memory.c: the payload's memory on its way into a snapshot. Private mappings go there
 * whole, a file's too, so that a snapshot needs no libraries next to it; of memory that was never
 * touched, or is zero, there is nothing. A file that is mapped shared stays where it is, unless it
 * was opened for reading alone: then it goes there, too.
 */
#include "memory/memory.h"
#include "base/base.h"
#include "snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GAP_MAX (16 * PAGE_SIZE) /* between two pieces that become one */

static int mem = -1, pagemap = -1;

/* ---- which mappings ---- */

static bool full(struct refusal *why)
{
    return refuse(why, FIX_REPORT, "it has more mappings than a snapshot can name");
}

static bool add_mapping(struct snapshot *to, struct snap_mapping mapping, struct refusal *why)
{
    uint32_t *count = &to->process.counts.mappings;

    if (*count == 65536) {
        return full(why);
    }
    to->mappings[(*count)++] = mapping;
    return true;
}

/* Whether the payload could have a mapping that it cannot write to, of a file, made writable. */
static bool may_be_written(uint64_t start, uint64_t end, int prot)
{
    void *at = (void *)start;
    bool may = mprotect(at, end - start, PROT_READ | PROT_WRITE) == 0;

    (void)mprotect(at, end - start, prot & ~PROT_EXEC);
    return may;
}

static bool add_file(struct snapshot *to, const struct vma *vma, const struct mapping *map,
                     struct refusal *why)
{
    uint64_t start = vma->start > map->start ? vma->start : map->start;
    struct snap_mapping made = {
        .start = start,
        .end = vma->end < map->end ? vma->end : map->end,
        .prot = (uint32_t)vma->prot,
        .kind = MAPPING_FILE,
        .offset = map->offset + (start - map->start),
        .write = vma->prot & PROT_WRITE ? 1 : 0,
    };
    struct stat st;

    if (!made.write && !may_be_written(made.start, made.end, vma->prot)) {
        made.kind = MAPPING_PRIVATE;
        made.offset = 0;
        return add_mapping(to, made, why);
    }
    if (stat(map->path, &st) < 0 || !S_ISREG(st.st_mode)) {
        return refuse(why, "let the program unmap it before it asks for the snapshot",
                      "it maps %s shared, which is not a regular file of that name",
                      *map->path ? map->path : "something");
    }
    made.inode = st.st_ino;
    made.size = (uint64_t)st.st_size;
    return snapshot_add_string(to, map->path, &made.path) ? add_mapping(to, made, why) : full(why);
}

/* The host knows which files they are, of which the list of VMAs may have joined several. */
static bool add_files(struct snapshot *to, const struct vma *vma, struct refusal *why)
{
    static struct maps maps;
    static struct mapping map;
    bool good = true;

    if (!maps_open(&maps, "maps")) {
        return refuse(why, FIX_REPORT, "/proc/self/maps cannot be read: %m");
    }
    while (good && maps_next(&maps, &map) && map.start < vma->end) {
        good = map.end <= vma->start || add_file(to, vma, &map, why);
    }
    maps_close(&maps);
    return good;
}

static bool add_vma(struct snapshot *to, const struct vma *vma, struct refusal *why)
{
    struct snap_mapping made = {.start = vma->start, .end = vma->end, .prot = (uint32_t)vma->prot};

    if (vma->flags & VMA_VDSO) {
        made.kind = MAPPING_VDSO;
    } else if (vma->flags & MAP_PRIVATE) {
        made.kind = MAPPING_PRIVATE;
    } else if (vma->flags & MAP_ANONYMOUS) {
        made.kind = MAPPING_SHARED;
    } else if (vma->flags & VMA_SHM(0)) {
        return refuse(why, "let the program detach it (shmdt) before it asks for the snapshot",
                      "it has a segment of System V shared memory at 0x%lx", vma->start);
    } else {
        return add_files(to, vma, why);
    }
    return add_mapping(to, made, why);
}

/* ---- their pages ---- */

/* The piece that a page at `addr` goes into, whose end is there; NULL when there is no room. */
static struct snap_piece *piece_for(struct snapshot *to, uint64_t addr)
{
    uint32_t *count = &to->process.counts.pieces;
    struct snap_piece *last = &to->pieces[*count - 1];
    uint64_t end = *count ? last->start + last->size : 0;

    if (*count && addr >= end && addr - end <= GAP_MAX &&
        vma_covers(last->start, addr + PAGE_SIZE) && vma_find(last->start) == vma_find(addr)) {
        to->data_end += addr - end; /* zeroes */
        last->size += addr - end;
        return last;
    }
    if (*count == 1U << 20) {
        return NULL;
    }
    last = &to->pieces[(*count)++];
    *last = (struct snap_piece){.start = addr, .offset = to->data_end};
    return last;
}

static bool add_page(struct snapshot *to, uint64_t addr, const void *page, struct refusal *why)
{
    struct snap_piece *piece = piece_for(to, addr);

    if (!piece) {
        return refuse(why, FIX_REPORT, "its memory is in more pieces than a snapshot can name");
    }
    if (pwrite(to->fd, page, PAGE_SIZE, (off_t)to->data_end) != (ssize_t)PAGE_SIZE) {
        return refuse(why, FIX_SNAPSHOT_FILE, "the file cannot be written: %m");
    }
    piece->size += PAGE_SIZE;
    to->data_end += PAGE_SIZE;
    return true;
}

/* What cannot be read, such as the end of a mapping beyond its file's, is nothing. */
static bool save_page(struct snapshot *to, uint64_t addr, struct refusal *why)
{
    static char page[PAGE_SIZE];
    static const char zeroes[PAGE_SIZE];

    return pread(mem, page, sizeof(page), (off_t)addr) != (ssize_t)sizeof(page) ||
           !memcmp(page, zeroes, sizeof(page)) || add_page(to, addr, page, why);
}

static bool save_pages(struct snapshot *to, const struct snap_mapping *mapping, bool sparse,
                       struct refusal *why)
{
    for (uint64_t addr = mapping->start; addr < mapping->end;) {
        bool there[PAGES_AT_ONCE];
        size_t count = maps_pages(sparse ? pagemap : -1, addr, mapping->end, there);

        for (size_t i = 0; i < count; i++, addr += PAGE_SIZE) {
            if (there[i] && !save_page(to, addr, why)) {
                return false;
            }
        }
    }
    return true;
}

bool snapshot_save_memory(struct snapshot *to, struct refusal *why)
{
    bool good = true;

    mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (mem < 0) {
        good = refuse(why, "mount /proc", "its memory cannot be read: /proc/self/mem: %m");
    }
    for (struct vma *vma = vma_find(0); vma && good; vma = vma_next(vma)) {
        uint32_t next = to->process.counts.mappings;

        good = add_vma(to, vma, why);
        for (; good && next < to->process.counts.mappings; next++) {
            const struct snap_mapping *made = &to->mappings[next];

            good = made->kind == MAPPING_FILE || made->kind == MAPPING_VDSO ||
                   save_pages(to, made, vma->flags & MAP_ANONYMOUS, why);
        }
    }
    (void)close(mem);
    (void)close(pagemap);
    return good;
}
