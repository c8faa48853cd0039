// SPDX-License-Identifier: Apache-2.0
/*
 * A thread puts its file at each number that is free, while another reads a file of /proc from its
 * begin, opens one, makes a program empty, or executes one under a filter: a text that a monitor
 * writes meanwhile, to a file of its own, must not get into the payload's.
 */
#include "deny.h"
#include "payload.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FREE 5 /* numbers that are free, from the lowest on */
#define SIZE (3 * PAGE)
#define SECONDS 2

static int precious, text, lowest;
static atomic_bool ends;
static char whole[SIZE];

static bool is_damaged(void)
{
    char now[SIZE];
    struct stat st;

    return fstat(precious, &st) < 0 || st.st_size != (off_t)SIZE ||
           pread(precious, now, SIZE, 0) != (ssize_t)SIZE || memcmp(now, whole, SIZE) != 0;
}

static void *replace(void *nothing)
{
    while (!ends) {
        for (int i = 0; i < FREE; i++) {
            (void)dup2(precious, lowest + i);
        }
        for (int i = 0; i < FREE; i++) {
            (void)close(lowest + i);
        }
    }
    return nothing;
}

static void read_again(void)
{
    char c;

    CHECK(pread(text, &c, 1, 0) == 1 || ends);
}

static void open_another(void)
{
    int fd = open("/proc/self/status", O_RDONLY);

    (void)close(fd);
}

static void make_empty(void)
{
    int fd = open("program", O_WRONLY | O_TRUNC);

    (void)close(fd);
}

/* Nothing that can run; a monitor has made ready for it. */
static void execute(void)
{
    char *const argv[] = {"again", NULL}, *const envp[] = {NULL};
    pid_t pid = fork();

    if (!pid) {
        pthread_t thread;

        CHECK(pthread_create(&thread, NULL, replace, NULL) == 0);
        (void)execve("/proc/self/exe", argv, envp);
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"read", read_again}, {"open", open_another}, {"empty", make_empty}, {"execute", execute}};

int main(int argc, char **argv)
{
    time_t end = time(NULL) + SECONDS;
    pthread_t thread;
    size_t which = 0;

    if (argc < 2) {
        return 0;
    }
    while (strcmp(acts[which].name, argv[1]) != 0) {
        which++;
    }
    memset(whole, 'x', SIZE);
    CHECK(close(open("program", O_CREAT | O_WRONLY, 0755)) == 0);
    precious = open("precious", O_CREAT | O_RDWR, 0600);
    text = open("/proc/self/status", O_RDONLY);
    CHECK(write(precious, whole, SIZE) == (ssize_t)SIZE && text >= 0);
    lowest = text + 1;
    if (acts[which].act == execute) {
        deny(SYS_acct, 0);
    }
    CHECK(pthread_create(&thread, NULL, replace, NULL) == 0);
    while (time(NULL) < end && !is_damaged()) {
        acts[which].act();
    }
    ends = true;
    CHECK(pthread_join(thread, NULL) == 0);
    if (is_damaged()) {
        printf("%s: the file is damaged\n", argv[1]);
    }
    return is_damaged();
}
