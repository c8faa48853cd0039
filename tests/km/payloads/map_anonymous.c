// SPDX-License-Identifier: Apache-2.0
/* Maps memory, unmaps some of it, and finds exactly the rest. */
#include "fault.h"

#include <sys/mman.h>

int main(void)
{
    char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned sum = 0;

    fault_catch();
    SHOW((uintptr_t)p % PAGE);
    for (size_t i = 0; i < 8 * PAGE; i++) {
        sum |= (unsigned char)p[i];
    }
    SHOW(sum);
    memset(p, 'a', 8 * PAGE);
    memset(shared, 's', PAGE);
    SHOW(munmap(p + 2 * PAGE, PAGE));
    SHOW(munmap(p + 5 * PAGE, 100));
    for (int i = 0; i < 8; i++) {
        fault_try("page", 'r', p + (unsigned)i * PAGE);
    }
    fault_try("last byte before", 'r', p + 2 * PAGE - 1);
    fault_try("last byte of", 'w', p + 3 * PAGE - 1);
    SHOW(munmap(p + 2 * PAGE, PAGE));
    SHOW(munmap(p, 8 * PAGE));
    fault_try("gone", 'w', p);
    fault_try("null", 'r', NULL);
    fault_try("far", 'r', (char *)0x123456789000);
    fault_try("not mapped to run", 'x', shared);
    SHOW(munmap(shared, PAGE));
    fault_try("shared", 'r', shared);
    return 0;
}
