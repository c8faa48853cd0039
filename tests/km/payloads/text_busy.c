// SPDX-License-Identifier: Apache-2.0
/* A file is not executed while a process writes to it, nor written to while it runs. */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void execute(const char *name, int fd, const char *path)
{
    char *argv[] = {"text_busy", "end", NULL};
    pid_t pid;
    int status;

    (void)fflush(stdout);
    pid = fork();
    if (!pid) {
        if (fd >= 0) {
            (void)fexecve(fd, argv, argv + 2);
        } else {
            (void)execve(path, argv, argv + 2);
        }
        _exit(errno);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("%s: %s\n", name, WEXITSTATUS(status) == 77 ? "runs" : strerror(WEXITSTATUS(status)));
}

/* A child that runs a program until it is told to end; then what it writes has come. */
static pid_t start(const char *path, int ends[2])
{
    char *argv[] = {"text_busy", "wait", NULL}, byte;
    pid_t pid;

    CHECK(pipe(ends) == 0);
    (void)fflush(stdout);
    pid = fork();
    if (!pid) {
        CHECK(dup2(ends[1], 1) == 1);
        (void)execv(path, argv);
        _exit(1);
    }
    CHECK(read(ends[0], &byte, 1) == 1);
    return pid;
}

static void while_written(void)
{
    int fd = open("program", O_WRONLY), memory = memfd_create("program", 0), script;
    char buffer[65536];
    ssize_t n;

    execute("written", -1, "program");
    CHECK(close(fd) == 0);
    execute("not any more", -1, "program");
    fd = open("program", O_RDONLY);
    execute("read", -1, "program");
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        CHECK(write(memory, buffer, (size_t)n) == n);
    }
    execute("memory", memory, NULL);
    script = open("script", O_CREAT | O_RDWR, 0755);
    CHECK(write(script, "#!/bin/sh\nexit 77\n", 18) == 18);
    execute("a script that is written", -1, "script");
    CHECK(close(script) == 0);
    execute("a script", -1, "script");
}

static void while_run(void)
{
    int ends[2], status;
    pid_t pid = start("./program", ends);

    SHOW_DONE(open("program", O_RDONLY));
    SHOW(open("program", O_WRONLY));
    SHOW(open("program", O_RDWR));
    SHOW(open("program", O_RDONLY | O_TRUNC));
    SHOW(open("program", O_WRONLY | O_CREAT | O_TRUNC, 0755));
    SHOW(creat("program", 0755));
    SHOW(truncate("program", 10));
    SHOW(chmod("program", 0700));
    SHOW(rename("program", "other"));
    SHOW(open("other", O_WRONLY));
    SHOW(unlink("other"));
    SHOW_DONE(open("other", O_WRONLY | O_CREAT, 0755));
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    copy_self("program");
    pid = start("./program", ends);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
    SHOW_DONE(open("program", O_WRONLY)); /* it has ended */
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "end")) {
        return 77;
    }
    if (argc > 1) {
        CHECK(write(1, "x", 1) == 1);
        (void)pause();
    }
    copy_self("program");
    while_written();
    while_run();
    SHOW(open("/proc/self/exe", O_RDWR));
    return 0;
}
