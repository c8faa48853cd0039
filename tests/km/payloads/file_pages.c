// SPDX-License-Identifier: Apache-2.0
/* Pages of a shared mapping change their places in the file, where they were touched and where not.
 */
#include "payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGES 8

static long remap(char *at, size_t pages, int protection, size_t to)
{
    return syscall(SYS_remap_file_pages, at, pages * PAGE, protection, to, 0);
}

int main(void)
{
    int fd = open("pages", O_RDWR | O_CREAT, 0600);
    char *shared, *private;

    CHECK(ftruncate(fd, PAGES * PAGE) == 0);
    for (int i = 0; i < PAGES; i++) {
        CHECK(pwrite(fd, &(char){(char)('a' + i)}, 1, (off_t)(i * PAGE)) == 1);
    }
    shared = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    private = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    SHOW(shared[0]);
    SHOW(remap(shared, 1, 0, 5)); /* touched */
    SHOW(remap(shared + PAGE, 2, 0, 6));
    printf("%c%c%c%c\n", shared[0], shared[PAGE], shared[2 * PAGE], shared[3 * PAGE]);
    shared[0] = 'F';
    SHOW(shared[5 * PAGE]);
    SHOW(remap(shared, 1, PROT_READ, 5));
    SHOW(remap(shared + 1, 1, 0, 5));
    SHOW(remap(private, 1, 0, 5));
    SHOW(remap((char *)0x7e0000000000, 1, 0, 5));
    SHOW(munmap(shared, PAGES * PAGE));
    SHOW(remap(shared, 1, 0, 5));
    return 0;
}
