// SPDX-License-Identifier: Apache-2.0
/*
 * base.h: the declarations that all of the monitor shares: the address space, options, messages.
 *
 * Addresses: a gva (guest virtual) of payload memory equals the hva (host virtual) of the same
 * byte. A gpa (guest physical) is handed out compactly, see memslot.c. All three are uint64_t; only
 * an address that passed guest_ok() may be given to the host kernel on the payload's behalf.
 */
#ifndef KM_BASE_H
#define KM_BASE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/hooks.h"

#define PAGE_SIZE 4096UL
#define HUGE_SIZE (2UL << 20)
#define ROUND_DOWN(x, to) ((x) & ~((uint64_t)(to) - 1))
#define ROUND_UP(x, to) ROUND_DOWN((x) + (uint64_t)(to) - 1, to)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* Of a large local array that is written before it is read, and never given away whole. */
#define UNCLEARED __attribute__((uninitialized))

/*
 * The address space. The payload gets [GUEST_BOTTOM, GUEST_TOP); the 4 GiB above it are never
 * mapped, so that a string or a structure of bounded size that starts below GUEST_TOP cannot reach
 * further. The monitor lives above, at random: its image, its memory, its stack.
 */
#define GUEST_BOTTOM 0x10000UL
#define GUEST_TOP 0x6fff00000000UL
#define HOST_TOP (1UL << 47)       /* above, the kernel maps only what is asked to lie there */
#define EMPTY_HVA 0x700000000000UL /* an empty string that stays one: base/self.c */

/* Where the monitor's memory of each kind begins: places.c. */
struct places {
    uint64_t system;  /* structures that the guest's CPU reads; also their gva */
    uint64_t vmas;    /* the list of VMAs */
    uint64_t runs;    /* kvm_run of each vCPU */
    uint64_t scratch; /* copies of what the payload points to, one area a vCPU */
    uint64_t vcpus;   /* struct vcpu[] */
    uint64_t stacks;  /* the monitor's stack of each thread but the first */
    uint64_t exec;    /* argv and envp on the way through execve */
};

extern struct places places;

/* Choose them. Must be called once, before any is used. */
void places_choose(void);

/* Exit statuses of the monitor's own failures; as env, chroot and docker run have them. */
enum {
    STATUS_ELSEWHERE = 124, /* a snapshot cannot go on here, but may elsewhere */
    STATUS_FAILED = 125,
    STATUS_CANNOT_RUN = 126,
    STATUS_NOT_FOUND = 127,
};

/* Options that the monitor of the next program gets too, when the payload calls execve. */
/* CARRIED_LOCKS says that the process may hold locks of fcntl(2). */
#define LOCKS_WORD "--posix-locks"
enum {
    CARRIED_TRACE,
    CARRIED_STATS,
    CARRIED_COREDUMP,
    CARRIED_NO_HELPER,
    CARRIED_NO_PATCH,
    CARRIED_LOCKS,
    CARRIED_FEW,   /* limits let the program have few processes, see task/room.c */
    CARRIED_APART, /* the host's hard limit of processes has room for KVM's, see limits.c */
    CARRIED_COUNT
};

struct options {
    const char *payload; /* as given */
    char **argv;         /* as the payload sees it, NULL at the end */
    int kvm_fd;          /* an open descriptor of /dev/kvm, or -1 */
    int keeper_fd;       /* an open socket to the keeper, or -1 */
    int report_fd;       /* an open descriptor that --trace and --stats write to, or -1 */
    int proc_fd;         /* an open descriptor of the root of a proc(5), or -1 */
    int seccomp_fd;      /* an open descriptor of what seccomp_save() wrote, or -1 */
    const char *seccomp; /* instructions that judge the payload's calls, in hexadecimal, or NULL */
    int payload_fd;      /* an open descriptor of the payload, or -1: `payload` is its name only */
    bool search;         /* look a payload without a slash up in PATH only */
    bool inspect;        /* print what the payload is, run nothing */
    bool probe;          /* run a program of km's own, and say how far it came */
    bool verbose;        /* and what it found on the host */
    bool trace;          /* report each system call */
    const char *trace_calls; /* their names, separated by commas, or NULL: all */
    bool no_helper;          /* make each system call on the payload's own thread */
    bool no_patch;           /* leave the payload's code as it is */
    bool stats;              /* report counts and times at the end */
    bool report_shared;      /* report_fd is another process's too */
    const char *report_file; /* or NULL: standard error */
    const char *coredump;    /* the absolute path of the core to write, %p: the process, or NULL */
    const char *snapshot;    /* the absolute path of the snapshot to write, or NULL */
    bool live;               /* the program goes on after it */
    const char *gdb;         /* a port, or a socket's path, to wait for gdb at, or NULL */
    int gdb_fd;              /* an open socket to wait for gdb at, or -1 */
    const char *gdb_session; /* the connection with gdb that the program before had, or NULL */
    const char *core_limit;  /* that the program before had, as digits, or NULL */
    const char *carried[CARRIED_COUNT]; /* words of the command line, or NULL */
};

extern struct options options;

/* Whether somebody looks at each call, and wants to see it where it is made. */
static inline bool calls_are_watched(void)
{
    return options.trace || options.stats || options.gdb || options.gdb_session;
}

/* ---- limits.c ---- */

/* Let the first thread's stack be large enough for the monitor, or end km. To be called first. */
void limits_make_room(void);

/* Whether the next program's monitor will find it. */
bool limits_leave_room(void);

/* Lift the soft limit of processes to the hard one: what it was. And put it back. */
uint64_t limits_lift_processes(void);
void limits_lower_processes(uint64_t soft);

/*
 * The payload's RLIMIT_AS and RLIMIT_DATA are not the monitor's: the host has them MARK higher, and
 * km judges by them (memory/limit.c). Of RLIMIT_NPROC the host's hard one is ROOM_FOR_KVM higher
 * under --processes-apart. Where only the host can keep a limit apart it is the same for both.
 *
 * What the payload has where the host has `limit`, and the other way round.
 */
struct rlimit;
void limits_to_payload(uint64_t resource, struct rlimit *limit);
void limits_to_host(uint64_t resource, struct rlimit *limit);

/* So with what this process began with, as far as its hard limits let it. */
void limits_set_apart(void);

/* The payload's soft limit where km is to judge by it: else RLIM_INFINITY. */
uint64_t limits_to_judge(int resource);

/* End as the kernel ends a program that it cannot load within its limits. */
_Noreturn void limits_end_program(void);

/* What helps against the `error` of a message, where that is a limit: else `fix`, its own. */
const char *limits_fix(const char *fix, const char *what, int error);

/* ---- log.c: messages for the person who ran km ---- */

/*
 * Write "km: WHAT." and "To fix: FIX." to standard error and end km with `status`. In both, %m is
 * errno's text.
 */
_Noreturn void die(int status, const char *fix, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and go on. */
void complain(const char *fix, const char *what, ...) __attribute__((format(printf, 2, 3)));

#define FIX_KVM "run `kontain check`, which says what is wrong with KVM on this host"
#define FIX_CPU "report this, with the output of `km --probe --verbose`"
#define FIX_FILTER "allow seccomp(2) and prctl(2) where km runs, as the profiles of engines do"
#define FIX_REPORT "report this, with the payload and the output of `kontain check --json`"

/* ---- fds.c: the monitor's own descriptors ---- */

/* Close one that fd_hide() returned. */
void fd_close_hidden(int fd);

/* Let one be a copy of `fd`, whatever the payload's soft limit; false, with errno: it is above the
 * hard one. */
bool fd_replace_hidden(int hidden_fd, int fd);

/*
 * The payload's limit on descriptors is not for the monitor's: raise it as far as it may be, and
 * return what it was, for fd_lower_limit(); 0 when that does not help.
 */
uint64_t fd_raise_limit(void);
void fd_lower_limit(uint64_t old);

/*
 * Move a descriptor of the monitor out of the way of the payload's: the new number, which no call
 * of the payload closes or replaces, also none that began before; or -1, then it is closed.
 */
int fd_hide(int fd);

/*
 * The payload's call on this vCPU, number `changer`, closes or replaces descriptors of [first,
 * last]. Between the two, what fd_is_hidden() says of them stays true.
 */
#define FD_CHANGERS 4096
void fd_change_begins(unsigned changer, uint32_t first, uint32_t last);
void fd_change_ends(unsigned changer);

/* In the child of fork(): nobody else changes any. */
void fd_after_fork(void);

/* A descriptor that the program before has hidden. */
void fd_note_hidden(int fd);

/* Whether `fd` is one of the monitor's: for the payload it does not exist. */
bool fd_is_hidden(uint64_t fd);

/* Whether another process's monitor may have one of its own at this number. */
bool fd_may_be_hidden(uint64_t fd);

/* The lowest of the monitor's descriptors from `fd` on, or UINT64_MAX. */
uint64_t fd_next_hidden(uint64_t fd);

/* ---- seal.c ---- */

#define MSEAL 462 /* mseal's number, which older headers do not have */

/* Let [addr, addr + size) of the monitor be mapped as it is for ever; a child of fork() too. */
void seal_memory(uint64_t addr, uint64_t size);

/* ---- host_call.S: the host kernel's own system calls ---- */

/* Set by the host's handler: the signal that waits to be delivered on this thread, or 0. */
extern _Thread_local int signal_waiting;

/* What host_syscall() returns when a signal came before the host was asked: the call is made again.
 */
#define NOT_STARTED (-513) /* ERESTARTNOINTR */

/* Set where it did so on this thread: who makes several calls for one of the payload's may have
 * taken that for an error of the host's. */
extern _Thread_local int host_put_off;

/* The host kernel's own system call: a result, or -errno. */
int64_t host_syscall(uint64_t number, const uint64_t *args);

/* ---- base/reserve.c ---- */

/* Let the host's kernel map nothing below GUEST_TOP by itself. Must be called first. May start km
 * anew. */
void reserve_guest_range(char **argv, char **envp);

/* ---- base/self.c: km's own file ---- */

/* Open it, for execve. Must be called first. */
void self_open(void);
/* Whether this km was called in a VM of km's, where it can make none. */
bool self_is_inside(void);
/* The end of uname(2)'s release there. */
#define RELEASE_SUFFIX ".kontain.KVM"
/* The descriptor where it is open for ever, or -1. */
int self_fd(void);
/* Whether `path` leads to it; a file is it. */
bool self_is(const char *path);
struct stat;
bool self_is_file(const struct stat *st);
/* Start km anew with these: only failure returns, -errno. */
int64_t self_execute(char *const *argv, char *const *envp);

/* ---- report.c: the text that --trace and --stats write ---- */

/* Open what options say they write to. */
void report_open(void);

#define LINE_SIZE 4096

/* Text that is written as a whole; what does not fit is cut off. */
struct line {
    char text[LINE_SIZE];
    size_t used;
};

void line_put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_write(const struct line *line);

#endif /* KM_BASE_H */
