// SPDX-License-Identifier: Apache-2.0
/*
 * Lets the monitor use its heap, and looks for it behind the break of the process, where it would
 * be within reach of a mapping of the payload's.
 */
#include "payload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

int main(void)
{
    static const char *const files[] = {"/proc/self/status", "/proc/self/maps", "/proc/self/stat",
                                        "/proc/self/limits"};
    uint64_t at = ((uint64_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(PAGE - 1);
    unsigned char present[4];
    char text[64];

    for (size_t i = 0; i < LEN(files); i++) {
        int fd = open(files[i], O_RDONLY);

        CHECK(fd >= 0 && read(fd, text, sizeof(text)) > 0);
    }
    for (size_t i = 0; i < LEN(present); i++) {
        if (mincore((void *)(at + i * PAGE), PAGE, &present[i]) == 0) {
            printf("page %zu behind the break is the monitor's\n", i);
        }
    }
    return 0;
}
