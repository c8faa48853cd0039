// SPDX-License-Identifier: Apache-2.0
/* Runs itself again by execve, with other arguments, and files that cannot be run. */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static void write_file(const char *name, const char *content, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT, mode);

    (void)write(fd, content, strlen(content));
    (void)close(fd);
}

static int second(char **envp)
{
    struct sigaction action;
    sigset_t mask;

    printf("environment %s, and %d\n", envp[0], envp[1] == NULL);
    SHOW(fcntl(7, F_GETFD));
    SHOW(fcntl(8, F_GETFD));
    SHOW(sigaction(SIGHUP, NULL, &action));
    SHOW(action.sa_handler == SIG_IGN);
    SHOW(sigaction(SIGUSR1, NULL, &action));
    SHOW(action.sa_handler == SIG_DFL);
    SHOW(sigprocmask(SIG_BLOCK, NULL, &mask));
    SHOW(sigismember(&mask, SIGUSR2));
    return 17;
}

int main(int argc, char **argv, char **envp)
{
    char *arguments[] = {"name", "second", NULL}, *environment[] = {"ONE=1", NULL};
    sigset_t mask;

    if (argc == 2 && is_case(argv, "second")) {
        return second(envp);
    }
    write_file("text", "no program", 0755);
    write_file("not-executable", "x", 0644);
    write_file("script", "#!/no/such/interpreter\n", 0755);
    SHOW(execv("missing", arguments));
    SHOW(execv("text", arguments));
    SHOW(execv("not-executable", arguments));
    SHOW(execv("script", arguments));
    SHOW(execv(".", arguments));
    SHOW(execve("/proc/self/exe", (char **)8, environment));
    SHOW(execve((char *)0x7e0000000000, arguments, environment));
    CHECK(dup2(1, 7) == 7 && dup3(1, 8, O_CLOEXEC) == 8);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGUSR1, exit);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR2);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    SHOW(execve("/proc/self/exe", arguments, environment));
    return 1;
}
