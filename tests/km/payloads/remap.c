// SPDX-License-Identifier: Apache-2.0
/* Grows, shrinks and moves mappings; their content moves along. */
#include "fault.h"

#include <sys/mman.h>

static char *map(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Like SHOW, for calls that give an address. */
static char *moved(const char *name, char *p)
{
    printf("%s: %s\n", name, p == MAP_FAILED ? strerror(errno) : "done");
    return p;
}

/* A second mapping of the same memory, where that is shared. */
static void twice(void)
{
    char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *second = moved("twice", mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE));

    CHECK(second != MAP_FAILED);
    second[PAGE] = 's';
    SHOW(shared[PAGE]);
    second = moved("twice, in part",
                   mremap(shared + PAGE, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map(PAGE)));
    SHOW(second[0]);
    (void)moved("twice, here", mremap(shared, 0, PAGE, 0));
    (void)moved("twice, its own", mremap(map(PAGE), 0, PAGE, MREMAP_MAYMOVE));
    SHOW(munmap(shared, 4 * PAGE));
    SHOW(second[0]);
}

int main(void)
{
    char *p = map(4 * PAGE), *q, *target = map(16 * HUGE);

    fault_catch();
    memset(p, 'p', 4 * PAGE);
    SHOW(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p);
    fault_try("cut off", 'r', p + 2 * PAGE);
    fault_try("kept", 'r', p + PAGE);
    SHOW(mremap(p, 2 * PAGE, 3 * PAGE, 0) == p);
    fault_try("grown", 'r', p + 2 * PAGE);
    q = moved("move", mremap(p, 3 * PAGE, 3 * HUGE, MREMAP_MAYMOVE));
    fault_try("moved", 'r', q + PAGE);
    fault_try("grown", 'w', q + 3 * HUGE - 1);
    q[HUGE] = 'h';
    p = moved("to", mremap(q, 3 * HUGE, 3 * HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + HUGE));
    SHOW(p == target + HUGE);
    fault_try("there", 'r', p + HUGE);
    fault_try("left", 'r', q + HUGE);
    q = moved("keep", mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
    fault_try("moved", 'r', q + PAGE);
    fault_try("emptied", 'r', p + PAGE);
    (void)moved("not aligned", mremap(p + 1, PAGE, PAGE, 0));
    (void)moved("nothing", mremap(p, PAGE, 0, 0));
    (void)moved("a gap", mremap(p, 32 * HUGE, 33 * HUGE, MREMAP_MAYMOVE));
    (void)moved("over itself", mremap(p, HUGE, HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
    (void)moved("bad flags", mremap(p, PAGE, PAGE, 64));
    (void)moved("fixed alone", mremap(p, PAGE, PAGE, MREMAP_FIXED, target));
    twice();
    return 0;
}
