// SPDX-License-Identifier: Apache-2.0
/*
 * prefault.c: make the host's pages present before the guest touches them.
 *
 * A guest's touch that finds no page of the host costs several times one that does, and the host
 * brings many at once for little (docs/explanation/performance.md). Pages that are brought and not
 * used are memory that no other program has. So the first pieces are small, and each touch next to
 * used memory brings as much again. Failure costs only time: the touch will tell.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; unknown to older ones, which refuse it */
#define MADV_POPULATE_WRITE 23
#endif

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

#define WHOLE_MAX (128UL << 10) /* new memory of this size is used whole: buffers */
#define FIRST (64UL << 10)      /* of what is larger */
#define DENSE_MAX (256UL << 20) /* larger memory is often touched here and there only */
#define DATA_MAX (2UL << 20)    /* of a program's data, which its loader relocates */
#define STEP (32UL << 10)       /* eight pages: what KVM enters at one touch where they are there */
#define SPARSE_STEP (16UL << 10) /* of stacks, and of what is reserved for much later */
#define WINDOW_PAGES (HUGE_SIZE / PAGE_SIZE)
#define DENSE_PAGES 448     /* of a window: the next one will be used as well */
#define SCATTERED_PAGES 128 /* of a window, here and there: the rest of it will be used as well */

uint64_t prefault_new(uint64_t addr, uint64_t len, int prot, int flags)
{
    uint64_t size = len <= WHOLE_MAX ? len : FIRST;

    if (!(flags & MAP_ANONYMOUS)) { /* only a loader's: a copy does not follow the file */
        size = flags & MAP_FIXED && len <= DATA_MAX ? len : 0;
    }
    if (!(prot & PROT_WRITE) || !(flags & MAP_PRIVATE) || flags & VMA_SPARSE ||
        madvise((void *)addr, size, MADV_POPULATE_WRITE) < 0) {
        return 0;
    }
    return size;
}

uint64_t prefault_stack(uint64_t bottom, uint64_t top)
{
    uint64_t start = ROUND_DOWN(top - 1, SPARSE_STEP);

    start = start > bottom ? start : bottom;
    return madvise((void *)start, top - start, MADV_POPULATE_WRITE) < 0 ? top : start;
}

/* What is mapped at a place of its own is a piece of what was reserved, for much later often. */
bool prefault_is_dense(uint64_t len, int prot, int flags)
{
    int sparse = VMA_SPARSE | MAP_POPULATE | MAP_FIXED | MAP_FIXED_NOREPLACE;

    return flags & MAP_ANONYMOUS && flags & MAP_PRIVATE && !(flags & sparse) && prot & PROT_WRITE &&
           len >= HUGE_SIZE && len <= DENSE_MAX;
}

static size_t count_present(const unsigned char *pages, size_t count)
{
    size_t present = 0;

    for (size_t i = 0; i < count; i++) {
        present += pages[i] & 1;
    }
    return present;
}

/*
 * Bring a window whole: as a huge page, which the host is not to make again of what is given back.
 * Before Linux 6.1 there is no such request.
 */
static void bring_window(struct span window)
{
    uint64_t size = window.end - window.start;

    if (size == HUGE_SIZE && madvise(NULL, 0, MADV_COLLAPSE) < 0) {
        (void)madvise((void *)window.start, size, MADV_HUGEPAGE);
    } else if (size == HUGE_SIZE) {
        (void)madvise((void *)window.start, PAGE_SIZE, MADV_POPULATE_WRITE);
        if (madvise((void *)window.start, size, MADV_COLLAPSE) == 0) {
            return;
        }
    }
    (void)madvise((void *)window.start, size, MADV_POPULATE_WRITE);
}

static struct span clamp(struct span span, struct span to)
{
    return (struct span){span.start > to.start ? span.start : to.start,
                         span.end < to.end ? span.end : to.end};
}

/*
 * What belongs to a touch of pages[at] of `seen`, not present itself: as much as is present right
 * below or above, else its step; or all of a window of which much is in use.
 */
static struct span around(const unsigned char *pages, size_t at, struct span seen,
                          struct span window)
{
    uint64_t page = seen.start + at * PAGE_SIZE, step = ROUND_DOWN(page, STEP), size;
    size_t count = (seen.end - seen.start) / PAGE_SIZE, below = 0, above = 0;

    while (below < at && pages[at - below - 1] & 1) {
        below++;
    }
    while (at + above + 1 < count && pages[at + above + 1] & 1) {
        above++;
    }
    size = (below ? below : above) * PAGE_SIZE;
    size = size > STEP ? size : STEP;
    if (below) {
        return (struct span){page, page + size};
    }
    if (above) {
        return (struct span){page + PAGE_SIZE - size, page + PAGE_SIZE};
    }
    if (count_present(&pages[(window.start - seen.start) / PAGE_SIZE],
                      (window.end - window.start) / PAGE_SIZE) >= SCATTERED_PAGES) {
        return window;
    }
    return (struct span){step, step + STEP};
}

/* Likewise of memory that is used little: above used memory half as much again. */
static struct span beside(const unsigned char *pages, size_t at, uint64_t page)
{
    uint64_t step = ROUND_DOWN(page, SPARSE_STEP), size;
    size_t below = 0;

    while (below < at && pages[at - below - 1] & 1) {
        below++;
    }
    size = ROUND_DOWN(below * PAGE_SIZE / 2, SPARSE_STEP);
    return (struct span){step, step + (size > SPARSE_STEP ? size : SPARSE_STEP)};
}

struct span prefault_touched(const struct vma *vma, uint64_t page, bool write)
{
    struct span mapping = {vma->start, vma->end}, window, seen, bring;
    uint64_t start = ROUND_DOWN(page, HUGE_SIZE);
    unsigned char pages[3 * WINDOW_PAGES];
    size_t at;

    window = clamp((struct span){start, start + HUGE_SIZE}, mapping);
    seen = clamp((struct span){start - HUGE_SIZE, start + 2 * HUGE_SIZE}, mapping);
    at = (page - seen.start) / PAGE_SIZE;
    if (mincore((void *)seen.start, seen.end - seen.start, pages) < 0 || pages[at] & 1) {
        return window;
    }
    if (write && at == WINDOW_PAGES && count_present(pages, WINDOW_PAGES) >= DENSE_PAGES) {
        bring_window(window);
        return window;
    }
    if (vma->flags & VMA_DENSE) {
        return window;
    }
    bring = vma->flags & VMA_SPARSE ? beside(pages, at, page) : around(pages, at, seen, window);
    bring = clamp(bring, window);
    if (write) {
        (void)madvise((void *)bring.start, bring.end - bring.start, MADV_POPULATE_WRITE);
    }
    return bring;
}

void prefault_piece(uint64_t addr, uint64_t len, int prot)
{
    if (prot && !(prot & PROT_WRITE)) {
        (void)madvise((void *)addr, len, MADV_POPULATE_READ);
    }
}
