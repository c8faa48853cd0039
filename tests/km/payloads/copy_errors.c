// SPDX-License-Identifier: Apache-2.0
/* Writes at a place in files of /proc that the monitor writes, which it has open to read. */
#include "payload.h"

#include <sys/uio.h>

int main(void)
{
    static const char *const files[] = {"/proc/self/status", "/proc/self/maps", "/proc/self/limits",
                                        "/proc/self/auxv", "/proc/uptime"};
    struct iovec one = {"x", 1};

    for (size_t i = 0; i < LEN(files); i++) {
        int fd = open(files[i], O_RDONLY), name = open(files[i], O_PATH);

        printf("%s\n", files[i]);
        SHOW(pwrite(fd, "x", 1, 0));
        SHOW(pwrite(fd, "x", 0, 5));
        SHOW(pwrite(fd, "x", 1, -1));
        SHOW(pwritev(fd, &one, 1, 0));
        SHOW(pwritev(fd, &one, 1, -1));
        SHOW(write(fd, "x", 1));
        SHOW(pwrite(name, "x", 1, 0));
    }
    return 0;
}
