// SPDX-License-Identifier: Apache-2.0
/* Names offsets in files by pointers to memory that can be written, read only, or neither: the
 * kernel writes them back also where they have not changed. */
#include "payload.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

static int file, other, ends[2];

/* Each call from an offset where there is something, and at the end of the file. */
static void use(off_t *offset)
{
    SHOW(sendfile(ends[1], file, offset, 1));
    SHOW(sendfile(ends[1], -1, offset, 1));
    SHOW(splice(file, offset, ends[1], NULL, 1, 0));
    SHOW(splice(-1, offset, ends[1], NULL, 1, 0));
    SHOW(splice(ends[0], NULL, other, offset, 1, 0));
    SHOW(copy_file_range(file, offset, other, NULL, 1, 0));
    SHOW(copy_file_range(file, NULL, other, offset, 1, 0));
    SHOW(copy_file_range(file, offset, -1, NULL, 1, 0));
    SHOW(copy_file_range(file, offset, other, NULL, 0, 0));
}

int main(void)
{
    static const int rights[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_EXEC, PROT_NONE};
    off_t *place = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    file = open("from", O_RDWR | O_CREAT, 0600);
    other = open("to", O_RDWR | O_CREAT, 0600);
    CHECK(write(file, "some text", 9) == 9 && pipe(ends) == 0);
    CHECK(write(ends[1], "more", 4) == 4);
    for (off_t at = 0; at <= 100; at += 100) {
        for (unsigned i = 0; i < LEN(rights); i++) {
            CHECK(mprotect(place, PAGE, PROT_READ | PROT_WRITE) == 0);
            *place = at;
            CHECK(mprotect(place, PAGE, rights[i]) == 0);
            printf("from %d, rights %d\n", (int)at, rights[i]);
            use(place);
        }
    }
    return 0;
}
