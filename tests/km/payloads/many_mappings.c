// SPDX-License-Identifier: Apache-2.0
/* Has thousands of mappings at once, and takes them away in another order. */
#include "payload.h"

#include <sys/mman.h>

#define COUNT 4000U

int main(void)
{
    static char *pages[COUNT];
    unsigned wrong = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        int rights = i % 3 ? PROT_READ | PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC;

        pages[i] = mmap(NULL, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(pages[i] != MAP_FAILED);
        *(unsigned *)pages[i] = i;
    }
    for (unsigned i = 0; i < COUNT; i += 2) {
        CHECK(munmap(pages[i], PAGE) == 0);
    }
    for (unsigned i = 1; i < COUNT; i += 2) {
        wrong += *(unsigned *)pages[i] != i;
        CHECK(mprotect(pages[i], PAGE, PROT_READ) == 0);
    }
    for (unsigned i = 1; i < COUNT; i += 2) {
        unsigned j = i * 1237 % COUNT; /* odd, each once */

        wrong += *(unsigned *)pages[j] != j;
        CHECK(munmap(pages[j], PAGE) == 0);
    }
    SHOW(wrong);
    return 0;
}
