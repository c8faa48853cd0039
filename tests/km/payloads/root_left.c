// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the folder of its first argument the root, in the way that the third names, and looks for
 * the file of the second, which is outside, by every name of a descriptor below /proc.
 */
#include "payload.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char *outside;

static void look(void)
{
    static const char *const ways[] = {"", "/..", "/../..", "/../../.."};
    static const char *const folders[] = {"self", "thread-self"};
    char path[512];

    for (int n = 3; n < 1100; n++) {
        for (size_t i = 0; i < LEN(ways) * LEN(folders); i++) {
            (void)snprintf(path, sizeof(path), "/proc/%s/fd/%d%s%s", folders[i / LEN(ways)], n,
                           ways[i % LEN(ways)], outside);
            CHECK(access(path, F_OK) < 0 && open(path, O_RDONLY) < 0);
        }
    }
}

static void enter(const char *root)
{
    CHECK(chroot(root) == 0 && chdir("/") == 0 && access("/proc/self/fd", F_OK) == 0);
}

static void *sleeps(void *unused)
{
    (void)pause();
    return unused;
}

int main(int argc, char **argv)
{
    const struct rlimit limit = {64, 64};
    pthread_t thread;
    int status = 0;

    outside = argv[2];
    if (argc < 4) {
        look();
        return 0;
    }
    if (!strcmp(argv[3], "threads")) {
        CHECK(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    }
    if (!strcmp(argv[3], "limit")) {
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    }
    if (!strcmp(argv[3], "vfork")) {
        if (!vfork()) {
            _exit(chroot(argv[1]) || execl("/payload", "", "", outside, (char *)NULL));
        }
        CHECK(wait(&status) > 0 && status == 0);
        return 0;
    }
    enter(argv[1]);
    if (!strcmp(argv[3], "exec")) {
        CHECK(execl("/payload", "", "", outside, (char *)NULL) == 0);
    }
    look();
    return 0;
}
