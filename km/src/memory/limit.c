// SPDX-License-Identifier: Apache-2.0
/*
 * limit.c: the payload's limits of address space and data; may_expand_vm() in the kernel.
 *
 * For the host they would be the monitor's, too. So base/limits.c keeps them from it, and they are
 * judged here, by what the payload has. Of its stack, which outside a VM grows as it is used, so
 * much counts as is there at the start.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

struct use {
    uint64_t space, data;
};

static uint64_t overlap(const struct vma *vma, uint64_t start, uint64_t end)
{
    uint64_t from = vma->start > start ? vma->start : start, to = vma->end < end ? vma->end : end;

    return from < to ? to - from : 0;
}

static void add(struct use *use, const struct vma *vma)
{
    uint64_t size = vma->end - vma->start, bottom = layout.stack_top - layout.stack_size;
    bool grows = vma->flags & (VMA_GROWS | MAP_GROWSDOWN);

    use->space += size - overlap(vma, bottom, layout.stack_top - LAYOUT_STACK_MIN);
    if (vma->prot & PROT_WRITE && !(vma->flags & MAP_SHARED) && !grows) {
        use->data += size - overlap(vma, bottom, layout.stack_top);
    }
}

static struct use used(void)
{
    struct use use = {0, 0};

    for (struct vma *vma = vma_find(0); vma; vma = vma_next(vma)) {
        add(&use, vma);
    }
    return use;
}

/* How many bytes of [start, end) are mapped. */
static uint64_t mapped(uint64_t start, uint64_t end)
{
    uint64_t sum = 0;

    for (struct vma *vma = start < GUEST_TOP ? vma_find(start) : NULL; vma && vma->start < end;
         vma = vma_next(vma)) {
        sum += overlap(vma, start, end);
    }
    return sum;
}

bool limit_allows(const struct vma *more, bool replaces)
{
    uint64_t space = limits_to_judge(RLIMIT_AS), data = limits_to_judge(RLIMIT_DATA), replaced;
    struct use now, then = {0, 0};

    if (space == RLIM_INFINITY && data == RLIM_INFINITY) {
        return true;
    }
    now = used();
    replaced = replaces ? mapped(more->start, more->end) : 0;
    add(&then, more);
    then.space -= then.space < replaced ? then.space : replaced;
    then.data -= then.data < replaced ? then.data : replaced;
    return (!then.space || now.space + then.space <= space) &&
           (!then.data || now.data + then.data <= data);
}

bool limit_allows_writing(const struct vma *vma, uint64_t start, uint64_t end)
{
    uint64_t data = limits_to_judge(RLIMIT_DATA);
    struct vma part = {.start = start, .end = end, .prot = PROT_WRITE, .flags = vma->flags};
    struct use more = {0, 0};

    if (data == RLIM_INFINITY || vma->prot & PROT_WRITE) {
        return true;
    }
    add(&more, &part);
    return !more.data || used().data + more.data <= data;
}
