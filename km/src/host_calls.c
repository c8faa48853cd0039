// SPDX-License-Identifier: Apache-2.0
/*
 * host_calls.c: --host-calls lists the system calls that km makes for itself, whatever the payload
 * does: a container's seccomp profile must allow them. Runtimes ask, see krun's seccomp.py.
 *
 * Left out are calls that km does without where they are refused, such as mseal, and those that it
 * makes because the payload does.
 */
#include "base/base.h"
#include "top.h"

#include <asm/unistd.h>
#include <stdlib.h>

struct host_call {
    uint16_t number;
    const char *name;
};

#define C(name) {__NR_##name, #name}

static const struct host_call calls[] = {
    C(access),
    C(arch_prctl),
    C(capget),
    C(clock_gettime),
    C(clock_nanosleep),
    C(clone),
    C(close),
    C(dup),
    C(dup2),
    C(dup3),
    C(execveat),
    C(exit),
    C(exit_group),
    C(faccessat2),
    C(fcntl),
    C(fork),
    C(fstat),
    C(fstatfs),
    C(ftruncate),
    C(futex),
    C(getcwd),
    C(getdents64),
    C(getegid),
    C(geteuid),
    C(getgid),
    C(getgroups),
    C(getpid),
    C(getppid),
    C(getrandom),
    C(getrlimit),
    C(gettid),
    C(getuid),
    C(getxattr),
    C(ioctl),
    C(kill),
    C(lseek),
    C(lstat),
    C(madvise),
    C(memfd_create),
    C(mincore),
    C(mmap),
    C(mprotect),
    C(mremap),
    C(munmap),
    C(nanosleep),
    C(newfstatat),
    C(open),
    C(openat),
    C(openat2),
    C(prctl),
    C(pread64),
    C(prlimit64),
    C(pwrite64),
    C(read),
    C(readlink),
    C(readlinkat),
    C(readv),
    C(restart_syscall),
    C(rt_sigaction),
    C(rt_sigprocmask),
    C(rt_sigreturn),
    C(rt_sigtimedwait),
    C(rt_tgsigqueueinfo),
    C(sched_getaffinity),
    C(sched_yield),
    C(seccomp),
    C(set_robust_list),
    C(set_tid_address),
    C(setfsgid),
    C(setfsuid),
    C(setrlimit),
    C(stat),
    C(statfs),
    C(statx),
    C(sysinfo),
    C(tgkill),
    C(tkill),
    C(uname),
    C(wait4),
    C(waitid),
    C(write),
    C(writev),
};

_Noreturn void print_host_calls(void)
{
    bool written = true;

    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        written = printf("%s\n", calls[i].name) > 0 && written;
    }
    exit(written && fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}
