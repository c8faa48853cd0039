// SPDX-License-Identifier: Apache-2.0
/*
 * vma.c: the list of the payload's mappings, sorted by address, neighbours of one kind merged.
 *
 * It is an array with its free entries in one gap, which is where it was changed last. Programs
 * with tens of thousands of mappings make each next to the last, so that little is moved.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* As vm.max_map_count allows the host by default, which would refuse at about the same number. */
#define VMAS_MAX 65536

static struct vma *vmas;
static size_t vma_count;
static size_t gap; /* the index of the VMA behind the gap */

/* No range of `size` bytes is free between `from` and `to`: where the search for one may go on. */
static struct full {
    uint64_t size, from, to;
} full;

static size_t gap_size(void)
{
    return VMAS_MAX - vma_count;
}

static struct vma *at(size_t i)
{
    return &vmas[i < gap ? i : i + gap_size()];
}

void vma_init(void)
{
    vmas = mmap((void *)places.vmas, VMAS_MAX * sizeof(*vmas), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (vmas != (void *)places.vmas) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)",
            "no memory for the list of mappings: %m");
    }
    seal_memory(places.vmas, VMAS_MAX * sizeof(*vmas));
}

/* The index of the first VMA that ends after addr. */
static size_t index_of(uint64_t addr)
{
    size_t low = 0, high = vma_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (at(middle)->end <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct vma *vma_find(uint64_t addr)
{
    size_t i = index_of(addr);

    return i < vma_count ? at(i) : NULL;
}

struct vma *vma_next(struct vma *vma)
{
    size_t place = (size_t)(vma - vmas);
    size_t i = 1 + (place < gap ? place : place - gap_size());

    return i < vma_count ? at(i) : NULL;
}

static void move_gap(size_t i)
{
    if (i < gap) {
        memmove(&vmas[i + gap_size()], &vmas[i], (gap - i) * sizeof(*vmas));
    } else {
        memmove(&vmas[gap], &vmas[gap + gap_size()], (i - gap) * sizeof(*vmas));
    }
    gap = i;
}

static int insert_at(size_t i, struct vma vma)
{
    if (vma_count == VMAS_MAX) {
        return -ENOMEM;
    }
    move_gap(i);
    vmas[gap++] = vma;
    vma_count++;
    return 0;
}

static void delete_at(size_t i, size_t n)
{
    if (n) {
        move_gap(i);
        vma_count -= n;
    }
}

/* Make addr an edge between VMAs. */
static int cut(uint64_t addr)
{
    size_t i = index_of(addr);
    struct vma right;

    if (i == vma_count || at(i)->start >= addr) {
        return 0;
    }
    right = *at(i);
    right.start = addr;
    if (insert_at(i + 1, right) < 0) {
        return -ENOMEM;
    }
    at(i)->end = addr;
    return 0;
}

/* Join VMA i with the one after it when they are alike. */
static void merge_at(size_t i)
{
    struct vma *left, *right;

    if (i + 1 >= vma_count) {
        return;
    }
    left = at(i);
    right = at(i + 1);
    if (left->end == right->start && left->prot == right->prot && left->flags == right->flags) {
        left->end = right->end;
        delete_at(i + 1, 1);
    }
}

static void merge_around(size_t first, size_t last)
{
    for (size_t i = last + 1; i-- > (first ? first - 1 : 0);) {
        merge_at(i);
    }
}

int vma_add(struct vma vma)
{
    size_t i = index_of(vma.start);

    if (insert_at(i, vma) < 0) {
        return -ENOMEM;
    }
    merge_around(i, i);
    return 0;
}

int vma_remove(uint64_t start, uint64_t end)
{
    size_t first, last;

    if (cut(start) < 0 || cut(end) < 0) {
        return -ENOMEM;
    }
    first = index_of(start);
    for (last = first; last < vma_count && at(last)->start < end; last++) {
    }
    if (last > first && end > full.from) {
        full.to = 0; /* there is room again */
    }
    delete_at(first, last - first);
    return 0;
}

int vma_set_prot(uint64_t start, uint64_t end, int prot)
{
    size_t first, last;

    if (cut(start) < 0 || cut(end) < 0) {
        return -ENOMEM;
    }
    first = index_of(start);
    for (last = first; last < vma_count && at(last)->start < end; last++) {
        at(last)->prot = prot;
    }
    merge_around(first, last);
    return 0;
}

bool vma_covers(uint64_t start, uint64_t end)
{
    for (size_t i = index_of(start); i < vma_count && at(i)->start <= start; i++) {
        start = at(i)->end;
        if (start >= end) {
            return true;
        }
    }
    return false;
}

/* Where memory below a mapping may end. */
static uint64_t floor_of(const struct vma *vma)
{
    bool grows = vma->flags & VMA_GROWS && vma->start > GROWS_GUARD;

    return vma->start - (grows ? GROWS_GUARD : 0);
}

uint64_t vma_find_gap(uint64_t size, uint64_t align, uint64_t top)
{
    uint64_t from = top;
    size_t i;

    if (size >= full.size && full.from < top && top <= full.to) {
        from = full.from;
    }
    i = index_of(from);
    if (i < vma_count && at(i)->start < from) {
        from = floor_of(at(i));
    }
    for (;; i--) {
        uint64_t bottom = i ? at(i - 1)->end : GUEST_BOTTOM;
        uint64_t start = from > size ? ROUND_DOWN(from - size, align) : 0;

        if (start >= bottom) {
            if (align == PAGE_SIZE) {
                full = (struct full){.size = size, .from = from, .to = top};
            }
            return start;
        }
        if (!i) {
            return 0;
        }
        from = floor_of(at(i - 1));
    }
}
