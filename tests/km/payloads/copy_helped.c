// SPDX-License-Identifier: Apache-2.0
/*
 * Opens and reads a file of /proc that the monitor writes, by a descriptor of it, so often in a row
 * that the monitor's helper makes the calls.
 */
#include "payload.h"

#include <fcntl.h>

#define ROUNDS 2000

static const char *const files[] = {"status", "stat", "maps", "limits", "smaps_rollup"};

static void read_again(const char *name)
{
    char path[32], link[32], first[8], text[8];
    int fd, again;

    (void)snprintf(path, sizeof(path), "/proc/self/%s", name);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    CHECK(fd >= 0 && read(fd, first, sizeof(first)) == sizeof(first));
    for (int i = 0; i < ROUNDS; i++) {
        again = open(link, O_RDONLY);
        CHECK(again >= 0 && read(again, text, sizeof(text)) == sizeof(text) && close(again) == 0);
        CHECK(!memcmp(text, first, 4));
        CHECK(pread(fd, text, sizeof(text), 0) == sizeof(text) && !memcmp(text, first, 4));
        CHECK(lseek(fd, 0, SEEK_SET) == 0);
    }
    (void)close(fd);
}

int main(void)
{
    for (size_t i = 0; i < LEN(files); i++) {
        read_again(files[i]);
    }
    return 0;
}
