// SPDX-License-Identifier: Apache-2.0
/*
 * escapes.c: a payload's attempts to start a program of the image outside a VM.
 *
 * `escapes WAY PROGRAM ARG...` runs PROGRAM (static) in the way called WAY.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Copy the file at path FROM to the descriptor TO; return 0, or -1 where it cannot be done. */
static int copy(const char *from, int to)
{
    static char buffer[1 << 16];
    ssize_t size;
    int in = open(from, O_RDONLY);

    if (in < 0 || to < 0)
        return -1;
    while ((size = read(in, buffer, sizeof(buffer))) > 0)
        if (write(to, buffer, (size_t)size) != size)
            return -1;
    return close(in);
}

static void by_copy(const char *to, char **argv)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);

    if (copy(argv[0], fd) == 0 && close(fd) == 0)
        execv(to, argv);
}

int main(int argc, char **argv)
{
    const char *way = argc > 2 ? argv[1] : "";
    char **program = argv + 2;
    char path[64];

    if (strcmp(way, "exec") == 0) {
        execv(program[0], program);
    } else if (strcmp(way, "fork") == 0) {
        int status = 1;
        if (fork() == 0) {
            execv(program[0], program);
            _exit(126);
        }
        wait(&status);
        return WEXITSTATUS(status);
    } else if (strcmp(way, "spawn") == 0) {
        int status = 1;
        if (posix_spawn(NULL, program[0], NULL, NULL, program, environ) == 0)
            wait(&status);
        return WEXITSTATUS(status);
    } else if (strcmp(way, "fexecve") == 0) {
        syscall(SYS_execveat, open(program[0], O_PATH), "", program, environ, AT_EMPTY_PATH);
    } else if (strcmp(way, "proc-fd") == 0) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", open(program[0], O_RDONLY));
        execv(path, program);
    } else if (strcmp(way, "memfd") == 0) {
        int fd = memfd_create("program", 0);
        if (copy(program[0], fd) == 0)
            syscall(SYS_execveat, fd, "", program, environ, AT_EMPTY_PATH);
    } else if (strcmp(way, "memfd-exec") == 0) {
        int fd = memfd_create("program", 0x10); /* MFD_EXEC */
        if (fd < 0 && errno == EINVAL) /* Linux before 6.3 */
            fd = memfd_create("program", 0);
        if (copy(program[0], fd) == 0)
            syscall(SYS_execveat, fd, "", program, environ, AT_EMPTY_PATH);
    } else if (strcmp(way, "memfd-path") == 0) {
        int fd = memfd_create("program", 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (copy(program[0], fd) == 0)
            execv(path, program);
    } else if (strcmp(way, "km") == 0) {
        execv("/proc/self/exe", program);
    } else if (way[0] == '/') {
        by_copy(way, program);
    }
    fprintf(stderr, "escapes: %s: %s\n", way, strerror(errno));
    return 126;
}
