// SPDX-License-Identifier: Apache-2.0
/*
 * room.c: whether limits leave room for one more process or thread of the payload.
 *
 * A new process has a VM, for whose first KVM_RUN there are two more for a moment: a child of km,
 * and KVM's thread in it (vcpu.c). On the host fork(2) itself says that a limit is reached. So
 * where limits are low the three are tried out first, by children that end at once, and it is the
 * fork that fails, rather than its child later. krun lets the control group have two more than what
 * the container may have: then the limit that the payload meets is the one that was asked for.
 */
#include "base/base.h"
#include "task/task.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NEEDED 3
#define FEW 256 /* of a user's limit: more than this are seldom reached */
#define STACK_SIZE 4096

struct attempt {
    uint8_t stacks[NEEDED][STACK_SIZE] __attribute__((aligned(16)));
    unsigned begun;
    bool failed;
};

static void begin_one(struct attempt *attempt);

/* A child, in the parent's memory, while the parent waits. */
static int begin_others(void *argument)
{
    struct attempt *attempt = argument;

    (void)limits_lift_processes(); /* KVM's thread begins in spite of the soft one */
    if (attempt->begun < NEEDED) {
        begin_one(attempt);
    }
    return 0;
}

static void begin_one(struct attempt *attempt)
{
    uint8_t *stack = attempt->stacks[attempt->begun++];
    pid_t pid = clone(begin_others, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, attempt);

    attempt->failed |= pid < 0;
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
    }
}

static bool is_tight(bool thread)
{
    struct rlimit limit;

    return options.carried[CARRIED_FEW] ||
           (!thread && getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur <= FEW);
}

bool room_for_one(struct vcpu *vcpu, bool thread)
{
    struct attempt attempt = {.begun = 0};

    if (vcpu->children_apart || !is_tight(thread)) { /* they would be first in their namespace */
        return true;
    }
    signal_hold();
    begin_one(&attempt);
    signal_release(vcpu);
    return !attempt.failed;
}
