// SPDX-License-Identifier: Apache-2.0
/* Sends signals to threads: each gets its own, the process's go to one that takes them. */
#include "payload.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static sem_t ready, done;
static volatile sig_atomic_t handled[3];
static __thread int number;

static void handler(int signo)
{
    (void)signo;
    handled[number]++;
    (void)sem_post(&done);
}

static void *work(void *argument)
{
    sigset_t mask;

    number = (int)(long)argument;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, number == 1 ? SIGUSR2 : SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    (void)sem_post(&ready);
    for (;;) {
        (void)pause();
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[3];
    sigset_t both;

    (void)sem_init(&ready, 0, 0);
    (void)sem_init(&done, 0, 0);
    (void)signal(SIGUSR1, handler);
    (void)signal(SIGUSR2, handler);
    for (long i = 1; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
        (void)sem_wait(&ready);
    }
    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGUSR1);
    (void)sigaddset(&both, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &both, NULL);
    for (int i = 0; i < 20; i++) {
        SHOW(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2));
        while (sem_wait(&done) < 0) {
        }
    }
    printf("%d %d %d\n", handled[0], handled[1], handled[2]);
    SHOW(pthread_kill(threads[2], SIGUSR2));
    (void)sem_wait(&done);
    SHOW(pthread_kill(threads[2], SIGUSR1)); /* stays blocked there */
    SHOW(pthread_kill(threads[1], SIGUSR1));
    (void)sem_wait(&done);
    printf("%d %d %d\n", handled[0], handled[1], handled[2]);
    return 0;
}
