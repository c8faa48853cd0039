// SPDX-License-Identifier: Apache-2.0
/*
 * narrow.c: the monitor's choice of memslots for a CPU whose guest-physical addresses have so many
 * bits, as its argument says. It backs a page in each of the pieces of the other argument's size,
 * in MiB, until there is no room, and prints how many it has backed and the last address it used.
 */
#include "machine/machine.h"

#include <stdlib.h>

#define FIRST_GPA (4UL << 30)
#define START (1UL << 40)
#define PAGES_MAX 20000UL

static uint64_t last;

int vm_add_memslot(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t hva, uint32_t flags)
{
    (void)vm;
    (void)hva;
    (void)flags;
    last = gpa + size - 1;
    return 0;
}

void die(int status, const char *fix, const char *format, ...)
{
    (void)fix;
    (void)format;
    exit(status);
}

int main(int argc, char **argv)
{
    struct vm vm = {.next_gpa = FIRST_GPA};
    struct backing backing;
    unsigned long pages = 0, apart;

    if (argc < 3) {
        return 2;
    }
    vm.gpa_end = 1UL << atoi(argv[1]);
    apart = strtoul(argv[2], NULL, 10) << 20;
    while (pages < PAGES_MAX &&
           memslot_back(&vm, START + pages * apart, PAGES_MAX * apart, &backing)) {
        pages++;
    }
    printf("%lu %lx\n", pages, last);
    return 0;
}
