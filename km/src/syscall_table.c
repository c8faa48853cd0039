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

/* Newer than the headers of the oldest system that builds this. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#define __NR_fchmodat2 452
#define __NR_futex_wake 454
#define __NR_statmount 457
#define __NR_listmount 458
#endif

#define INT {ARG_INT, NO_ARG, 0, SHOW_PLAIN}
#define PID {ARG_PID, NO_ARG, 0, SHOW_PLAIN} /* of a process, a thread or a group */
#define SIZE {ARG_SIZE, NO_ARG, 0, SHOW_PLAIN}
#define UINT {ARG_UINT, NO_ARG, 0, SHOW_PLAIN}
#define HEX {ARG_HEX, NO_ARG, 0, SHOW_PLAIN}
#define MODE {ARG_OCTAL, NO_ARG, 0, SHOW_PLAIN}
#define NAMED(list) {ARG_INT, NO_ARG, 0, SHOW_##list}
#define FD {ARG_FD, NO_ARG, 0, SHOW_PLAIN}
#define DIRFD {ARG_DIRFD, NO_ARG, 0, SHOW_PLAIN}
#define ADDR {ARG_ADDR, NO_ARG, 0, SHOW_PLAIN}
#define STRINGS {ARG_ADDR, NO_ARG, 0, SHOW_STRINGS}
/* What is named is a stretch of mappings, not their content. */
#define MAPPED(arg) {ARG_IN, arg, 1, SHOW_ADDRESS}
#define PATH {ARG_PATH, NO_ARG, 0, SHOW_PLAIN}
/* The size is a number of bytes, or a structure below. */
#define IN(...) {ARG_IN, NO_ARG, __VA_ARGS__}
#define OUT(...) {ARG_OUT, NO_ARG, __VA_ARGS__}
#define INOUT(...) {ARG_INOUT, NO_ARG, __VA_ARGS__}
#define IN_BY(arg, ...) {ARG_IN, arg, __VA_ARGS__}
#define OUT_BY(arg, ...) {ARG_OUT, arg, __VA_ARGS__}
#define INOUT_BY(arg, ...) {ARG_INOUT, arg, __VA_ARGS__}
#define IOV_IN(arg) {ARG_IOV_IN, arg, 0, SHOW_PLAIN}
#define IOV_OUT(arg) {ARG_IOV_OUT, arg, 0, SHOW_PLAIN}

/* Sizes of the kernel's structures, and how they are shown; asm-generic and x86-64 uapi headers. */
#define STAT 144, SHOW_STAT
#define STATX 256
#define STATFS 120
#define TIMESPEC 16, SHOW_TIMESPEC
#define TIMEVAL 16, SHOW_TIMEVAL
#define ITIMERVAL 32, SHOW_ITIMERVAL
#define ITIMERSPEC 32, SHOW_ITIMERSPEC
#define RUSAGE 144, SHOW_RUSAGE
#define SIGACTION 32, SHOW_SIGACTION
#define SIGINFO 128, SHOW_SIGINFO
#define SIGSET 8, SHOW_SIGSET
#define STACK_T 24, SHOW_STACK
#define RLIMIT 16, SHOW_RLIMIT
#define UTSNAME 390, SHOW_UTSNAME
#define POLLFD 8, SHOW_POLLFD
#define EPOLL_EVENT 12, SHOW_EPOLL_EVENT
#define SOCKADDR 1, SHOW_SOCKADDR /* by a length */
#define SOCKADDR_UPTO 0, SHOW_SOCKADDR
#define FD_PAIR 8, SHOW_INT
#define ID 4, SHOW_INT
#define OFFSET 8, SHOW_OFFSET
#define STATUS 4, SHOW_WAIT_STATUS
#define SYSINFO 112
#define TIMEX 208
#define FDS 128 /* of 1024 descriptors; a larger set ends below the guard of GUEST_TOP */
#define SOCKLEN 4, SHOW_INT
#define UPTO 0 /* bounded by a 32-bit number in the payload's memory */

#define LINE(name, function, waits, helped, ...)                                                   \
    [__NR_##name] = {#name, function, {__VA_ARGS__}, waits, helped}
#define FORWARD(name, ...) LINE(name, NULL, WAITS_NOT, HELPED_NOT, __VA_ARGS__)
#define WAIT(name, ...) LINE(name, NULL, WAITS, HELPED_NOT, __VA_ARGS__)
#define RESTART(name, ...) LINE(name, NULL, RESTARTS, HELPED_NOT, __VA_ARGS__)
#define HANDLE(name, function, ...) LINE(name, sys_##function, WAITS_NOT, HELPED_NOT, __VA_ARGS__)
#define HANDLE_WAIT(name, function, ...) LINE(name, sys_##function, WAITS, HELPED_NOT, __VA_ARGS__)
#define HANDLE_RESTART(name, function, ...)                                                        \
    LINE(name, sys_##function, RESTARTS, HELPED_NOT, __VA_ARGS__)
/* By the helper too; by it on a file only; of what a thread has of its own. */
#define FORWARD_HELPED(name, ...) LINE(name, NULL, WAITS_NOT, HELPED, __VA_ARGS__)
#define FORWARD_ON_FILE(name, ...) LINE(name, NULL, WAITS_NOT, HELPED_ON_FILE, __VA_ARGS__)
#define FORWARD_OWN(name, ...) LINE(name, NULL, WAITS_NOT, ENDS_HELPER, __VA_ARGS__)
#define RESTART_ON_FILE(name, ...) LINE(name, NULL, RESTARTS, HELPED_ON_FILE, __VA_ARGS__)
#define HANDLE_HELPED(name, function, ...)                                                         \
    LINE(name, sys_##function, WAITS_NOT, HELPED, __VA_ARGS__)
#define HANDLE_ON_FILE(name, function, ...)                                                        \
    LINE(name, sys_##function, WAITS_NOT, HELPED_ON_FILE, __VA_ARGS__)
#define HANDLE_OWN(name, function, ...)                                                            \
    LINE(name, sys_##function, WAITS_NOT, ENDS_HELPER, __VA_ARGS__)

const struct syscall syscall_table[SYSCALL_COUNT] = {
    /* descriptors: reading, writing, moving */
    RESTART_ON_FILE(read, FD, OUT_BY(2, 1), SIZE),
    RESTART_ON_FILE(write, FD, IN_BY(2, 1), SIZE),
    RESTART_ON_FILE(readv, FD, IOV_OUT(2), SIZE),
    RESTART_ON_FILE(writev, FD, IOV_IN(2), SIZE),
    FORWARD_ON_FILE(pread64, FD, OUT_BY(2, 1), SIZE, INT),
    FORWARD_ON_FILE(pwrite64, FD, IN_BY(2, 1), SIZE, INT),
    FORWARD(preadv, FD, IOV_OUT(2), SIZE, INT, INT),
    FORWARD(pwritev, FD, IOV_IN(2), SIZE, INT, INT),
    FORWARD(preadv2, FD, IOV_OUT(2), SIZE, INT, INT, HEX),
    FORWARD(pwritev2, FD, IOV_IN(2), SIZE, INT, INT, HEX),
    FORWARD_HELPED(lseek, FD, INT, NAMED(WHENCE)),
    FORWARD_ON_FILE(close, FD),
    HANDLE(close_range, close_range, UINT, UINT, NAMED(CLOSE_RANGE)),
    FORWARD(dup, FD),
    FORWARD(dup2, FD, FD),
    FORWARD(dup3, FD, FD, NAMED(OPEN)),
    FORWARD(pipe, OUT(FD_PAIR)),
    FORWARD(pipe2, OUT(FD_PAIR), NAMED(OPEN)),
    HANDLE_RESTART(fcntl, fcntl, FD, NAMED(FCNTL), HEX),
    HANDLE_RESTART(ioctl, ioctl, FD, NAMED(IOCTL), ADDR),
    RESTART(flock, FD, NAMED(FLOCK)),
    RESTART(sendfile, FD, FD, INOUT(OFFSET), SIZE),
    RESTART(splice, FD, INOUT(OFFSET), FD, INOUT(OFFSET), SIZE, HEX),
    RESTART(tee, FD, FD, SIZE, HEX),
    RESTART(vmsplice, FD, IOV_IN(2), SIZE, HEX),
    FORWARD(copy_file_range, FD, INOUT(OFFSET), FD, INOUT(OFFSET), SIZE, HEX),
    FORWARD(fallocate, FD, NAMED(FALLOCATE), INT, INT),
    FORWARD(fadvise64, FD, INT, SIZE, NAMED(FADVICE)),
    FORWARD(readahead, FD, INT, SIZE),
    FORWARD(sync_file_range, FD, INT, INT, HEX),

    /* files by name */
    HANDLE_RESTART(open, open, PATH, NAMED(OPEN), MODE),
    HANDLE_RESTART(openat, openat, DIRFD, PATH, NAMED(OPEN), MODE),
    HANDLE(openat2, openat2, DIRFD, PATH, IN_BY(3, 1), SIZE),
    HANDLE(creat, creat, PATH, MODE),
    HANDLE_HELPED(stat, stat, PATH, OUT(STAT)),
    FORWARD_HELPED(lstat, PATH, OUT(STAT)),
    FORWARD_HELPED(fstat, FD, OUT(STAT)),
    HANDLE_HELPED(newfstatat, newfstatat, DIRFD, PATH, OUT(STAT), NAMED(AT)),
    HANDLE_HELPED(statx, statx, DIRFD, PATH, NAMED(AT), HEX, OUT(STATX)),
    FORWARD_HELPED(statfs, PATH, OUT(STATFS)),
    FORWARD_HELPED(fstatfs, FD, OUT(STATFS)),
    FORWARD_HELPED(access, PATH, NAMED(ACCESS)),
    FORWARD_HELPED(faccessat, DIRFD, PATH, NAMED(ACCESS)),
    FORWARD_HELPED(faccessat2, DIRFD, PATH, NAMED(ACCESS), NAMED(AT)),
    HANDLE(readlink, readlink, PATH, OUT_BY(2, 1), INT),
    HANDLE(readlinkat, readlinkat, DIRFD, PATH, OUT_BY(3, 1), INT),
    FORWARD(truncate, PATH, INT),
    FORWARD(ftruncate, FD, INT),
    FORWARD(chmod, PATH, MODE),
    FORWARD(fchmod, FD, MODE),
    FORWARD(fchmodat, DIRFD, PATH, MODE),
    FORWARD(fchmodat2, DIRFD, PATH, MODE, NAMED(AT)),
    FORWARD(chown, PATH, INT, INT),
    FORWARD(lchown, PATH, INT, INT),
    FORWARD(fchown, FD, INT, INT),
    FORWARD(fchownat, DIRFD, PATH, INT, INT, NAMED(AT)),
    FORWARD(utime, PATH, IN(16)),
    FORWARD(utimes, PATH, IN(2 * TIMEVAL)),
    FORWARD(futimesat, DIRFD, PATH, IN(2 * TIMEVAL)),
    FORWARD(utimensat, DIRFD, PATH, IN(2 * TIMESPEC), NAMED(AT)),
    FORWARD_HELPED(umask, MODE),
    FORWARD(fsync, FD),
    FORWARD(fdatasync, FD),
    FORWARD(cachestat, FD, IN(16), OUT(40), HEX),
    FORWARD(ustat, HEX, OUT(32)),
    FORWARD(name_to_handle_at, DIRFD, PATH, INOUT(UPTO), OUT(8), NAMED(AT)),
    FORWARD(statmount, IN(UPTO), OUT_BY(2, 1), SIZE, HEX),
    FORWARD(listmount, IN(UPTO), OUT_BY(2, 8), SIZE, HEX),
    FORWARD(sync),
    FORWARD(syncfs, FD),
    FORWARD(memfd_create, PATH, NAMED(MEMFD)),
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
    FORWARD_ON_FILE(getdents, FD, OUT_BY(2, 1), UINT),
    HANDLE_ON_FILE(getdents64, getdents64, FD, OUT_BY(2, 1), UINT),
    FORWARD_HELPED(getcwd, OUT_BY(1, 1), SIZE),
    FORWARD(chdir, PATH),
    FORWARD(fchdir, FD),
    FORWARD(chroot, PATH),
    FORWARD(mkdir, PATH, MODE),
    FORWARD(mkdirat, DIRFD, PATH, MODE),
    FORWARD(rmdir, PATH),
    FORWARD(mknod, PATH, MODE, HEX),
    FORWARD(mknodat, DIRFD, PATH, MODE, HEX),
    FORWARD(link, PATH, PATH),
    FORWARD(linkat, DIRFD, PATH, DIRFD, PATH, NAMED(AT)),
    FORWARD(symlink, PATH, PATH),
    FORWARD(symlinkat, PATH, DIRFD, PATH),
    FORWARD(unlink, PATH),
    FORWARD(unlinkat, DIRFD, PATH, NAMED(UNLINK)),
    FORWARD(rename, PATH, PATH),
    FORWARD(renameat, DIRFD, PATH, DIRFD, PATH),
    FORWARD(renameat2, DIRFD, PATH, DIRFD, PATH, NAMED(RENAME)),
    FORWARD(inotify_init),
    FORWARD(inotify_init1, NAMED(OPEN)),
    FORWARD(inotify_add_watch, FD, PATH, NAMED(WATCH)),
    FORWARD(inotify_rm_watch, FD, INT),

    /* waiting for descriptors */
    WAIT(poll, INOUT_BY(1, POLLFD), UINT, INT),
    HANDLE_WAIT(ppoll, ppoll, INOUT_BY(1, POLLFD), UINT, INOUT(TIMESPEC), IN_BY(4, 1, SHOW_SIGSET),
                SIZE),
    WAIT(select, INT, INOUT(FDS), INOUT(FDS), INOUT(FDS), INOUT(TIMEVAL)),
    HANDLE_WAIT(pselect6, pselect6, INT, INOUT(FDS), INOUT(FDS), INOUT(FDS), INOUT(TIMESPEC),
                IN(16)),
    FORWARD(epoll_create, INT),
    FORWARD(epoll_create1, NAMED(OPEN)),
    HANDLE(epoll_ctl, epoll_ctl, FD, NAMED(EPOLL_OP), FD, {ARG_ADDR, NO_ARG, EPOLL_EVENT}),
    WAIT(epoll_wait, FD, OUT_BY(2, EPOLL_EVENT), INT, INT),
    HANDLE_WAIT(epoll_pwait, epoll_pwait, FD, OUT_BY(2, EPOLL_EVENT), INT, INT,
                IN_BY(5, 1, SHOW_SIGSET), SIZE),
    HANDLE_WAIT(epoll_pwait2, epoll_pwait2, FD, OUT_BY(2, EPOLL_EVENT), INT, IN(TIMESPEC),
                IN_BY(5, 1, SHOW_SIGSET), SIZE),
    FORWARD(eventfd, INT),
    FORWARD(eventfd2, INT, NAMED(EVENTFD)),
    FORWARD(signalfd, FD, IN_BY(2, 1, SHOW_SIGSET), SIZE),
    FORWARD(signalfd4, FD, IN_BY(2, 1, SHOW_SIGSET), SIZE, NAMED(OPEN)),
    FORWARD(timerfd_create, NAMED(CLOCK), NAMED(OPEN)),
    FORWARD(timerfd_settime, FD, NAMED(TIMER), IN(ITIMERSPEC), OUT(ITIMERSPEC)),
    FORWARD(timerfd_gettime, FD, OUT(ITIMERSPEC)),

    /* asynchronous reading and writing */
    HANDLE(io_setup, io_setup, UINT, INOUT(8, SHOW_OFFSET)),
    HANDLE(io_destroy, io_destroy, HEX),
    HANDLE(io_submit, io_submit, HEX, INT, ADDR),
    HANDLE(io_cancel, io_cancel, HEX, ADDR, OUT(32)),
    HANDLE_WAIT(io_getevents, io_getevents, HEX, INT, INT, OUT_BY(2, 32), IN(TIMESPEC)),
    HANDLE_WAIT(io_pgetevents, io_pgetevents, HEX, INT, INT, OUT_BY(2, 32), IN(TIMESPEC), IN(16)),

    /* memory */
    HANDLE(mmap, mmap, ADDR, SIZE, NAMED(PROT), NAMED(MAP), INT, HEX),
    HANDLE(munmap, munmap, ADDR, SIZE),
    HANDLE(mprotect, mprotect, ADDR, SIZE, NAMED(PROT)),
    HANDLE(mremap, mremap, ADDR, SIZE, SIZE, NAMED(MREMAP), ADDR),
    HANDLE(madvise, madvise, ADDR, SIZE, NAMED(ADVICE)),
    HANDLE(remap_file_pages, remap_file_pages, ADDR, SIZE, NAMED(PROT), SIZE, HEX),
    HANDLE(brk, brk, ADDR),
    FORWARD(msync, MAPPED(1), SIZE, NAMED(MSYNC)),
    FORWARD(mincore, MAPPED(1), SIZE, OUT_BY(1, 1)),
    FORWARD(mlock, MAPPED(1), SIZE),
    FORWARD(mlock2, MAPPED(1), SIZE, HEX),
    FORWARD(munlock, MAPPED(1), SIZE),
    FORWARD(mlockall, HEX),
    FORWARD(munlockall),
    FORWARD(membarrier, INT, HEX, INT),
    FORWARD(mbind, MAPPED(1), SIZE, INT, IN(UPTO), SIZE, HEX),
    FORWARD_OWN(set_mempolicy, INT, IN(UPTO), SIZE),
    HANDLE(get_mempolicy, get_mempolicy, OUT(4), OUT(UPTO), SIZE, ADDR, HEX),
    FORWARD(set_mempolicy_home_node, MAPPED(1), SIZE, INT, HEX),
    HANDLE(pkey_mprotect, pkey_mprotect, ADDR, SIZE, NAMED(PROT), INT),
    HANDLE(pkey_alloc, pkey_alloc, HEX, HEX),
    HANDLE(pkey_free, pkey_free, INT),

    /* sockets */
    HANDLE(socket, socket, NAMED(DOMAIN), NAMED(SOCKET), INT),
    HANDLE(socketpair, socketpair, NAMED(DOMAIN), NAMED(SOCKET), INT, OUT(FD_PAIR)),
    FORWARD(bind, FD, IN_BY(2, SOCKADDR), INT),
    FORWARD(listen, FD, INT),
    RESTART(accept, FD, OUT(SOCKADDR_UPTO), INOUT(SOCKLEN)),
    RESTART(accept4, FD, OUT(SOCKADDR_UPTO), INOUT(SOCKLEN), NAMED(SOCKET)),
    RESTART(connect, FD, IN_BY(2, SOCKADDR), INT),
    FORWARD(shutdown, FD, NAMED(SHUTDOWN)),
    FORWARD(getsockname, FD, OUT(SOCKADDR_UPTO), INOUT(SOCKLEN)),
    FORWARD(getpeername, FD, OUT(SOCKADDR_UPTO), INOUT(SOCKLEN)),
    HANDLE(setsockopt, setsockopt, FD, NAMED(SOCKET_LEVEL), NAMED(SOCKET_OPTION), IN_BY(4, 1), INT),
    HANDLE(getsockopt, getsockopt, FD, NAMED(SOCKET_LEVEL), NAMED(SOCKET_OPTION), OUT(UPTO),
           INOUT(SOCKLEN)),
    RESTART(sendto, FD, IN_BY(2, 1), SIZE, NAMED(MSG), IN_BY(5, SOCKADDR), INT),
    RESTART(recvfrom, FD, OUT_BY(2, 1), SIZE, NAMED(MSG), OUT(SOCKADDR_UPTO), INOUT(SOCKLEN)),
    HANDLE_RESTART(sendmsg, sendmsg, FD, ADDR, NAMED(MSG)),
    HANDLE_RESTART(recvmsg, recvmsg, FD, ADDR, NAMED(MSG)),
    HANDLE_RESTART(sendmmsg, sendmmsg, FD, ADDR, UINT, NAMED(MSG)),
    HANDLE_RESTART(recvmmsg, recvmmsg, FD, ADDR, UINT, NAMED(MSG), IN(TIMESPEC)),

    /* System V IPC and message queues */
    FORWARD(shmget, INT, SIZE, HEX),
    HANDLE(shmat, shmat, INT, ADDR, HEX),
    HANDLE(shmdt, shmdt, ADDR),
    HANDLE(shmctl, shmctl, INT, INT, ADDR),
    FORWARD(semget, INT, INT, HEX),
    WAIT(semop, INT, IN_BY(2, 6), SIZE),
    WAIT(semtimedop, INT, IN_BY(2, 6), SIZE, IN(TIMESPEC)),
    HANDLE(semctl, semctl, INT, INT, INT, HEX),
    FORWARD(msgget, INT, HEX),
    HANDLE_WAIT(msgsnd, msgsnd, INT, ADDR, SIZE, HEX),
    HANDLE_WAIT(msgrcv, msgrcv, INT, ADDR, SIZE, INT, HEX),
    HANDLE(msgctl, msgctl, INT, INT, ADDR),
    FORWARD(mq_open, PATH, NAMED(OPEN), MODE, IN(64)),
    FORWARD(mq_unlink, PATH),
    FORWARD(mq_timedsend, FD, IN_BY(2, 1), SIZE, UINT, IN(TIMESPEC)),
    FORWARD(mq_timedreceive, FD, OUT_BY(2, 1), SIZE, OUT(4), IN(TIMESPEC)),
    FORWARD(mq_getsetattr, FD, IN(64), OUT(64)),
    HANDLE(mq_notify, mq_notify, FD, IN(64)),

    /* time */
    FORWARD(time, OUT(8)),
    FORWARD(gettimeofday, OUT(TIMEVAL), OUT(8)),
    FORWARD(settimeofday, IN(TIMEVAL), IN(8)),
    FORWARD(clock_gettime, NAMED(CLOCK), OUT(TIMESPEC)),
    FORWARD(clock_settime, NAMED(CLOCK), IN(TIMESPEC)),
    FORWARD(clock_getres, NAMED(CLOCK), OUT(TIMESPEC)),
    WAIT(clock_nanosleep, NAMED(CLOCK), NAMED(TIMER), IN(TIMESPEC), OUT(TIMESPEC)),
    WAIT(nanosleep, IN(TIMESPEC), OUT(TIMESPEC)),
    FORWARD(adjtimex, INOUT(TIMEX)),
    FORWARD(clock_adjtime, NAMED(CLOCK), INOUT(TIMEX)),
    FORWARD(times, OUT(32)),
    FORWARD(alarm, UINT),
    FORWARD(timer_create, NAMED(CLOCK), IN(64), OUT(ID)),
    FORWARD(timer_settime, INT, NAMED(TIMER), IN(ITIMERSPEC), OUT(ITIMERSPEC)),
    FORWARD(timer_gettime, INT, OUT(ITIMERSPEC)),
    FORWARD(timer_getoverrun, INT),
    FORWARD(timer_delete, INT),
    FORWARD(getitimer, NAMED(ITIMER), OUT(ITIMERVAL)),
    FORWARD(setitimer, NAMED(ITIMER), IN(ITIMERVAL), OUT(ITIMERVAL)),

    /* signals */
    HANDLE(rt_sigaction, rt_sigaction, NAMED(SIGNAL), IN(SIGACTION), OUT(SIGACTION), SIZE),
    HANDLE(rt_sigprocmask, rt_sigprocmask, NAMED(SIGNAL_HOW), IN(SIGSET), OUT(SIGSET), SIZE),
    HANDLE(rt_sigreturn, rt_sigreturn),
    HANDLE_WAIT(rt_sigsuspend, rt_sigsuspend, IN(SIGSET), SIZE),
    HANDLE(sigaltstack, sigaltstack, IN(STACK_T), OUT(STACK_T)),
    FORWARD(rt_sigpending, OUT_BY(1, 1, SHOW_SIGSET), SIZE),
    WAIT(rt_sigtimedwait, IN_BY(3, 1, SHOW_SIGSET), OUT(SIGINFO), IN(TIMESPEC), SIZE),
    HANDLE(rt_sigqueueinfo, rt_sigqueueinfo, PID, NAMED(SIGNAL), IN(SIGINFO)),
    HANDLE(rt_tgsigqueueinfo, rt_tgsigqueueinfo, PID, PID, NAMED(SIGNAL), IN(SIGINFO)),
    WAIT(pause),
    FORWARD(kill, PID, NAMED(SIGNAL)),
    FORWARD(tkill, PID, NAMED(SIGNAL)),
    FORWARD(tgkill, PID, PID, NAMED(SIGNAL)),
    FORWARD(pidfd_open, PID, HEX),
    HANDLE(pidfd_send_signal, pidfd_send_signal, FD, NAMED(SIGNAL), IN(SIGINFO), HEX),

    /* the process */
    HANDLE(exit, exit, INT),
    HANDLE(exit_group, exit_group, INT),
    HANDLE(fork, fork),
    HANDLE(vfork, vfork),
    HANDLE(clone, clone, NAMED(CLONE), ADDR, ADDR, ADDR, ADDR),
    HANDLE(clone3, clone3, ADDR, SIZE),
    HANDLE(execve, execve, PATH, STRINGS, ADDR),
    HANDLE(execveat, execveat, DIRFD, PATH, STRINGS, ADDR, NAMED(AT)),
    RESTART(wait4, PID, OUT(STATUS), NAMED(WAIT), OUT(RUSAGE)),
    RESTART(waitid, NAMED(WAIT_ID), INT, OUT(SIGINFO), NAMED(WAIT), OUT(RUSAGE)),
    HANDLE(arch_prctl, arch_prctl, NAMED(ARCH_PRCTL), ADDR),
    HANDLE(set_tid_address, set_tid_address, ADDR),
    HANDLE(set_robust_list, set_robust_list, ADDR, SIZE),
    HANDLE(get_robust_list, get_robust_list, PID, OUT(8), OUT(8)),
    HANDLE_OWN(prctl, prctl, NAMED(PRCTL), HEX, HEX, HEX, HEX),
    HANDLE_OWN(seccomp, seccomp, UINT, HEX, ADDR),
    HANDLE_HELPED(uname, uname, OUT(UTSNAME)),
    FORWARD(getpid),
    FORWARD_HELPED(getppid),
    FORWARD(gettid),
    FORWARD_HELPED(getpgid, PID),
    FORWARD_HELPED(getpgrp),
    FORWARD(setpgid, PID, PID),
    FORWARD_HELPED(getsid, PID),
    FORWARD(setsid),
    FORWARD(getuid),
    FORWARD(geteuid),
    FORWARD(getgid),
    FORWARD(getegid),
    FORWARD_HELPED(getresuid, OUT(ID), OUT(ID), OUT(ID)),
    FORWARD_HELPED(getresgid, OUT(ID), OUT(ID), OUT(ID)),
    FORWARD_OWN(setuid, INT),
    FORWARD_OWN(setgid, INT),
    FORWARD_OWN(setreuid, INT, INT),
    FORWARD_OWN(setregid, INT, INT),
    FORWARD_OWN(setresuid, INT, INT, INT),
    FORWARD_OWN(setresgid, INT, INT, INT),
    FORWARD_OWN(setfsuid, INT),
    FORWARD_OWN(setfsgid, INT),
    FORWARD_HELPED(getgroups, INT, OUT_BY(0, ID)),
    FORWARD_OWN(setgroups, INT, IN_BY(0, ID)),
    FORWARD(capget, INOUT(8), OUT(24)),
    FORWARD_OWN(capset, INOUT(8), IN(24)),
    HANDLE(getrlimit, getrlimit, NAMED(RESOURCE), OUT(RLIMIT)),
    HANDLE(setrlimit, setrlimit, NAMED(RESOURCE), IN(RLIMIT)),
    HANDLE(prlimit64, prlimit64, PID, NAMED(RESOURCE), IN(RLIMIT), OUT(RLIMIT)),
    FORWARD(getrusage, NAMED(RUSAGE_WHO), OUT(RUSAGE)),
    FORWARD_HELPED(getpriority, NAMED(PRIORITY), INT),
    FORWARD_OWN(setpriority, NAMED(PRIORITY), INT, INT),
    FORWARD(ioprio_get, INT, INT),
    FORWARD_OWN(ioprio_set, INT, INT, INT),
    FORWARD(sched_yield),
    FORWARD(sched_getaffinity, PID, UINT, OUT_BY(1, 1)),
    FORWARD_OWN(sched_setaffinity, PID, UINT, IN_BY(1, 1)),
    FORWARD(sched_getparam, PID, OUT(4)),
    FORWARD_OWN(sched_setparam, PID, IN(4)),
    FORWARD(sched_getscheduler, PID),
    FORWARD_OWN(sched_setscheduler, PID, NAMED(SCHED), IN(4)),
    FORWARD(sched_get_priority_max, NAMED(SCHED)),
    FORWARD(sched_get_priority_min, NAMED(SCHED)),
    FORWARD(sched_rr_get_interval, PID, OUT(TIMESPEC)),
    FORWARD(sched_getattr, PID, OUT_BY(2, 1), UINT, HEX),
    FORWARD_OWN(sched_setattr, PID, IN(56), HEX),
    FORWARD(getcpu, OUT(ID), OUT(ID), ADDR),
    HANDLE_WAIT(futex, futex, INOUT(4), NAMED(FUTEX), INT, HEX, HEX, INT),
    HANDLE_WAIT(futex_waitv, futex_waitv, ADDR, UINT, HEX, IN(TIMESPEC), NAMED(CLOCK)),
    FORWARD(futex_wake, INOUT(4), HEX, INT, HEX),
    FORWARD_HELPED(sysinfo, OUT(SYSINFO)),
    FORWARD(syslog, INT, OUT_BY(2, 1), INT),
    FORWARD(getrandom, OUT_BY(1, 1), SIZE, NAMED(GETRANDOM)),
    FORWARD(sethostname, IN_BY(1, 1), INT),
    FORWARD(setdomainname, IN_BY(1, 1), INT),
    HANDLE_OWN(personality, personality, HEX),
    HANDLE_OWN(unshare, unshare, NAMED(CLONE)),
    FORWARD(process_mrelease, FD, HEX),

    /* what Linux refuses to those who may not do it: nobody may here */
    HANDLE(mount, refuse, PATH, PATH, PATH, HEX, ADDR),
    HANDLE(umount2, refuse, PATH, HEX),
    HANDLE(pivot_root, refuse, PATH, PATH),
    HANDLE(setns, refuse, FD, HEX),
    HANDLE(open_by_handle_at, refuse, FD, ADDR, NAMED(OPEN)),
    HANDLE(fanotify_init, refuse, HEX, NAMED(OPEN)),
    HANDLE(vhangup, refuse),
    HANDLE(swapon, refuse, PATH, HEX),
    HANDLE(swapoff, refuse, PATH),
    HANDLE(reboot, refuse, HEX, HEX, HEX, ADDR),
    HANDLE(acct, refuse, PATH),
    HANDLE(init_module, refuse, ADDR, SIZE, PATH),
    HANDLE(finit_module, refuse, FD, PATH, HEX),
    HANDLE(delete_module, refuse, PATH, HEX),
    HANDLE(kexec_load, refuse, HEX, SIZE, ADDR, HEX),
    HANDLE(iopl, refuse, INT),
    HANDLE(ioperm, refuse, HEX, SIZE, INT),
};
