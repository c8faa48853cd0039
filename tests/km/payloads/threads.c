// SPDX-License-Identifier: Apache-2.0
/* Has as many threads as its argument says, which count together and wait for each other. */
#include "payload.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static __thread int own = 7;
static long counter, turn;

static void *work(void *argument)
{
    long number = (long)argument;

    for (int i = 0; i < 100; i++) {
        (void)pthread_mutex_lock(&lock);
        counter++;
        (void)pthread_mutex_unlock(&lock);
        own++;
    }
    (void)pthread_mutex_lock(&lock);
    while (turn != number) {
        (void)pthread_cond_wait(&turned, &lock);
    }
    turn++;
    (void)pthread_cond_broadcast(&turned);
    (void)pthread_mutex_unlock(&lock);
    return (void *)(number * own);
}

int main(int argc, char **argv)
{
    static pthread_t threads[1000];
    long n = argc > 1 ? atol(argv[1]) : 8, sum = 0;
    pthread_attr_t attributes;

    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, 64 << 10);
    for (long i = 0; i < n; i++) {
        CHECK(pthread_create(&threads[i], &attributes, work, (void *)i) == 0);
    }
    for (long i = 0; i < n; i++) {
        void *result;

        CHECK(pthread_join(threads[i], &result) == 0);
        sum += (long)result;
    }
    SHOW(counter);
    SHOW(sum);
    SHOW(own);
    SHOW(turn);
    return 0;
}
