// SPDX-License-Identifier: Apache-2.0
/*
 * The child of a vfork leaves a list of robust futexes in the monitor, which the kernel would walk
 * at its end in the memory of the parent.
 */
#include "payload.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char stack[64 << 10] __attribute__((aligned(16)));
static struct {
    uint64_t next, offset, pending;
} head;
static uint32_t word[4];

static int child(void *argument)
{
    (void)argument;
    (void)syscall(SYS_set_robust_list, &head, sizeof(head));
    word[2] = (uint32_t)getpid();
    _exit(0);
}

int main(void)
{
    static const uint64_t places[] = {0x7d1000000000, 0x7d4000000000, 0x7e0000010000};
    int status;

    for (size_t i = 0; i <= LEN(places); i++) {
        head.next = (uint64_t)&head;
        head.pending = i < LEN(places) ? places[i] : (uint64_t)word;
        head.offset = 8;
        pid_t pid = clone(child, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    CHECK(word[2] == word[2] % (1U << 30)); /* the monitor's memory would have got the mark too */
    return 0;
}
