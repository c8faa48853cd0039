// SPDX-License-Identifier: Apache-2.0
/* Forks, starts threads and programs while it has all descriptors that it may have. */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void *nothing(void *argument)
{
    return argument;
}

static void start_all(void)
{
    pthread_t thread;
    int status;

    for (int i = 0; i < 8; i++) {
        pid_t child = fork();

        if (!child) {
            _exit(pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL));
        }
        if (child < 0) { /* there is none for the child's VM */
            CHECK(errno == EAGAIN);
            continue;
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        if (!pthread_create(&thread, NULL, nothing, NULL)) {
            CHECK(pthread_join(thread, NULL) == 0);
        }
    }
}

int main(void)
{
    struct rlimit limit = {64, 64};
    int last = 0;

    while (last >= 0) {
        last = open("/dev/null", O_RDONLY);
    }
    start_all();
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    start_all();
    for (int fd = 3; fd < 64; fd++) {
        (void)close(fd);
    }
    start_all();
    CHECK(fork() >= 0);
    return 0;
}
