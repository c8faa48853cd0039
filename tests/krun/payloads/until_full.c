// SPDX-License-Identifier: Apache-2.0
/* until_full.c: make processes or threads that wait, until one more is refused; say how many. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 100

static void *wait_for_ever(void *unused)
{
    (void)unused;
    for (;;) {
        (void)pause();
    }
    return NULL;
}

/* The next child, which has started when this returns; or -1. */
static pid_t make_child(char *self, int is_vfork)
{
    int ends[2];
    char byte;
    pid_t pid;

    if (pipe(ends) < 0) {
        return -1;
    }
    pid = is_vfork ? vfork() : fork();
    if (pid == 0 && is_vfork) {
        (void)execl(self, self, "wait", (char *)NULL);
        _exit(1);
    }
    if (pid == 0) {
        (void)!write(ends[1], "", 1);
        (void)wait_for_ever(NULL);
    }
    if (pid > 0 && !is_vfork) {
        (void)!read(ends[0], &byte, 1);
    } else if (pid > 0) {
        (void)usleep(300000); /* the program starts */
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pid;
}

static int until_full(char *self, const char *kind)
{
    pid_t pids[MOST];
    pthread_t thread;
    int made = 0, error = 0;

    while (made < MOST && !error) {
        if (strcmp(kind, "thread") == 0) {
            error = pthread_create(&thread, NULL, wait_for_ever, NULL);
        } else {
            pids[made] = make_child(self, kind[0] == 'v');
            error = pids[made] < 0 ? errno : 0;
        }
        made += !error;
    }
    printf("%s: %d, then %s\n", kind, made, strerror(error));
    for (int i = 0; i < made && strcmp(kind, "thread") != 0; i++) {
        (void)kill(pids[i], SIGKILL);
        (void)waitpid(pids[i], NULL, 0);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "wait") == 0) {
        (void)wait_for_ever(NULL);
    }
    return until_full(argv[0], argv[1]);
}
