// SPDX-License-Identifier: Apache-2.0
/*
 * syscall_table.h: how the table of system calls describes them.
 */
#ifndef KM_SYSCALL_TABLE_H
#define KM_SYSCALL_TABLE_H

#include <stdint.h>

struct vcpu;

/*
 * What an argument is. For the dispatcher this decides what is checked before the kernel sees the
 * call; for the tracer, how it is shown.
 *
 * A pointer's length is `size` times the value of argument number `len_arg`, or `size` alone when
 * len_arg is NO_ARG; a null pointer passes, since for many calls it means that nothing is there.
 * Where the length is a 32-bit number in the payload's memory, the start decides (see GUEST_TOP).
 */
enum arg_kind {
    ARG_NONE,
    ARG_INT,  /* shown as a signed number */
    ARG_PID,  /* likewise; of a resumed program's it becomes the host's */
    ARG_SIZE, /* shown as an unsigned number */
    ARG_UINT, /* likewise; the kernel takes the lower 32 bits only */
    ARG_HEX,
    ARG_OCTAL,
    ARG_FD,    /* a descriptor; the monitor's own do not exist */
    ARG_DIRFD, /* likewise, or AT_FDCWD */
    ARG_ADDR,  /* an address that the kernel does not dereference, or that the handler checks */
    ARG_PATH,  /* a string */
    ARG_IN,    /* memory that the kernel reads */
    ARG_OUT,   /* memory that the kernel writes */
    ARG_INOUT,
    ARG_MAPPED, /* a stretch of mappings, not their content */
    ARG_IOV_IN, /* struct iovec[], copied once; its buffers are read */
    ARG_IOV_OUT,
};

#define NO_ARG 7

/*
 * What the tracer may call an argument's value, or the structure that it points to: an index of the
 * lists in trace_names.c, then of the functions in trace_structs.c. An array is shown whole.
 */
enum shown { /* NOLINT(cert-int09-c): one entry marks the end of the names */
             SHOW_PLAIN,
             SHOW_ACCESS,
             SHOW_ARCH_PRCTL,
             SHOW_AT,
             SHOW_ADVICE,
             SHOW_CLOCK,
             SHOW_CLONE,
             SHOW_CLOSE_RANGE,
             SHOW_DOMAIN,
             SHOW_EPOLL_OP,
             SHOW_EPOLL_EVENTS,
             SHOW_EVENTFD,
             SHOW_FADVICE,
             SHOW_FALLOCATE,
             SHOW_FCNTL,
             SHOW_FLOCK,
             SHOW_FUTEX,
             SHOW_GETRANDOM,
             SHOW_IOCTL,
             SHOW_ITIMER,
             SHOW_MAP,
             SHOW_MEMFD,
             SHOW_MODE,
             SHOW_MREMAP,
             SHOW_MSG,
             SHOW_MSYNC,
             SHOW_OPEN,
             SHOW_POLL_EVENTS,
             SHOW_PRCTL,
             SHOW_PRIORITY,
             SHOW_PROT,
             SHOW_RENAME,
             SHOW_RESOURCE,
             SHOW_RUSAGE_WHO,
             SHOW_SCHED,
             SHOW_SHUTDOWN,
             SHOW_SIGNAL,
             SHOW_SIGNAL_FLAGS,
             SHOW_SIGNAL_HOW,
             SHOW_SOCKET,
             SHOW_SOCKET_LEVEL,
             SHOW_SOCKET_OPTION,
             SHOW_TIMER,
             SHOW_UNLINK,
             SHOW_WAIT,
             SHOW_WAIT_ID,
             SHOW_WATCH,
             SHOW_WHENCE,
             SHOW_NAMES_END,

             SHOW_ADDRESS = SHOW_NAMES_END, /* NOLINT(cert-int09-c): of what is not shown itself */
             SHOW_EPOLL_EVENT,
             SHOW_INT,
             SHOW_ITIMERSPEC,
             SHOW_ITIMERVAL,
             SHOW_OFFSET,
             SHOW_POLLFD,
             SHOW_RLIMIT,
             SHOW_RUSAGE,
             SHOW_SIGACTION,
             SHOW_SIGINFO,
             SHOW_SIGSET,
             SHOW_SOCKADDR,
             SHOW_STACK,
             SHOW_STAT,
             SHOW_STRINGS,
             SHOW_TIMESPEC,
             SHOW_TIMEVAL,
             SHOW_UTSNAME,
             SHOW_WAIT_STATUS,
             SHOW_END,
};

struct arg {
    uint8_t kind;
    uint8_t len_arg;
    uint32_t size;
    uint8_t shown; /* enum shown */
};

/* A handler gets the six arguments, checked as the table says, and returns a result or -errno. */
typedef int64_t (*syscall_handler)(struct vcpu *vcpu, const uint64_t *args);

/* What a call does that waits for long, when a signal comes; signal(7). */
enum waiting {
    WAITS_NOT,
    WAITS,    /* ends with EINTR */
    RESTARTS, /* likewise, but is made again after a handler that has SA_RESTART */
};

/* What a call has to do with the helper, helper.c. */
enum helped {
    HELPED_NOT,
    HELPED,          /* it may make the call: nothing depends on which thread asks, nothing waits */
    HELPED_ON_FILE,  /* likewise, where what the first argument is open at lets it not wait */
    HELPED_IF_READY, /* likewise, where helper_call.c or helper_wait.c finds that it does not wait
                      */
    ENDS_HELPER,     /* changes what each thread has of its own: a helper would keep what was */
};

struct syscall {
    char name[24]; /* empty: there is none */
    struct arg args[6];
    enum waiting waits;
    enum helped helped;
};

#define SYSCALL_COUNT 470
extern const struct syscall syscall_table[SYSCALL_COUNT];

/* NULL: the host's kernel is called with the same arguments. */
extern const syscall_handler syscall_handlers[SYSCALL_COUNT];

/* The bytes that argument number i, a pointer, spans; UINT64_MAX when the product overflows. */
uint64_t syscall_arg_length(const struct syscall *call, unsigned i, const uint64_t *args);

#endif /* KM_SYSCALL_TABLE_H */
