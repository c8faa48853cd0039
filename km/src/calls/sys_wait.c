// SPDX-License-Identifier: Apache-2.0
/*
 * sys_wait.c: wait4 and waitid. The kernel says that a child died with a core only where it wrote
 * that itself: of a program in a VM its monitor writes it, and leaves a mark until the child is
 * waited for (task.h). It is looked for where this process may have children that leave one.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CORE_FLAG 0x80

/*
 * Wait for a child as waitid(2), but leave it to be waited for: its number, 0 or -errno, and
 * whether it died with a core.
 */
static int64_t look(uint64_t type, uint64_t id, uint64_t how, bool *dumped)
{
    siginfo_t info = {0};
    int64_t error =
        host_syscall(__NR_waitid, (uint64_t[6]){type, id, (uint64_t)&info, how | WNOWAIT, 0});

    *dumped = !error && info.si_code == CLD_KILLED && core_is_marked(info.si_pid, info.si_status);
    return error < 0 ? error : info.si_pid;
}

/* pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage) */
HANDLER(wait4)
{
    int pid = (int)args[0];
    uint64_t type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    uint64_t id = pid > 0 ? (uint64_t)pid : pid == 0 ? (uint64_t)getpgrp() : (uint64_t)-pid;
    uint64_t found[6];
    int64_t result;
    int32_t status;
    bool dumped;

    (void)vcpu;
    memcpy(found, args, sizeof(found));
    for (;;) {
        if (!core_limit || (uint32_t)pid == 0x80000000) {
            return host_syscall(__NR_wait4, args);
        }
        result = look(type, pid == -1 ? 0 : id, ((uint32_t)args[2] & ~(uint32_t)WNOWAIT) | WEXITED,
                      &dumped);
        if (result <= 0) {
            return result == -EINVAL ? host_syscall(__NR_wait4, args) : result;
        }
        found[0] = (uint64_t)result;
        found[2] = args[2] | WNOHANG;
        result = host_syscall(__NR_wait4, found);
        if (result && result != -ECHILD) { /* else another thread has waited for it */
            break;
        }
    }
    if (result > 0 && dumped && args[1] && guest_read(&status, args[1], sizeof(status)) == 0) {
        status |= CORE_FLAG;
        (void)guest_write(args[1], &status, sizeof(status));
    }
    return result;
}

/* int waitid(int type, int id, siginfo_t *info, int options, struct rusage *usage) */
HANDLER(waitid)
{
    int32_t code = CLD_DUMPED;
    bool dumped = false;
    int64_t result;

    (void)vcpu;
    if (core_limit) {
        result = look(args[0], args[1], (uint32_t)args[3], &dumped);
        if (result < 0) {
            return result == -EINVAL ? host_syscall(__NR_waitid, args) : result;
        }
        if (result) {
            result = host_syscall(
                __NR_waitid, (uint64_t[6]){P_PID, (uint64_t)result, args[2], args[3], args[4]});
        } else {
            result = host_syscall(__NR_waitid, args);
        }
        if (!result && dumped && args[2]) {
            (void)guest_write(args[2] + offsetof(siginfo_t, si_code), &code, sizeof(code));
        }
        return result;
    }
    return host_syscall(__NR_waitid, args);
}
