// SPDX-License-Identifier: Apache-2.0
/* A process's open files and its program are free once its end was waited for. */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TIMES 60
#define SPINNING 6 /* so that nobody else runs at once */

static void wait_with(int ready)
{
    CHECK(write(ready, "x", 1) == 1);
    for (;;) {
        (void)pause();
    }
}

/* A child that has a lock and an end of a pipe, which runs this program or another. */
static pid_t start(int *from, bool other_program)
{
    int ready[2];
    char byte, number[12], *argv[] = {"killed_child", number, NULL};
    pid_t pid;

    CHECK(pipe(ready) == 0);
    pid = fork();
    if (!pid) {
        int fd = open("locked", O_CREAT | O_RDWR, 0644);

        CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
        if (other_program) {
            (void)snprintf(number, sizeof(number), "%d", ready[1]);
            (void)execv("./program", argv);
            _exit(1);
        }
        wait_with(ready[1]);
    }
    CHECK(read(ready[0], &byte, 1) == 1 && close(ready[1]) == 0);
    *from = ready[0];
    return pid;
}

static void kill_and_wait(pid_t pid)
{
    int status;

    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

static void kill_often(const char *name, bool other_program)
{
    int locked = 0, open_still = 0, busy = 0;

    for (int i = 0; i < TIMES; i++) {
        int fd = open("locked", O_CREAT | O_RDWR, 0644), from, program;
        pid_t pid = start(&from, other_program);
        char byte;

        CHECK(fcntl(from, F_SETFL, O_NONBLOCK) == 0);
        kill_and_wait(pid);
        locked += flock(fd, LOCK_EX | LOCK_NB) < 0;
        open_still += read(from, &byte, 1) != 0;
        program = open("program", O_WRONLY);
        busy += program < 0;
        (void)close(program);
        CHECK(close(fd) == 0 && close(from) == 0);
    }
    printf("%s: %d locked, %d open, %d busy\n", name, locked, open_still, busy);
}

int main(int argc, char **argv)
{
    pid_t spinning[SPINNING];

    if (argc > 1) {
        wait_with(atoi(argv[1]));
    }
    copy_self("program");
    for (int i = 0; i < SPINNING; i++) {
        spinning[i] = fork();
        while (!spinning[i]) {
        }
    }
    kill_often("a fork", false);
    kill_often("another program", true);
    for (int i = 0; i < SPINNING; i++) {
        kill_and_wait(spinning[i]);
    }
    return 0;
}
