// SPDX-License-Identifier: Apache-2.0
/*
 * backing.c: payload memory that is a mapping of a snapshot's file on the host.
 *
 * To the payload it is anonymous memory. For the host it is a private mapping of a file, which is
 * the same until the payload gives its pages back, for zeroes, or moves it, as one with its
 * neighbours: before that it becomes the anonymous memory that the payload takes it for. The list
 * may name memory that is no longer a file's: that costs time only.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct range {
    uint64_t start, end;
};

static struct range *ranges; /* in no order */
static size_t range_count, range_room;

bool backing_add(uint64_t start, uint64_t size)
{
    struct range *last = &ranges[range_count - 1];

    if (range_count && last->end == start) {
        last->end += size;
        return true;
    }
    if (range_count == range_room) {
        size_t room = range_room ? 2 * range_room : 64;
        struct range *more = realloc(ranges, room * sizeof(*ranges));

        if (!more) {
            return false;
        }
        ranges = more;
        range_room = room;
    }
    ranges[range_count++] = (struct range){start, start + size};
    return true;
}

static bool overlaps(const struct range *range, uint64_t start, uint64_t end)
{
    return range->start < end && start < range->end;
}

/* [start, end) is no file's any more. */
static void forget(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < range_count; i++) {
        struct range *range = &ranges[i], right = {end, range->end};

        if (!overlaps(range, start, end)) {
            continue;
        }
        if (range->start < start) {
            range->end = start;
            if (right.start < right.end && !backing_add(right.start, right.end - right.start)) {
                ranges[i].end = right.end; /* it names more than it must */
            }
        } else if (right.start < right.end) {
            *range = right;
        } else {
            *range = ranges[--range_count];
            i--;
        }
    }
}

static bool is_backed(uint64_t start, uint64_t end)
{
    size_t i = 0;

    while (i < range_count && !overlaps(&ranges[i], start, end)) {
        i++;
    }
    return i < range_count;
}

static int protection(uint64_t addr)
{
    const struct vma *vma = vma_find(addr);
    int prot = vma && vma->start <= addr ? vma->prot : PROT_NONE;

    return mm_host_prot(prot);
}

int64_t backing_forget(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len;

    if (!is_backed(addr, end)) {
        return 0;
    }
    for (struct vma *vma = vma_find(addr); vma && vma->start < end; vma = vma_next(vma)) {
        uint64_t from = vma->start > addr ? vma->start : addr;
        uint64_t to = vma->end < end ? vma->end : end;

        if (vma->flags & MAP_ANONYMOUS && vma->flags & MAP_PRIVATE && is_backed(from, to) &&
            mmap((void *)from, to - from, mm_host_prot(vma->prot),
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
            return -errno;
        }
    }
    forget(addr, end);
    return 0;
}

/* Copy what is not zero. */
static int64_t copy(unsigned char *to, uint64_t from, uint64_t len)
{
    static unsigned char page[PAGE_SIZE], zeroes[PAGE_SIZE];

    for (uint64_t at = 0; at < len; at += PAGE_SIZE) {
        if (guest_read(page, from + at, PAGE_SIZE) < 0) {
            return -EFAULT;
        }
        if (memcmp(page, zeroes, PAGE_SIZE) != 0) {
            memcpy(to + at, page, PAGE_SIZE);
        }
    }
    return 0;
}

/* What another thread writes there meanwhile faults, and is tried again. */
int64_t backing_copy(uint64_t addr, uint64_t len)
{
    int prot = protection(addr);
    void *made;

    if (!is_backed(addr, addr + len)) {
        return 0;
    }
    made =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) {
        return -ENOMEM;
    }
    if (mprotect((void *)addr, len, PROT_READ) < 0 || copy(made, addr, len) < 0 ||
        mprotect(made, len, prot) < 0 ||
        mremap(made, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)addr) == MAP_FAILED) {
        (void)mprotect((void *)addr, len, prot);
        (void)munmap(made, len);
        return -ENOMEM;
    }
    forget(addr, addr + len);
    return 0;
}
