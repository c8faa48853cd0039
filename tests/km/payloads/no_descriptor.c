// SPDX-License-Identifier: Apache-2.0
/* Has used up its descriptors, and continues with threads, processes and a program. */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void *thread(void *unused)
{
    (void)unused;
    return (void *)(uint64_t)(open("/dev/null", O_RDONLY) < 0 ? errno : 0);
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    pthread_t threads[10];
    void *result;
    int status;

    if (argc > 1) {
        puts("the program");
        return 3;
    }
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 20;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (dup(0) >= 0) {
    }
    SHOW(errno);
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, thread, NULL) == 0);
        CHECK(pthread_join(threads[i], &result) == 0);
    }
    SHOW((long)result);
    (void)fflush(stdout);
    if (!fork()) {
        (void)close(19); /* for what the loader opens, where there is one */
        (void)execl(argv[0], argv[0], "again", (char *)NULL);
        _exit(9);
    }
    CHECK(wait(&status) > 0);
    SHOW(WEXITSTATUS(status));
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    SHOW((long)limit.rlim_cur);
    return 0;
}
