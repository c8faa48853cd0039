// SPDX-License-Identifier: Apache-2.0
/* Forks from a thread while others run: the child has that thread alone. */
#include "payload.h"

#include <pthread.h>
#include <sys/wait.h>

static __thread int own = 5;

static void *spin(void *stop)
{
    while (!*(volatile int *)stop) {
    }
    return NULL;
}

static void *work(void *unused)
{
    int status = 0;

    (void)unused;
    own = 6;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();

        if (child == 0) {
            pthread_t more;
            static int stop = 1;

            CHECK(own == 6 && pthread_create(&more, NULL, spin, &stop) == 0);
            CHECK(pthread_join(more, NULL) == 0);
            _exit(i);
        }
        CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == i);
    }
    return NULL;
}

int main(void)
{
    static int stop;
    pthread_t spinner, worker;

    CHECK(pthread_create(&spinner, NULL, spin, &stop) == 0);
    CHECK(pthread_create(&worker, NULL, work, NULL) == 0);
    SHOW(pthread_join(worker, NULL));
    stop = 1;
    SHOW(pthread_join(spinner, NULL));
    SHOW(own);
    return 0;
}
