// SPDX-License-Identifier: Apache-2.0
/* any_call.h: which system calls a payload that makes any of them makes. */
#ifndef ANY_CALL_H
#define ANY_CALL_H

#include "payload.h"

#include <sys/syscall.h>

/* What reaches beyond this process, or waits for good, is not a random call's to do. */
static inline bool is_left_out(long number)
{
    static const short numbers[] = {
        SYS_kill,
        SYS_tkill,
        SYS_tgkill,
        SYS_rt_sigqueueinfo,
        SYS_rt_tgsigqueueinfo,
        SYS_pause,
        SYS_unlink,
        SYS_unlinkat,
        SYS_rmdir,
        SYS_rename,
        SYS_reboot,
        SYS_sethostname,
        SYS_setdomainname,
        SYS_clock_settime,
        SYS_settimeofday,
        SYS_vhangup,
        SYS_adjtimex,
        SYS_clock_adjtime,
        SYS_prlimit64,
        SYS_setpriority,
        SYS_sync,
        SYS_syncfs,
        SYS_pidfd_send_signal,
        SYS_ioprio_set,
        SYS_sched_setattr,
        SYS_sched_setscheduler,
        SYS_sched_setparam,
        SYS_sched_setaffinity,
        SYS_fork,
        SYS_vfork,
        SYS_clone,
        SYS_clone3,
        SYS_setpgid,
        SYS_setsid,
    };

    for (size_t i = 0; i < LEN(numbers); i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

#endif /* ANY_CALL_H */
