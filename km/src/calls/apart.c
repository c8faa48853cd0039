// SPDX-License-Identifier: Apache-2.0
/*
 * apart.c: a short-lived thread of the monitor with descriptors of its own, by clone(2) without
 * CLONE_FILES: no other thread of the payload can guess the number of a file that it opens.
 *
 * It uses the thread-local memory of the thread that waits for it.
 */
#include "base/base.h"
#include "calls/pin.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_SIZE (128UL << 10)
#define THREAD                                                                                     \
    (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID)

struct job {
    void (*run)(void *argument);
    void *argument;
};

static int begin(void *of)
{
    const struct job *job = of;

    job->run(job->argument);
    return 0;
}

bool apart_run(struct vcpu *vcpu, void (*run)(void *argument), void *argument)
{
    struct job job = {run, argument};
    int running = 1, tid; /* the kernel clears it when the thread has ended */
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (stack == MAP_FAILED) {
        return false;
    }
    if (vcpu) {
        signal_hold();
    }
    tid = clone(begin, stack + STACK_SIZE, THREAD, &job, NULL, NULL, &running);
    while (tid > 0 && __atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
        (void)syscall(__NR_futex, &running, FUTEX_WAIT, 1, NULL);
    }
    if (vcpu) {
        signal_release(vcpu);
    }
    (void)munmap(stack, STACK_SIZE);
    return tid > 0;
}
