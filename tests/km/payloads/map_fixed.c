// SPDX-License-Identifier: Apache-2.0
/* Puts mappings at chosen places: over its own, next to them, and not over them. */
#include "fault.h"

#include <sys/mman.h>

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)

int main(void)
{
    char *p = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
    char *at = (char *)0x100000000000, *low;

    fault_catch();
    memset(p, 'a', 4 * HUGE);
    SHOW(mmap(p + HUGE, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == p + HUGE);
    fault_try("before", 'r', p + HUGE - 1);
    fault_try("new", 'r', p + HUGE);
    fault_try("new", 'w', p + HUGE);
    fault_try("after", 'r', p + HUGE + PAGE);
    SHOW(mmap(p, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    SHOW(errno);
    SHOW(mmap(p + 1, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    SHOW(errno);
    SHOW(mmap(at, PAGE, PROT_READ, ANONYMOUS, -1, 0) == at);
    SHOW(mmap(at, PAGE, PROT_READ, ANONYMOUS, -1, 0) == at);
    SHOW(mmap(at + 7, PAGE, PROT_READ, ANONYMOUS | MAP_FIXED, -1, 0) == at);
    SHOW(mmap(at - PAGE, 3 * PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) ==
         at - PAGE);
    fault_try("over", 'w', at);
    fault_try("beside", 'w', at + PAGE);
    low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_32BIT, -1, 0);
    SHOW((uintptr_t)low < 1UL << 31);
    fault_try("low", 'w', low);
    return 0;
}
