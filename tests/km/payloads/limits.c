// SPDX-License-Identifier: Apache-2.0
/* Reaches limits that it set for itself. */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define MIB (1UL << 20)

static void set(int what, unsigned long value)
{
    struct rlimit limit = {value, value};

    SHOW(setrlimit(what, &limit));
}

static long map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return -1;
    }
    memset(p, 1, size > HUGE ? HUGE : size);
    return 0;
}

/* How many MiB there are of memory with these rights. */
static long map_all(int prot, int flags)
{
    long count = 0;

    while (count < 999 && mmap(NULL, MIB, prot, flags | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
        count++;
    }
    return count;
}

/* All ways to have more, where little is left. */
static void grow_all(void)
{
    char *p = mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int segment = shmget(IPC_PRIVATE, 4 * MIB, 0600);

    SHOW(p == MAP_FAILED);
    SHOW(sbrk(4 * MIB) == (void *)-1);
    SHOW(mremap(p, MIB, 4 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
    SHOW(mprotect(p, 8 * MIB, PROT_READ | PROT_WRITE));
    SHOW(mprotect(p, 8 * MIB, PROT_READ));
    SHOW(mmap(p, 4 * MIB, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
         MAP_FAILED);
    SHOW(shmat(segment, NULL, 0) == (void *)-1);
    (void)shmctl(segment, IPC_RMID, NULL);
    (void)system("ulimit -v; ulimit -d; grep -E 'address|data' /proc/self/limits");
    (void)system("ulimit -v 40; /bin/true; echo $?");
}

int main(int argc, char **argv)
{
    int fd = open("file", O_WRONLY | O_CREAT, 0600);

    (void)argc;
    if (is_case(argv, "file")) {
        set(RLIMIT_FSIZE, 10);
        SHOW(write(fd, "more than ten", 13));
        SHOW(write(fd, "more", 4));
    } else if (is_case(argv, "file-ignored")) {
        (void)signal(SIGXFSZ, SIG_IGN);
        set(RLIMIT_FSIZE, 10);
        SHOW(pwrite(fd, "x", 1, 100));
    } else if (is_case(argv, "memory")) {
        set(RLIMIT_AS, 64UL << 20);
        SHOW(map(1UL << 30));
        SHOW(map(1UL << 40));
    } else if (is_case(argv, "no-memory")) { /* not even for the smallest mapping */
        set(RLIMIT_AS, PAGE);
        SHOW(map(PAGE));
        SHOW(map(PAGE));
    } else if (is_case(argv, "full-space")) {
        set(RLIMIT_AS, 64UL << 20);
        SHOW(map_all(PROT_NONE, MAP_SHARED) > 50);
        grow_all();
    } else if (is_case(argv, "full-data")) {
        set(RLIMIT_DATA, 32UL << 20);
        SHOW(map_all(PROT_READ, MAP_PRIVATE));
        SHOW(map_all(PROT_READ | PROT_WRITE, MAP_SHARED));
        SHOW(map_all(PROT_READ | PROT_WRITE, MAP_PRIVATE));
        grow_all();
    } else if (is_case(argv, "core")) {
        /* What is read is what was inherited or set, after execve too. */
        struct rlimit limit = {1234, RLIM_INFINITY};
        pid_t child;

        (void)system("ulimit -c");
        (void)setrlimit(RLIMIT_CORE, &limit);
        child = vfork();
        if (child == 0) {
            limit.rlim_cur = 0;
            (void)setrlimit(RLIMIT_CORE, &limit);
            _exit(0);
        }
        (void)waitpid(child, NULL, 0);
        (void)getrlimit(RLIMIT_CORE, &limit);
        SHOW((long)limit.rlim_cur);
        limit.rlim_cur = RLIM_INFINITY;
        (void)setrlimit(RLIMIT_CORE, &limit);
        (void)system(
            "ulimit -c; ulimit -Sc 8; ulimit -c; sh -c 'ulimit -c'; cat /proc/self/limits");
    } else if (is_case(argv, "descriptors")) {
        set(RLIMIT_NOFILE, 0);
        SHOW(open("file", O_RDONLY));
        SHOW(write(1, "", 0));
    } else {
        set(RLIMIT_CPU, 1);
        for (;;) {
        }
    }
    printf("goes on\n");
    return 0;
}
