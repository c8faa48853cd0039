// SPDX-License-Identifier: Apache-2.0
/*
 * Puts files that do not let wait, and pipes that do, at the same descriptor in turn, by each call
 * that can. A helper of the monitor's that knows the kind of one must not take the other for it. A
 * read that waits is broken off by a signal.
 */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define ROUNDS 12
#define CALLS 60 /* so many in a row, and a helper makes the next */

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

static int open_file(void)
{
    int fd = open("known", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && write(fd, "text", 4) == 4);
    return fd;
}

/* Use a file so often that its kind is known. */
static void use(int fd)
{
    char byte;

    for (int i = 0; i < CALLS; i++) {
        CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 't' && lseek(fd, 1, SEEK_SET) == 1);
        CHECK(read(fd, &byte, 1) == 1 && byte == 'e');
    }
}

/* Nothing is in the pipe that `fd` is an end of: who reads waits until the alarm. */
static void wait_at(int fd)
{
    struct itimerval soon = {{0, 0}, {0, 20000}};
    int before = alarms;
    char byte;

    for (int i = 0; i < CALLS; i++) {
        CHECK(getppid() >= 0);
    }
    CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    CHECK(read(fd, &byte, 1) == -1 && errno == EINTR && alarms == before + 1);
    CHECK(lseek(fd, 0, SEEK_SET) == -1 && errno == ESPIPE);
    CHECK(pread(fd, &byte, 1, 0) == -1 && errno == ESPIPE);
}

/* A byte that goes through a pipe, and all of a pipe that is full. */
static void use_pipe(const int ends[2])
{
    char byte = 'x';

    for (int i = 0; i < CALLS; i++) {
        CHECK(write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x');
    }
}

static void by_close(void)
{
    int fd = open_file(), ends[2];

    use(fd);
    CHECK(close(fd) == 0 && pipe(ends) == 0 && ends[0] == fd);
    wait_at(fd);
    use_pipe(ends);
    CHECK(close(ends[0]) == 0 && open_file() == fd);
    use(fd);
    CHECK(close(fd) == 0 && close(ends[1]) == 0);
}

static void by_dup(int number)
{
    int fd = open_file(), ends[2];

    CHECK(pipe(ends) == 0);
    use(fd);
    CHECK((number == SYS_dup2 ? dup2(ends[0], fd) : dup3(ends[0], fd, O_CLOEXEC)) == fd);
    wait_at(fd);
    CHECK(close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void by_range(void)
{
    int fd = open_file(), ends[2];

    use(fd);
    CHECK(syscall(SYS_close_range, fd, fd + 9, 0) == 0 && pipe(ends) == 0 && ends[0] == fd);
    wait_at(fd);
    CHECK(syscall(SYS_close_range, fd, fd + 9, 0) == 0);
}

/* A copy is of the kind that it is a copy of. */
static void by_copy(void)
{
    int fd = open_file(), ends[2], copy;

    use(fd);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 20);
    CHECK(copy == 20);
    use(copy);
    CHECK(pipe(ends) == 0);
    use_pipe(ends);
    CHECK(close(copy) == 0 && fcntl(ends[0], F_DUPFD, 20) == 20);
    wait_at(20);
    CHECK(close(20) == 0 && close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* What a child of a vfork, which has descriptors of its own, puts there is not its parent's. */
static void by_vfork(void)
{
    int fd = open_file(), ends[2], status;
    char byte;
    pid_t child;

    use(fd);
    CHECK(pipe(ends) == 0);
    child = vfork();
    if (!child) {
        _exit(dup2(ends[0], fd) == fd && lseek(fd, 0, SEEK_SET) == -1 && errno == ESPIPE &&
                      pread(fd, &byte, 1, 0) == -1 && errno == ESPIPE
                  ? 7
                  : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 7 << 8);
    use(fd);
    CHECK(close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_alarm};

    (void)argc;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        if (is_case(argv, "close")) {
            by_close();
        } else if (is_case(argv, "dup2")) {
            by_dup(SYS_dup2);
        } else if (is_case(argv, "dup3")) {
            by_dup(SYS_dup3);
        } else if (is_case(argv, "range")) {
            by_range();
        } else if (is_case(argv, "copy")) {
            by_copy();
        } else if (is_case(argv, "vfork")) {
            by_vfork();
        }
    }
    CHECK(unlink("known") == 0);
    printf("done\n");
    return 0;
}
