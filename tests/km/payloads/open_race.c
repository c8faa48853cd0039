// SPDX-License-Identifier: Apache-2.0
/*
 * Lets a second thread use a descriptor in the moment between the opening of a file that a payload
 * may not have and its refusal: it never gets at the monitor's memory, nor at a virtual machine.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define MONITOR 0x7e0000000000 /* its program */
#define SECONDS 1

static atomic_bool over;
static int next_fd; /* the number that the next file to be opened gets */

static bool go_on(void)
{
    static time_t end;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    end = end ? end : now.tv_sec + SECONDS;
    return now.tv_sec < end;
}

/* Read where the monitor is, by a descriptor that is there for a moment. */
static void *use(void *unused)
{
    char word[4] = "";

    while (!over) {
        CHECK(pread(next_fd, word, sizeof(word), MONITOR) <= 0 || memcmp(word, "\177ELF", 4) != 0);
    }
    return unused;
}

/* Let a path lead to a harmless file and to the memory in turn. */
static void *swap(void *unused)
{
    while (!over) {
        CHECK(rename("harmless", "path") == 0 && symlink("/dev/zero", "harmless") == 0);
        CHECK(rename("memory", "path") == 0 && symlink("/proc/self/mem", "memory") == 0);
    }
    return unused;
}

/* Put the memory, open without access, where the monitor keeps what it judges. */
static void *replace(void *unused)
{
    int memory = open("/proc/self/mem", O_PATH);

    for (int fd = 500; memory >= 0 && !over; fd = fd < 1024 ? fd + 1 : 500) {
        if (dup2(memory, fd) == fd) {
            (void)close(fd);
        }
    }
    return unused;
}

static void open_all(const char *path)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDWR, 0, 0};
    int fds[] = {open(path, O_RDWR), openat(AT_FDCWD, path, O_RDONLY),
                 open(path, O_RDWR | O_CREAT, 0600),
                 (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how))};
    char word[4] = "";

    for (size_t i = 0; i < LEN(fds); i++) {
        CHECK(pread(fds[i], word, sizeof(word), MONITOR) <= 0 || memcmp(word, "\177ELF", 4) != 0);
        (void)close(fds[i]);
    }
}

/* A descriptor of the new thread's vCPU, caught before it is hidden. */
static void *catch(void *unused)
{
    while (!over) {
        int caught = dup(next_fd);
        char *run = caught < 0 ? MAP_FAILED
                               : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, caught, 0);

        CHECK(run == MAP_FAILED);
        (void)close(caught);
    }
    return unused;
}

static void *wait_for_end(void *unused)
{
    while (!over) {
        (void)usleep(50000);
    }
    return unused;
}

static void race(const char *path, void *(*first)(void *), void *(*second)(void *))
{
    pthread_t threads[2];

    CHECK(pthread_create(&threads[0], NULL, first, NULL) == 0);
    CHECK(pthread_create(&threads[1], NULL, second, NULL) == 0);
    while (go_on()) {
        open_all(path);
    }
    over = true;
    CHECK(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
}

int main(int argc, char **argv)
{
    pthread_t thread, many[40];
    size_t count = 0;

    (void)argc;
    next_fd = open("/dev/null", O_RDONLY);
    (void)close(next_fd);
    CHECK(symlink("/proc/self/mem", "path") == 0 && symlink("/dev/zero", "harmless") == 0 &&
          symlink("/proc/self/mem", "memory") == 0);
    if (is_case(argv, "refused")) {
        race("/proc/self/mem", use, use);
    } else if (is_case(argv, "swapped")) {
        race("path", use, swap);
    } else if (is_case(argv, "replaced")) {
        race("path", replace, swap);
    } else {
        CHECK(pthread_create(&thread, NULL, catch, NULL) == 0);
        while (count < LEN(many) && !pthread_create(&many[count], NULL, wait_for_end, NULL)) {
            count++;
        }
        over = true;
        while (count) {
            CHECK(pthread_join(many[--count], NULL) == 0);
        }
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return 0;
}
