// SPDX-License-Identifier: Apache-2.0
/* Waits, after vfork and clone(CLONE_VFORK), until the child has ended or runs another program. */
#include "payload.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char stack[64 << 10] __attribute__((aligned(16)));
static volatile int changed;

static int run(void *unused)
{
    (void)unused;
    changed++; /* with CLONE_VM in the parent's memory too */
    (void)execl("/bin/true", "true", NULL);
    _exit(8);
}

/* The child's number, at its place while it is in this memory. */
static void numbered(void)
{
    int status = 0;
    volatile pid_t own = 0;
    long child = syscall(
        SYS_clone, CLONE_VM | CLONE_VFORK | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, 0,
        NULL, &own, 0);

    if (child == 0) {
        _exit(own == getpid() ? 4 : 5);
    }
    SHOW(own);
    SHOW(waitpid((pid_t)child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
}

int main(void)
{
    int status = 0;
    pid_t child = vfork();

    if (child == 0) {
        _exit(6);
    }
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
    child = clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -2);
    child = clone(run, stack + sizeof(stack), SIGCHLD, NULL);
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
    numbered();
    return 0;
}
