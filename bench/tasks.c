// SPDX-License-Identifier: Apache-2.0
/*
 * tasks.c: the cost of threads and processes. Each prints nanoseconds.
 *
 *   tasks compute T   T threads compute the same each, at the same time: of all together
 *   tasks create N    N threads are made and joined, one after the other: of one
 *   tasks futex N     two threads wake each other in turn, N times: of there and back
 *   tasks fork N      N processes are forked, end and are waited for: of one
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS 100000000L
#define THREADS_MAX 64
#define COUNT_MAX 1000000000L

static sem_t there, back;
static long rounds;

static void *compute(void *result)
{
    uint64_t x = (uint64_t)(uintptr_t)result | 1;

    for (long i = 0; i < STEPS; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
    }
    *(uint64_t *)result = x;
    return NULL;
}

static void *nothing(void *argument)
{
    return argument;
}

static void *answer(void *argument)
{
    for (long i = 0; i < rounds; i++) {
        (void)sem_wait(&there);
        (void)sem_post(&back);
    }
    return argument;
}

static pthread_t start(void *(*what)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, what, argument)) {
        (void)fprintf(stderr, "tasks: no thread can be made\n");
        exit(1);
    }
    return thread;
}

static void run_compute(long count)
{
    static uint64_t results[THREADS_MAX];
    pthread_t threads[THREADS_MAX];

    for (long i = 0; i < count && i < THREADS_MAX; i++) {
        threads[i] = start(compute, &results[i]);
    }
    for (long i = 0; i < count && i < THREADS_MAX; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

static void run_create(long count)
{
    for (long i = 0; i < count; i++) {
        (void)pthread_join(start(nothing, NULL), NULL);
    }
}

static void run_futex(long count)
{
    pthread_t other;

    rounds = count;
    (void)sem_init(&there, 0, 0);
    (void)sem_init(&back, 0, 0);
    other = start(answer, NULL);
    for (long i = 0; i < count; i++) {
        (void)sem_post(&there);
        (void)sem_wait(&back);
    }
    (void)pthread_join(other, NULL);
}

static void run_fork(long count)
{
    for (long i = 0; i < count; i++) {
        pid_t child = fork();

        if (child == 0) {
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) < 0) {
            perror("tasks: fork");
            exit(1);
        }
    }
}

static long nanoseconds(const struct timespec *begin, const struct timespec *end)
{
    return (end->tv_sec - begin->tv_sec) * 1000000000L + end->tv_nsec - begin->tv_nsec;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long count);
        int of_all;
    } modes[] = {{"compute", run_compute, 1},
                 {"create", run_create, 0},
                 {"futex", run_futex, 0},
                 {"fork", run_fork, 0}};
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    struct timespec begin, end;

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (count > 0 && count <= COUNT_MAX && strcmp(argv[1], modes[i].name) == 0) {
            clock_gettime(CLOCK_MONOTONIC, &begin);
            modes[i].run(count);
            clock_gettime(CLOCK_MONOTONIC, &end);
            printf("%ld\n", nanoseconds(&begin, &end) / (modes[i].of_all ? 1 : count));
            return 0;
        }
    }
    (void)fprintf(stderr, "usage: tasks compute|create|futex|fork COUNT\n");
    return 2;
}
