// SPDX-License-Identifier: Apache-2.0
/*
 * A thread executes a program while others map files in a process with locks, for which a monitor
 * lets all threads stand still: the signal that stops them must not end the new program.
 */
#include "payload.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define MAPPERS 2
#define PROGRAMS 200

static void *map(void *nothing)
{
    int fd = open("file", O_RDWR);

    for (;;) {
        void *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

        CHECK(at != MAP_FAILED && munmap(at, PAGE) == 0);
    }
    return nothing;
}

static void execute(char *self)
{
    char *const argv[] = {self, "end", NULL}, *const envp[] = {NULL};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    pthread_t thread;

    CHECK(fcntl(open("file", O_RDWR), F_SETLK, &lock) == 0);
    for (int i = 0; i < MAPPERS; i++) {
        CHECK(pthread_create(&thread, NULL, map, NULL) == 0);
    }
    (void)execve("/proc/self/exe", argv, envp);
    printf("execve: %s\n", strerror(errno));
    (void)fflush(stdout);
    _exit(1);
}

int main(int argc, char **argv)
{
    int status;

    if (argc > 1) {
        return 77;
    }
    CHECK(ftruncate(open("file", O_CREAT | O_RDWR, 0600), (off_t)PAGE) == 0);
    for (int i = 0; i < PROGRAMS; i++) {
        pid_t pid = fork();

        if (!pid) {
            execute(argv[0]);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 77) {
            printf("program %d: signal %d, status %d\n", i, WTERMSIG(status), WEXITSTATUS(status));
            return 1;
        }
    }
    printf("%d programs\n", PROGRAMS);
    return 0;
}
