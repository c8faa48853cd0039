// SPDX-License-Identifier: Apache-2.0
/* Threads vfork children that change their signals' actions, while others of the parent's handle
 * the same signals. */
#include "payload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS 4
#define CHILDREN 50

static atomic_int handled, good, ended;

static void on_signal(int signo)
{
    (void)signo;
    handled++;
}

static void *spawn(void *unused)
{
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        pid_t child = vfork();

        if (child == 0) {
            (void)signal(SIGTERM, SIG_DFL); /* the child's alone */
            (void)signal(SIGUSR1, SIG_IGN);
            (void)execl("/bin/true", "true", NULL);
            _exit(8);
        }
        (void)waitpid(child, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    ended++;
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct sigaction old;
    int sent = 0;

    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGUSR1, on_signal);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_create(&threads[i], NULL, spawn, NULL);
    }
    for (; ended < THREADS; sent++) {
        int before = handled;

        (void)pthread_kill(pthread_self(), sent % 2 ? SIGTERM : SIGUSR1);
        CHECK(handled == before + 1);
        usleep(100);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    SHOW(good);
    SHOW(sent > 0 && handled == sent);
    for (int i = 0; i < 2; i++) {
        (void)sigaction(i ? SIGUSR1 : SIGTERM, NULL, &old);
        SHOW(old.sa_handler == on_signal);
    }
    return 0;
}
