// SPDX-License-Identifier: Apache-2.0
/*
 * Makes a folder of a process the root, where the names of its files would be shorter than those
 * that the monitor judges; and opens the lists of mappings where a folder is that of a process
 * under another name.
 */
#include "payload.h"

#include <fcntl.h>

#define GUEST_TOP 0x6fff00000000

static const char *const lists[] = {"maps", "smaps", "numa_maps", "smaps_rollup"};

/* Whether a line begins with an address that no payload has. */
static bool shows_monitor(int fd)
{
    static char text[1 << 20];
    ssize_t n = 0, got;

    while ((got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0) {
        n += got;
    }
    text[n] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strtoul(line, NULL, 16) >= GUEST_TOP && !strstr(line, "[vsyscall]")) {
            return true;
        }
    }
    return false;
}

static void look_at_all(const char *where)
{
    int folder = open(where, O_PATH | O_DIRECTORY), fd;

    for (size_t i = 0; i < LEN(lists); i++) {
        fd = openat(folder, lists[i], O_RDONLY);
        CHECK(fd < 0 || !shows_monitor(fd));
        (void)close(fd);
    }
    (void)close(folder);
}

/* A browser goes there to have no files. Below it are no descriptors but the payload's. */
static void enter_numbers(void)
{
    char name[16];
    int fd;

    CHECK(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0);
    for (int number = 3; number < 1100; number++) {
        (void)snprintf(name, sizeof(name), "/%d", number);
        fd = fcntl(number, F_GETFD) < 0 ? open(name, O_RDONLY) : -1;
        CHECK(fd < 0);
        (void)close(fd);
    }
}

int main(int argc, char **argv)
{
    static const char *const roots[] = {"/proc",           "/proc/self",    "/proc/thread-self",
                                        "/proc/self/task", "/proc/self/fd", "/proc/sys"};
    bool may = chroot("/") == 0;

    for (size_t i = 0; i < LEN(roots); i++) {
        CHECK(chroot(roots[i]) < 0 && (errno == EACCES || errno == EPERM));
    }
    CHECK(!may || (chroot("/proc/self/root") == 0 && access("/proc/self/fd", F_OK) == 0));
    if (argc > 1) {
        look_at_all(argv[1]);
    }
    if (may) {
        enter_numbers();
    }
    return 0;
}
