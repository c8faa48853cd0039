// SPDX-License-Identifier: Apache-2.0
/*
 * syscall_words.h: the vocabulary of the table of system calls: kinds of arguments, and ways to
 * make a call.
 */
#ifndef KM_SYSCALL_WORDS_H
#define KM_SYSCALL_WORDS_H

#include "calls/syscall_table.h"

#include <stddef.h>

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
#define MAPPED(arg) {ARG_MAPPED, arg, 1, SHOW_PLAIN}
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

#define FORWARD(name, ...) LINE(name, NULL, WAITS_NOT, HELPED_NOT, __VA_ARGS__)
#define WAIT(name, ...) LINE(name, NULL, WAITS, HELPED_NOT, __VA_ARGS__)
#define RESTART(name, ...) LINE(name, NULL, RESTARTS, HELPED_NOT, __VA_ARGS__)
#define HANDLE(name, function, ...) LINE(name, sys_##function, WAITS_NOT, HELPED_NOT, __VA_ARGS__)
#define HANDLE_WAIT(name, function, ...) LINE(name, sys_##function, WAITS, HELPED_NOT, __VA_ARGS__)
#define HANDLE_RESTART(name, function, ...)                                                        \
    LINE(name, sys_##function, RESTARTS, HELPED_NOT, __VA_ARGS__)
/* By the helper too; by it on a file only; where it does not wait; where it only asks; of what a
 * thread has of its own. */
#define FORWARD_HELPED(name, ...) LINE(name, NULL, WAITS_NOT, HELPED, __VA_ARGS__)
#define FORWARD_ON_FILE(name, ...) LINE(name, NULL, WAITS_NOT, HELPED_ON_FILE, __VA_ARGS__)
#define FORWARD_OWN(name, ...) LINE(name, NULL, WAITS_NOT, ENDS_HELPER, __VA_ARGS__)
#define RESTART_ON_FILE(name, ...) LINE(name, NULL, RESTARTS, HELPED_ON_FILE, __VA_ARGS__)
#define HANDLE_HELPED(name, function, ...)                                                         \
    LINE(name, sys_##function, WAITS_NOT, HELPED, __VA_ARGS__)
#define HANDLE_ON_FILE(name, function, ...)                                                        \
    LINE(name, sys_##function, WAITS_NOT, HELPED_ON_FILE, __VA_ARGS__)
#define HANDLE_IF_READY(name, function, ...)                                                       \
    LINE(name, sys_##function, RESTARTS, HELPED_IF_READY, __VA_ARGS__)
#define HANDLE_ASKS(name, function, ...)                                                           \
    LINE(name, sys_##function, WAITS_NOT, HELPED_IF_READY, __VA_ARGS__)
#define HANDLE_AT_ONCE(name, function, ...)                                                        \
    LINE(name, sys_##function, WAITS, HELPED_IF_READY, __VA_ARGS__)
#define RESTART_IF_READY(name, ...) LINE(name, NULL, RESTARTS, HELPED_IF_READY, __VA_ARGS__)
#define WAIT_IF_READY(name, ...) LINE(name, NULL, WAITS, HELPED_IF_READY, __VA_ARGS__)
#define HANDLE_OWN(name, function, ...)                                                            \
    LINE(name, sys_##function, WAITS_NOT, ENDS_HELPER, __VA_ARGS__)

#endif /* KM_SYSCALL_WORDS_H */
