// SPDX-License-Identifier: Apache-2.0
/* Threads that meet, a value that changes, and with an argument an abort: for a debugger to see. */
#include "payload.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_barrier_t barrier;
static volatile long value;

__attribute__((noinline)) static void meeting(long number)
{
    value += number;
}

static void *worker(void *argument)
{
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_barrier_wait(&barrier);
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t threads[3];

    (void)argv;
    (void)pthread_barrier_init(&barrier, NULL, LEN(threads) + 1);
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, worker, NULL) == 0);
    }
    (void)pthread_barrier_wait(&barrier);
    meeting(40);
    meeting(2);
    if (argc > 1) {
        abort();
    }
    (void)pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    SHOW(value);
    return 5;
}
