// SPDX-License-Identifier: Apache-2.0
/* Asks that all that can be read can be executed: for the host it never can. */
#include "payload.h"

#include <sys/mman.h>
#include <sys/personality.h>

int main(void)
{
    char line[512], rights[8];
    unsigned long start;
    FILE *maps;
    void *p;

    (void)personality(READ_IMPLIES_EXEC);
    p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    maps = fopen("/proc/self/maps", "re");
    while (maps && fgets(line, sizeof(line), maps)) {
        if (sscanf(line, "%lx-%*x %7s", &start, rights) == 2 && start == (unsigned long)p) {
            CHECK(rights[2] == '-');
        }
    }
    CHECK(!(personality(0xffffffff) & READ_IMPLIES_EXEC));
    CHECK(personality(PER_LINUX32) >= 0 && personality(0xffffffff) == PER_LINUX32);
    return 0;
}
