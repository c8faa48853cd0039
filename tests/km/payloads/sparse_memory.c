// SPDX-License-Identifier: Apache-2.0
/* Reserves far more than there is, and uses a little of it here and there. */
#include "fault.h"

#include <sys/mman.h>

#define TERA (1UL << 40)
#define RESERVE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

int main(void)
{
    char *nothing = mmap(NULL, 8 * TERA, PROT_NONE, RESERVE, -1, 0);
    char *much = mmap(NULL, TERA, PROT_READ | PROT_WRITE, RESERVE, -1, 0);
    unsigned long sum = 0;

    fault_catch();
    SHOW(nothing != MAP_FAILED);
    SHOW(much != MAP_FAILED);
    (void)madvise(much, TERA, MADV_NOHUGEPAGE);
    for (unsigned long i = 0; i < 64; i++) {
        much[i * (TERA / 64)] = (char)i;
        much[i * (TERA / 64) + TERA / 64 - 1] = 1;
    }
    for (unsigned long i = 0; i < 64; i++) {
        sum += (unsigned char)much[i * (TERA / 64)];
    }
    SHOW(sum);
    fault_try("reserved", 'r', nothing + 5 * TERA);
    SHOW(mprotect(nothing + 5 * TERA, 16 * PAGE, PROT_READ | PROT_WRITE));
    fault_try("used", 'w', nothing + 5 * TERA);
    fault_try("beyond", 'w', nothing + 5 * TERA + 16 * PAGE);
    SHOW(munmap(nothing, 8 * TERA));
    SHOW(munmap(much, TERA));
    fault_try("gone", 'r', nothing + 5 * TERA);
    return 0;
}
