// SPDX-License-Identifier: Apache-2.0
/* Cuts and protects single pages in the middle of 2 MiB pages; their neighbours stay. */
#include "fault.h"

#include <sys/mman.h>

#define SIZE (4 * HUGE)

static char *area(void)
{
    char *p = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
    (void)madvise(p, SIZE, MADV_HUGEPAGE);
    for (size_t i = 0; i < SIZE; i += PAGE) {
        *(uint64_t *)(p + i) = i * 31;
    }
    return p;
}

static int wrong_pages(const char *p, size_t from, size_t to)
{
    int wrong = 0;

    for (size_t i = from; i < to; i += PAGE) {
        wrong += *(const uint64_t *)(p + i) != i * 31;
    }
    return wrong;
}

int main(void)
{
    char *p = area();
    size_t hole = HUGE + 100 * PAGE, sealed = 2 * HUGE + 7 * PAGE;

    fault_catch();
    SHOW(munmap(p + hole, PAGE));
    SHOW(mprotect(p + sealed, PAGE, PROT_READ));
    SHOW(mprotect(p + sealed + 2 * PAGE, PAGE, PROT_NONE));
    SHOW(wrong_pages(p, 0, hole) + wrong_pages(p, hole + PAGE, sealed + 2 * PAGE));
    SHOW(wrong_pages(p, sealed + 3 * PAGE, SIZE));
    fault_try("hole", 'r', p + hole);
    fault_try("before the hole", 'w', p + hole - 1);
    fault_try("after the hole", 'w', p + hole + PAGE + 8);
    fault_try("sealed", 'w', p + sealed + 9);
    fault_try("sealed off", 'r', p + sealed + 2 * PAGE);
    fault_try("between", 'w', p + sealed + PAGE + 9);
    SHOW(mprotect(p + HUGE - PAGE, 2 * HUGE, PROT_READ));
    SHOW(mprotect(p, HUGE, PROT_READ));
    SHOW(wrong_pages(p, 0, hole - PAGE));
    fault_try("first", 'w', p + 8);
    SHOW(mprotect(p, HUGE, PROT_READ | PROT_WRITE));
    fault_try("first again", 'w', p + 8);
    SHOW(wrong_pages(p, 0, HUGE));
    return 0;
}
