// SPDX-License-Identifier: Apache-2.0
/* Asks who and what this process is, and what it may use. */
#include "payload.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

int main(void)
{
    static const int limits[] = {RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_AS,
                                 RLIMIT_DATA,  RLIMIT_FSIZE,  RLIMIT_NPROC};
    struct rlimit limit;
    struct rusage usage;
    struct sysinfo info;
    cpu_set_t cpus;
    gid_t groups[64];
    char name[16] = "", random[32];

    SHOW(getuid() * 1000 + geteuid());
    SHOW(getgid() * 1000 + getegid());
    SHOW(getgroups(64, groups));
    SHOW(getgroups(-1, groups));
    SHOW(getpid() == syscall(SYS_gettid) && getpid() > 0);
    SHOW(getppid() > 0);
    SHOW(getpgid(0) == getpgrp());
    SHOW(getsid(99999999));
    for (size_t i = 0; i < LEN(limits); i++) {
        SHOW(getrlimit(limits[i], &limit));
        printf("%d: %lx %lx\n", limits[i], (long)limit.rlim_cur, (long)limit.rlim_max);
    }
    SHOW(sched_getaffinity(0, sizeof(cpus), &cpus));
    SHOW(CPU_COUNT(&cpus));
    SHOW(sysconf(_SC_NPROCESSORS_ONLN));
    SHOW(getrusage(RUSAGE_SELF, &usage));
    SHOW(usage.ru_maxrss > 0);
    SHOW(sysinfo(&info));
    SHOW(info.totalram);
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(sched_yield());
    SHOW(sched_getscheduler(0));
    SHOW(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
    SHOW(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(12345, 0, 0, 0, 0));
    SHOW(getrandom(random, sizeof(random), GRND_NONBLOCK));
    SHOW(getrandom(random, sizeof(random), 0xff00));
    SHOW(waitpid(-1, NULL, 0));
    return 0;
}
