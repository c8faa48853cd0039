// SPDX-License-Identifier: Apache-2.0
/*
 * Closes and replaces, from two threads, each descriptor that the monitor may be about to take
 * for a new thread, in one process after the other: each thread starts, and each process ends as it
 * says.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define SECONDS 3
#define LOWEST 968 /* about where the monitor's descriptors of threads are */
#define HIGHEST 1040
#define THREADS 24
#define ATTACKERS 2

static atomic_bool over;
static atomic_int begun;
static int file;

static void attack(unsigned turn)
{
    for (int fd = LOWEST; fd < HIGHEST; fd++) {
        switch ((turn + (unsigned)fd) % 3) {
        case 0:
            (void)dup2(file, fd);
            break;
        case 1:
            (void)syscall(SYS_dup3, file, fd, O_CLOEXEC);
            break;
        default:
            (void)close(fd);
        }
    }
    (void)syscall(SYS_close_range, LOWEST, HIGHEST, 0);
}

static void *attacker_main(void *unused)
{
    for (unsigned turn = 0; !over; turn++) {
        attack(turn);
    }
    return unused;
}

static void *open_main(void *unused)
{
    begun++;
    while (begun < THREADS) { /* the monitor uses again what it has for a thread that ended */
        (void)usleep(10000);
    }
    for (int i = 0; i < 4; i++) {
        int fd =
            open("/proc/self/stat", O_RDONLY); /* it is judged at the thread's own descriptor */

        CHECK(fd >= 0 && fd < LOWEST && close(fd) == 0);
    }
    return unused;
}

static void live(void)
{
    pthread_t attackers[ATTACKERS], threads[THREADS];

    for (int i = 0; i < ATTACKERS; i++) {
        CHECK(pthread_create(&attackers[i], NULL, attacker_main, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, open_main, NULL) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    over = true;
    for (int i = 0; i < ATTACKERS; i++) {
        CHECK(pthread_join(attackers[i], NULL) == 0);
    }
}

int main(void)
{
    time_t end = time(NULL) + SECONDS;
    int status;

    file = open("/dev/null", O_RDONLY);
    CHECK(file >= 0);
    while (time(NULL) < end) {
        pid_t pid = fork();

        if (!pid) {
            live();
            _exit(7);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) {
            printf("a process ended with status 0x%x\n", (unsigned)status);
            return 1;
        }
    }
    return 0;
}
