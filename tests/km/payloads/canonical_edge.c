// SPDX-License-Identifier: Apache-2.0
/* Makes a system call by the last two bytes that a payload can have. */
#include "payload.h"

#include <sys/mman.h>

int main(int argc, char **argv)
{
    char *last = (char *)strtoul(argv[1], NULL, 0);
    char *page = mmap(last, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    (void)argc;
    if (page == MAP_FAILED) {
        printf("not there\n");
        return 0;
    }
    page[PAGE - 2] = 0x0f;
    page[PAGE - 1] = 0x05;
    __asm__ volatile("jmp *%0" : : "r"(page + PAGE - 2), "a"(39) : "rcx", "r11", "memory");
    return 0;
}
