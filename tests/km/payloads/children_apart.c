// SPDX-License-Identifier: Apache-2.0
/*
 * Asks for another PID namespace for its children, and executes a program: itself, without a fork
 * as "exec", in a child as "fork" or "vfork". Where the host's KVM cannot have its thread in such a
 * process, the error is the program's own.
 */
#include "payload.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    char *const again[] = {argv[0], "again", NULL};
    int status = 0;
    pid_t pid;

    if (argc < 2 || is_case(argv, "again")) {
        return 0;
    }
    if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0) {
        return 0; /* this user may not */
    }
    if (is_case(argv, "exec")) {
        CHECK(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO) >= 0); /* km says there why not */
        (void)execv("/proc/self/exe", again);
        CHECK(errno == EINVAL);
        return 0;
    }
    pid = is_case(argv, "fork") ? fork() : vfork();
    if (!pid) {
        (void)execv("/proc/self/exe", again);
        _exit(1);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}
