// SPDX-License-Identifier: Apache-2.0
/* Ends, as its argument says: a thread, the first thread, or all by one of them. */
#include "payload.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static void *linger(void *how)
{
    (void)usleep(20000);
    printf("lingered\n");
    if (!strcmp(how, "exit-by-other")) {
        exit(5);
    } else if (!strcmp(how, "crash")) {
        *(volatile int *)8 = 1;
    } else if (!strcmp(how, "killed")) {
        (void)kill(getpid(), SIGTERM);
    }
    return NULL;
}

static void *wait_forever(void *unused)
{
    (void)unused;
    for (;;) {
        (void)pause();
    }
    return NULL;
}

static void *spin(void *unused)
{
    (void)unused;
    for (;;) {
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    pthread_t thread;
    void *result;

    (void)setvbuf(stdout, NULL, _IONBF, 0);
    if (is_case(argv, "all-end")) {
        CHECK(pthread_create(&thread, NULL, wait_forever, NULL) == 0);
        CHECK(pthread_create(&thread, NULL, spin, NULL) == 0);
        exit(4);
    } else if (is_case(argv, "cancel")) {
        CHECK(pthread_create(&thread, NULL, wait_forever, NULL) == 0);
        SHOW(pthread_cancel(thread));
        SHOW(pthread_join(thread, &result));
        SHOW(result == PTHREAD_CANCELED);
        return 2;
    }
    CHECK(pthread_create(&thread, NULL, linger, (void *)how) == 0);
    if (is_case(argv, "first-ends")) {
        pthread_exit(NULL);
    } else if (is_case(argv, "last-call")) {
        (void)syscall(SYS_exit, 6);
    }
    SHOW(pthread_join(thread, &result));
    return 3;
}
