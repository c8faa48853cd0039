// SPDX-License-Identifier: Apache-2.0
/*
 * vma.c: the list of the payload's mappings, sorted by address, neighbours of one kind merged.
 */
#include "km.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* As vm.max_map_count allows the host by default, which would refuse at about the same number. */
#define VMAS_MAX 65536

static struct vma *vmas;
static size_t vma_count;

void vma_init(void)
{
    vmas = mmap((void *)VMA_HVA, VMAS_MAX * sizeof(*vmas), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (vmas != (void *)VMA_HVA) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)",
            "no memory for the list of mappings: %m");
    }
    lock_memory(VMA_HVA, VMAS_MAX * sizeof(*vmas));
}

/* The index of the first VMA that ends after addr. */
static size_t index_of(uint64_t addr)
{
    size_t low = 0, high = vma_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (vmas[middle].end <= addr) {
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

    return i < vma_count ? &vmas[i] : NULL;
}

struct vma *vma_next(struct vma *vma)
{
    return vma + 1 < vmas + vma_count ? vma + 1 : NULL;
}

static int insert_at(size_t i, struct vma vma)
{
    if (vma_count == VMAS_MAX) {
        return -ENOMEM;
    }
    memmove(&vmas[i + 1], &vmas[i], (vma_count - i) * sizeof(*vmas));
    vmas[i] = vma;
    vma_count++;
    return 0;
}

static void delete_at(size_t i, size_t n)
{
    memmove(&vmas[i], &vmas[i + n], (vma_count - i - n) * sizeof(*vmas));
    vma_count -= n;
}

/* Make addr an edge between VMAs. */
static int cut(uint64_t addr)
{
    size_t i = index_of(addr);
    struct vma right;

    if (i == vma_count || vmas[i].start >= addr) {
        return 0;
    }
    right = vmas[i];
    right.start = addr;
    if (insert_at(i + 1, right) < 0) {
        return -ENOMEM;
    }
    vmas[i].end = addr;
    return 0;
}

/* Join VMA i with the one after it when they are alike. */
static void merge_at(size_t i)
{
    if (i + 1 < vma_count && vmas[i].end == vmas[i + 1].start && vmas[i].prot == vmas[i + 1].prot &&
        vmas[i].flags == vmas[i + 1].flags) {
        vmas[i].end = vmas[i + 1].end;
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
    for (last = first; last < vma_count && vmas[last].start < end; last++) {
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
    for (last = first; last < vma_count && vmas[last].start < end; last++) {
        vmas[last].prot = prot;
    }
    merge_around(first, last);
    return 0;
}

bool vma_covers(uint64_t start, uint64_t end)
{
    for (size_t i = index_of(start); i < vma_count && vmas[i].start <= start; i++) {
        start = vmas[i].end;
        if (start >= end) {
            return true;
        }
    }
    return false;
}

uint64_t vma_find_gap(uint64_t size, uint64_t align, uint64_t top)
{
    size_t i = index_of(top);

    if (i < vma_count && vmas[i].start < top) {
        top = vmas[i].start;
    }
    for (;; i--) {
        uint64_t bottom = i ? vmas[i - 1].end : GUEST_BOTTOM;
        uint64_t start = top > size ? ROUND_DOWN(top - size, align) : 0;

        if (start >= bottom) {
            return start;
        }
        if (!i) {
            return 0;
        }
        top = vmas[i - 1].start;
    }
}
