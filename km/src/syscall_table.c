// SPDX-License-Identifier: Apache-2.0
/*
 * syscall_table.c: every system call that a payload can make. What is not here answers ENOSYS.
 *
 * A line without a handler is forwarded to the host's kernel once its arguments have been checked.
 * What the kernel would remember of the payload's addresses, what reaches into other processes'
 * memory and what loads code into the kernel is not here on purpose.
 */
#include <asm/unistd.h>

#include "syscall.h"

#define INT {ARG_INT, NO_ARG, 0}
#define SIZE {ARG_SIZE, NO_ARG, 0}
#define UINT {ARG_UINT, NO_ARG, 0}
#define HEX {ARG_HEX, NO_ARG, 0}
#define MODE {ARG_OCTAL, NO_ARG, 0}
#define FD {ARG_FD, NO_ARG, 0}
#define DIRFD {ARG_DIRFD, NO_ARG, 0}
#define ADDR {ARG_ADDR, NO_ARG, 0}
#define PATH {ARG_PATH, NO_ARG, 0}
#define IN(size) {ARG_IN, NO_ARG, size}
#define OUT(size) {ARG_OUT, NO_ARG, size}
#define INOUT(size) {ARG_INOUT, NO_ARG, size}
#define IN_BY(arg, size) {ARG_IN, arg, size}
#define OUT_BY(arg, size) {ARG_OUT, arg, size}
#define INOUT_BY(arg, size) {ARG_INOUT, arg, size}
#define IOV_IN(arg) {ARG_IOV_IN, arg, 0}
#define IOV_OUT(arg) {ARG_IOV_OUT, arg, 0}

/* Sizes of the kernel's structures; asm-generic and x86-64 uapi headers. */
#define STAT 144
#define STATX 256
#define STATFS 120
#define TIMESPEC 16
#define TIMEVAL 16
#define ITIMERVAL 32
#define ITIMERSPEC 32
#define RUSAGE 144
#define SIGINFO 128
#define RLIMIT 16
#define SYSINFO 112
#define TIMEX 208
#define FDS 128 /* of 1024 descriptors; a larger set ends below the guard of GUEST_TOP */
#define SOCKLEN 4
#define UPTO 0 /* bounded by a 32-bit number in the payload's memory */

#define FORWARD(name, ...) [__NR_##name] = {#name, NULL, {__VA_ARGS__}, false}
#define RESTART(name, ...) [__NR_##name] = {#name, NULL, {__VA_ARGS__}, true}
#define HANDLE(name, function, ...) [__NR_##name] = {#name, sys_##function, {__VA_ARGS__}, false}
#define HANDLE_RESTART(name, function, ...)                                                        \
    [__NR_##name] = {#name, sys_##function, {__VA_ARGS__}, true}

const struct syscall syscall_table[SYSCALL_COUNT] = {
    /* descriptors: reading, writing, moving */
    RESTART(read, FD, OUT_BY(2, 1), SIZE),
    RESTART(write, FD, IN_BY(2, 1), SIZE),
    RESTART(readv, FD, IOV_OUT(2), SIZE),
    RESTART(writev, FD, IOV_IN(2), SIZE),
    FORWARD(pread64, FD, OUT_BY(2, 1), SIZE, INT),
    FORWARD(pwrite64, FD, IN_BY(2, 1), SIZE, INT),
    FORWARD(preadv, FD, IOV_OUT(2), SIZE, INT, INT),
    FORWARD(pwritev, FD, IOV_IN(2), SIZE, INT, INT),
    FORWARD(preadv2, FD, IOV_OUT(2), SIZE, INT, INT, HEX),
    FORWARD(pwritev2, FD, IOV_IN(2), SIZE, INT, INT, HEX),
    FORWARD(lseek, FD, INT, INT),
    FORWARD(close, FD),
    HANDLE(close_range, close_range, UINT, UINT, HEX),
    FORWARD(dup, FD),
    FORWARD(dup2, FD, FD),
    FORWARD(dup3, FD, FD, HEX),
    FORWARD(pipe, OUT(8)),
    FORWARD(pipe2, OUT(8), HEX),
    HANDLE_RESTART(fcntl, fcntl, FD, INT, HEX),
    HANDLE_RESTART(ioctl, ioctl, FD, HEX, ADDR),
    RESTART(flock, FD, INT),
    FORWARD(sendfile, FD, FD, INOUT(8), SIZE),
    FORWARD(splice, FD, INOUT(8), FD, INOUT(8), SIZE, HEX),
    FORWARD(tee, FD, FD, SIZE, HEX),
    FORWARD(vmsplice, FD, IOV_IN(2), SIZE, HEX),
    FORWARD(copy_file_range, FD, INOUT(8), FD, INOUT(8), SIZE, HEX),
    FORWARD(fallocate, FD, HEX, INT, INT),
    FORWARD(fadvise64, FD, INT, SIZE, INT),
    FORWARD(readahead, FD, INT, SIZE),
    FORWARD(sync_file_range, FD, INT, INT, HEX),

    /* files by name */
    HANDLE_RESTART(open, open, PATH, HEX, MODE),
    HANDLE_RESTART(openat, openat, DIRFD, PATH, HEX, MODE),
    HANDLE(openat2, openat2, DIRFD, PATH, IN_BY(3, 1), SIZE),
    HANDLE(creat, creat, PATH, MODE),
    HANDLE(stat, stat, PATH, OUT(STAT)),
    FORWARD(lstat, PATH, OUT(STAT)),
    FORWARD(fstat, FD, OUT(STAT)),
    HANDLE(newfstatat, newfstatat, DIRFD, PATH, OUT(STAT), HEX),
    HANDLE(statx, statx, DIRFD, PATH, HEX, HEX, OUT(STATX)),
    FORWARD(statfs, PATH, OUT(STATFS)),
    FORWARD(fstatfs, FD, OUT(STATFS)),
    FORWARD(access, PATH, INT),
    FORWARD(faccessat, DIRFD, PATH, INT),
    FORWARD(faccessat2, DIRFD, PATH, INT, HEX),
    HANDLE(readlink, readlink, PATH, OUT_BY(2, 1), INT),
    HANDLE(readlinkat, readlinkat, DIRFD, PATH, OUT_BY(3, 1), INT),
    FORWARD(truncate, PATH, INT),
    FORWARD(ftruncate, FD, INT),
    FORWARD(chmod, PATH, MODE),
    FORWARD(fchmod, FD, MODE),
    FORWARD(fchmodat, DIRFD, PATH, MODE),
    FORWARD(chown, PATH, INT, INT),
    FORWARD(lchown, PATH, INT, INT),
    FORWARD(fchown, FD, INT, INT),
    FORWARD(fchownat, DIRFD, PATH, INT, INT, HEX),
    FORWARD(utime, PATH, IN(16)),
    FORWARD(utimes, PATH, IN(2 * TIMEVAL)),
    FORWARD(futimesat, DIRFD, PATH, IN(2 * TIMEVAL)),
    FORWARD(utimensat, DIRFD, PATH, IN(2 * TIMESPEC), HEX),
    FORWARD(umask, MODE),
    FORWARD(fsync, FD),
    FORWARD(fdatasync, FD),
    FORWARD(sync),
    FORWARD(syncfs, FD),
    FORWARD(memfd_create, PATH, HEX),
    FORWARD(setxattr, PATH, PATH, IN_BY(3, 1), SIZE, HEX),
    FORWARD(lsetxattr, PATH, PATH, IN_BY(3, 1), SIZE, HEX),
    FORWARD(fsetxattr, FD, PATH, IN_BY(3, 1), SIZE, HEX),
    FORWARD(getxattr, PATH, PATH, OUT_BY(3, 1), SIZE),
    FORWARD(lgetxattr, PATH, PATH, OUT_BY(3, 1), SIZE),
    FORWARD(fgetxattr, FD, PATH, OUT_BY(3, 1), SIZE),
    FORWARD(listxattr, PATH, OUT_BY(2, 1), SIZE),
    FORWARD(llistxattr, PATH, OUT_BY(2, 1), SIZE),
    FORWARD(flistxattr, FD, OUT_BY(2, 1), SIZE),
    FORWARD(removexattr, PATH, PATH),
    FORWARD(lremovexattr, PATH, PATH),
    FORWARD(fremovexattr, FD, PATH),

    /* directories and names */
    FORWARD(getdents, FD, OUT_BY(2, 1), UINT),
    HANDLE(getdents64, getdents64, FD, OUT_BY(2, 1), UINT),
    FORWARD(getcwd, OUT_BY(1, 1), SIZE),
    FORWARD(chdir, PATH),
    FORWARD(fchdir, FD),
    FORWARD(chroot, PATH),
    FORWARD(mkdir, PATH, MODE),
    FORWARD(mkdirat, DIRFD, PATH, MODE),
    FORWARD(rmdir, PATH),
    FORWARD(mknod, PATH, MODE, HEX),
    FORWARD(mknodat, DIRFD, PATH, MODE, HEX),
    FORWARD(link, PATH, PATH),
    FORWARD(linkat, DIRFD, PATH, DIRFD, PATH, HEX),
    FORWARD(symlink, PATH, PATH),
    FORWARD(symlinkat, PATH, DIRFD, PATH),
    FORWARD(unlink, PATH),
    FORWARD(unlinkat, DIRFD, PATH, HEX),
    FORWARD(rename, PATH, PATH),
    FORWARD(renameat, DIRFD, PATH, DIRFD, PATH),
    FORWARD(renameat2, DIRFD, PATH, DIRFD, PATH, HEX),
    FORWARD(inotify_init),
    FORWARD(inotify_init1, HEX),
    FORWARD(inotify_add_watch, FD, PATH, HEX),
    FORWARD(inotify_rm_watch, FD, INT),

    /* waiting for descriptors */
    FORWARD(poll, INOUT_BY(1, 8), UINT, INT),
    HANDLE(ppoll, ppoll, INOUT_BY(1, 8), UINT, INOUT(TIMESPEC), IN_BY(4, 1), SIZE),
    FORWARD(select, INT, INOUT(FDS), INOUT(FDS), INOUT(FDS), INOUT(TIMEVAL)),
    HANDLE(pselect6, pselect6, INT, INOUT(FDS), INOUT(FDS), INOUT(FDS), INOUT(TIMESPEC), IN(16)),
    FORWARD(epoll_create, INT),
    FORWARD(epoll_create1, HEX),
    HANDLE(epoll_ctl, epoll_ctl, FD, INT, FD, HEX),
    FORWARD(epoll_wait, FD, OUT_BY(2, 12), INT, INT),
    HANDLE(epoll_pwait, epoll_pwait, FD, OUT_BY(2, 12), INT, INT, IN_BY(5, 1), SIZE),
    HANDLE(epoll_pwait2, epoll_pwait2, FD, OUT_BY(2, 12), INT, IN(TIMESPEC), IN_BY(5, 1), SIZE),
    FORWARD(eventfd, INT),
    FORWARD(eventfd2, INT, HEX),
    FORWARD(signalfd, FD, IN_BY(2, 1), SIZE),
    FORWARD(signalfd4, FD, IN_BY(2, 1), SIZE, HEX),
    FORWARD(timerfd_create, INT, HEX),
    FORWARD(timerfd_settime, FD, HEX, IN(ITIMERSPEC), OUT(ITIMERSPEC)),
    FORWARD(timerfd_gettime, FD, OUT(ITIMERSPEC)),

    /* memory */
    HANDLE(mmap, mmap, ADDR, SIZE, HEX, HEX, INT, HEX),
    HANDLE(munmap, munmap, ADDR, SIZE),
    HANDLE(mprotect, mprotect, ADDR, SIZE, HEX),
    HANDLE(mremap, mremap, ADDR, SIZE, SIZE, HEX, ADDR),
    HANDLE(madvise, madvise, ADDR, SIZE, INT),
    HANDLE(brk, brk, ADDR),
    FORWARD(msync, IN_BY(1, 1), SIZE, HEX),
    FORWARD(mincore, IN_BY(1, 1), SIZE, OUT_BY(1, 1)),
    FORWARD(mlock, IN_BY(1, 1), SIZE),
    FORWARD(mlock2, IN_BY(1, 1), SIZE, HEX),
    FORWARD(munlock, IN_BY(1, 1), SIZE),
    FORWARD(mlockall, HEX),
    FORWARD(munlockall),
    FORWARD(membarrier, INT, HEX, INT),

    /* sockets */
    FORWARD(socket, INT, INT, INT),
    FORWARD(socketpair, INT, INT, INT, OUT(8)),
    FORWARD(bind, FD, IN_BY(2, 1), INT),
    FORWARD(listen, FD, INT),
    RESTART(accept, FD, OUT(UPTO), INOUT(SOCKLEN)),
    RESTART(accept4, FD, OUT(UPTO), INOUT(SOCKLEN), HEX),
    RESTART(connect, FD, IN_BY(2, 1), INT),
    FORWARD(shutdown, FD, INT),
    FORWARD(getsockname, FD, OUT(UPTO), INOUT(SOCKLEN)),
    FORWARD(getpeername, FD, OUT(UPTO), INOUT(SOCKLEN)),
    HANDLE(setsockopt, setsockopt, FD, INT, INT, IN_BY(4, 1), INT),
    FORWARD(getsockopt, FD, INT, INT, OUT(UPTO), INOUT(SOCKLEN)),
    RESTART(sendto, FD, IN_BY(2, 1), SIZE, HEX, IN_BY(5, 1), INT),
    RESTART(recvfrom, FD, OUT_BY(2, 1), SIZE, HEX, OUT(UPTO), INOUT(SOCKLEN)),
    HANDLE_RESTART(sendmsg, sendmsg, FD, ADDR, HEX),
    HANDLE_RESTART(recvmsg, recvmsg, FD, ADDR, HEX),
    HANDLE_RESTART(sendmmsg, sendmmsg, FD, ADDR, UINT, HEX),
    HANDLE_RESTART(recvmmsg, recvmmsg, FD, ADDR, UINT, HEX, IN(TIMESPEC)),

    /* System V IPC and message queues */
    FORWARD(shmget, INT, SIZE, HEX),
    HANDLE(shmat, shmat, INT, ADDR, HEX),
    HANDLE(shmdt, shmdt, ADDR),
    HANDLE(shmctl, shmctl, INT, INT, ADDR),
    FORWARD(semget, INT, INT, HEX),
    FORWARD(semop, INT, IN_BY(2, 6), SIZE),
    FORWARD(semtimedop, INT, IN_BY(2, 6), SIZE, IN(TIMESPEC)),
    HANDLE(semctl, semctl, INT, INT, INT, HEX),
    FORWARD(msgget, INT, HEX),
    HANDLE(msgsnd, msgsnd, INT, ADDR, SIZE, HEX),
    HANDLE(msgrcv, msgrcv, INT, ADDR, SIZE, INT, HEX),
    HANDLE(msgctl, msgctl, INT, INT, ADDR),
    FORWARD(mq_open, PATH, HEX, MODE, IN(64)),
    FORWARD(mq_unlink, PATH),
    FORWARD(mq_timedsend, FD, IN_BY(2, 1), SIZE, UINT, IN(TIMESPEC)),
    FORWARD(mq_timedreceive, FD, OUT_BY(2, 1), SIZE, OUT(4), IN(TIMESPEC)),
    FORWARD(mq_getsetattr, FD, IN(64), OUT(64)),

    /* time */
    FORWARD(time, OUT(8)),
    FORWARD(gettimeofday, OUT(TIMEVAL), OUT(8)),
    FORWARD(settimeofday, IN(TIMEVAL), IN(8)),
    FORWARD(clock_gettime, INT, OUT(TIMESPEC)),
    FORWARD(clock_settime, INT, IN(TIMESPEC)),
    FORWARD(clock_getres, INT, OUT(TIMESPEC)),
    FORWARD(clock_nanosleep, INT, HEX, IN(TIMESPEC), OUT(TIMESPEC)),
    FORWARD(nanosleep, IN(TIMESPEC), OUT(TIMESPEC)),
    FORWARD(adjtimex, INOUT(TIMEX)),
    FORWARD(clock_adjtime, INT, INOUT(TIMEX)),
    FORWARD(times, OUT(32)),
    FORWARD(alarm, UINT),
    FORWARD(timer_create, INT, IN(64), OUT(4)),
    FORWARD(timer_settime, INT, HEX, IN(ITIMERSPEC), OUT(ITIMERSPEC)),
    FORWARD(timer_gettime, INT, OUT(ITIMERSPEC)),
    FORWARD(timer_getoverrun, INT),
    FORWARD(timer_delete, INT),
    FORWARD(getitimer, INT, OUT(ITIMERVAL)),
    FORWARD(setitimer, INT, IN(ITIMERVAL), OUT(ITIMERVAL)),

    /* signals */
    HANDLE(rt_sigaction, rt_sigaction, INT, IN(32), OUT(32), SIZE),
    HANDLE(rt_sigprocmask, rt_sigprocmask, INT, IN(8), OUT(8), SIZE),
    HANDLE(rt_sigreturn, rt_sigreturn),
    HANDLE(rt_sigsuspend, rt_sigsuspend, IN(8), SIZE),
    HANDLE(sigaltstack, sigaltstack, IN(24), OUT(24)),
    FORWARD(rt_sigpending, OUT_BY(1, 1), SIZE),
    FORWARD(rt_sigtimedwait, IN_BY(3, 1), OUT(SIGINFO), IN(TIMESPEC), SIZE),
    FORWARD(rt_sigqueueinfo, INT, INT, IN(SIGINFO)),
    FORWARD(rt_tgsigqueueinfo, INT, INT, INT, IN(SIGINFO)),
    FORWARD(pause),
    FORWARD(kill, INT, INT),
    FORWARD(tkill, INT, INT),
    FORWARD(tgkill, INT, INT, INT),
    FORWARD(pidfd_open, INT, HEX),
    FORWARD(pidfd_send_signal, FD, INT, IN(SIGINFO), HEX),

    /* the process */
    HANDLE(exit, exit, INT),
    HANDLE(exit_group, exit_group, INT),
    HANDLE(fork, fork),
    HANDLE(vfork, vfork),
    HANDLE(clone, clone, HEX, ADDR, ADDR, ADDR, ADDR),
    HANDLE(clone3, clone3, ADDR, SIZE),
    HANDLE(execve, execve, PATH, ADDR, ADDR),
    HANDLE(execveat, execveat, DIRFD, PATH, ADDR, ADDR, HEX),
    RESTART(wait4, INT, OUT(4), HEX, OUT(RUSAGE)),
    RESTART(waitid, INT, INT, OUT(SIGINFO), HEX, OUT(RUSAGE)),
    HANDLE(arch_prctl, arch_prctl, HEX, ADDR),
    HANDLE(set_tid_address, set_tid_address, ADDR),
    HANDLE(set_robust_list, set_robust_list, ADDR, SIZE),
    HANDLE(get_robust_list, get_robust_list, INT, OUT(8), OUT(8)),
    HANDLE(prctl, prctl, INT, HEX, HEX, HEX, HEX),
    HANDLE(uname, uname, OUT(390)),
    FORWARD(getpid),
    FORWARD(getppid),
    FORWARD(gettid),
    FORWARD(getpgid, INT),
    FORWARD(getpgrp),
    FORWARD(setpgid, INT, INT),
    FORWARD(getsid, INT),
    FORWARD(setsid),
    FORWARD(getuid),
    FORWARD(geteuid),
    FORWARD(getgid),
    FORWARD(getegid),
    FORWARD(getresuid, OUT(4), OUT(4), OUT(4)),
    FORWARD(getresgid, OUT(4), OUT(4), OUT(4)),
    FORWARD(setuid, INT),
    FORWARD(setgid, INT),
    FORWARD(setreuid, INT, INT),
    FORWARD(setregid, INT, INT),
    FORWARD(setresuid, INT, INT, INT),
    FORWARD(setresgid, INT, INT, INT),
    FORWARD(setfsuid, INT),
    FORWARD(setfsgid, INT),
    FORWARD(getgroups, INT, OUT_BY(0, 4)),
    FORWARD(setgroups, INT, IN_BY(0, 4)),
    FORWARD(capget, INOUT(8), OUT(24)),
    FORWARD(capset, INOUT(8), IN(24)),
    FORWARD(getrlimit, INT, OUT(RLIMIT)),
    FORWARD(setrlimit, INT, IN(RLIMIT)),
    FORWARD(prlimit64, INT, INT, IN(RLIMIT), OUT(RLIMIT)),
    FORWARD(getrusage, INT, OUT(RUSAGE)),
    FORWARD(getpriority, INT, INT),
    FORWARD(setpriority, INT, INT, INT),
    FORWARD(ioprio_get, INT, INT),
    FORWARD(ioprio_set, INT, INT, INT),
    FORWARD(sched_yield),
    FORWARD(sched_getaffinity, INT, UINT, OUT_BY(1, 1)),
    FORWARD(sched_setaffinity, INT, UINT, IN_BY(1, 1)),
    FORWARD(sched_getparam, INT, OUT(4)),
    FORWARD(sched_setparam, INT, IN(4)),
    FORWARD(sched_getscheduler, INT),
    FORWARD(sched_setscheduler, INT, INT, IN(4)),
    FORWARD(sched_get_priority_max, INT),
    FORWARD(sched_get_priority_min, INT),
    FORWARD(sched_rr_get_interval, INT, OUT(TIMESPEC)),
    FORWARD(sched_getattr, INT, OUT_BY(2, 1), UINT, HEX),
    FORWARD(sched_setattr, INT, IN(56), HEX),
    FORWARD(getcpu, OUT(4), OUT(4), ADDR),
    HANDLE(futex, futex, INOUT(4), INT, INT, HEX, HEX, INT),
    FORWARD(sysinfo, OUT(SYSINFO)),
    FORWARD(syslog, INT, OUT_BY(2, 1), INT),
    FORWARD(getrandom, OUT_BY(1, 1), SIZE, HEX),
    FORWARD(sethostname, IN_BY(1, 1), INT),
    FORWARD(setdomainname, IN_BY(1, 1), INT),
    FORWARD(personality, HEX),
    FORWARD(unshare, HEX),
};
