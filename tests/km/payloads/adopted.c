// SPDX-License-Identifier: Apache-2.0
/* Adopts what its children leave behind: those that end at once leave nobody. */
#include "payload.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CHILDREN 200

/* Make a child that makes no call but its end, or is ended by an instruction. */
static void have_child(bool by_fault)
{
    pid_t child = (pid_t)syscall(SYS_fork);

    if (!child && by_fault) {
        __asm__ volatile("ud2");
    }
    if (!child) {
        (void)syscall(SYS_exit_group, 0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
    int adopted = 0;

    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        have_child(i % 2);
    }
    while (wait(NULL) > 0) {
        adopted++;
    }
    SHOW(adopted);
    return 0;
}
