// SPDX-License-Identifier: Apache-2.0
/*
 * Holds a lock of fcntl(2) while it does with the file what needs no closing of it; a process that
 * closes any of its descriptors of a file would lose the lock. With "exec": the program after.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Another process is asked, since one's own locks never stand in the way. */
static void show_lock(const char *after)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (!pid) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open("file", O_RDWR);

        CHECK(fcntl(fd, F_GETLK, &lock) == 0);
        printf("after %s: %s\n", after, lock.l_type == F_UNLCK ? "lost" : "held");
        exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
}

static void map(int fd, int flags)
{
    void *at = mmap(NULL, PAGE, PROT_READ, flags, fd, 0);

    CHECK(at != MAP_FAILED && munmap(at, PAGE) == 0);
}

static void *map_often(void *fd)
{
    for (int i = 0; i < 200; i++) {
        map((int)(intptr_t)fd, MAP_SHARED);
    }
    return NULL;
}

static void use(int fd)
{
    struct stat st;
    pthread_t threads[3];

    map(fd, MAP_SHARED);
    map(fd, MAP_PRIVATE);
    show_lock("mmap");
    CHECK(chmod("file", 0640) == 0 && fchmod(fd, 0600) == 0);
    CHECK(chown("file", getuid(), getgid()) == 0 && fchown(fd, getuid(), getgid()) == 0);
    CHECK(fchownat(fd, "", getuid(), getgid(), AT_EMPTY_PATH) == 0);
    CHECK(utimensat(AT_FDCWD, "file", NULL, 0) == 0 && futimens(fd, NULL) == 0);
    show_lock("changes");
    CHECK(stat("file", &st) == 0 && fstat(fd, &st) == 0 && truncate("file", 8192) == 0);
    CHECK(lseek(fd, 0, SEEK_END) == 8192 && lseek(fd, -4096, SEEK_CUR) == 4096);
    CHECK(access("file", R_OK) == 0 && close(open("file", O_PATH)) == 0);
    show_lock("looks");
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, map_often, (void *)(intptr_t)fd) == 0);
    }
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    show_lock("threads");
}

int main(int argc, char **argv)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = 100;

    setbuf(stdout, NULL);
    if (argc > 1) {
        show_lock("exec");
        map(fd, MAP_SHARED);
        show_lock("exec and mmap");
        return 0;
    }
    CHECK(dup2(open("file", O_RDWR | O_CREAT, 0600), fd) == fd && ftruncate(fd, PAGE) == 0);
    CHECK(fcntl(fd, F_SETLK, &whole) == 0);
    show_lock("fcntl");
    use(fd);
    CHECK(execv("/proc/self/exe", (char *[]){argv[0], "exec", NULL}) == 0);
    return 1;
}
