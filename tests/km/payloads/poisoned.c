// SPDX-License-Identifier: Apache-2.0
/*
 * Touches the pages of a shared file, in the ways that a program has; with "poison", lets the
 * second page be one that the hardware has lost, which needs CAP_SYS_ADMIN and a kernel with
 * CONFIG_MEMORY_FAILURE. Nobody takes that back before the next boot.
 */
#include "fault.h"

#include <fcntl.h>
#include <sys/mman.h>

#define PAGES 3

static void touch(char *pages, int fd)
{
    fault_catch();
    for (size_t i = 0; i < PAGES; i++) {
        printf("-- page %zu\n", i);
        fault_try("read", 'r', pages + i * PAGE);
        fault_try("written", 'w', pages + i * PAGE + 7);
        fault_try("executed", 'x', pages + i * PAGE);
        SHOW(fault_info.si_addr_lsb);
        SHOW(pwrite(fd, pages + i * PAGE, 1, (long)(PAGES * PAGE)));
    }
}

int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
    char *pages;

    CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
    pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(pages != MAP_FAILED);
    if (argc == 2) {
        touch(pages, fd);
        return 0;
    }
    fault_catch(); /* the kernel tells who has the page mapped */
    pages[PAGE] = 1;
    if (!sigsetjmp(fault_back, 1)) {
        CHECK(madvise(pages + PAGE, PAGE, MADV_HWPOISON) == 0);
    }
    return 0;
}
