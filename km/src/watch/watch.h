// SPDX-License-Identifier: Apache-2.0
/*
 * watch.h: the interface of --trace, --stats, --coredump and --inspect.
 */
#ifndef KM_WATCH_H
#define KM_WATCH_H

#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"

/* ---- trace.c, stats.c: what --trace and --stats write ---- */

/* The calls that --trace writes, as it was given them. Ends km for a name that is none. */
void trace_choose(const char *calls);

/* The call begins; and has returned. A call that probably waits gets two lines, else one. */
void trace_begin(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);
void trace_end(const struct vcpu *vcpu, uint64_t number, const uint64_t *args, int64_t result);

/* The payload's handler is entered, or the process dies, for the signal in vcpu->signal_info. */
void trace_signal(const struct vcpu *vcpu, int signo);

/* The payload's program starts, with its arguments at `argv`. */
void trace_start(uint64_t argv);

/* The thread ends, or the process does by a signal. */
void trace_exit(int status);
void trace_death(int signo);

/* Nanoseconds of a clock that never goes back. */
uint64_t stats_clock(void);

/* A system call began at `start` and has returned. */
void stats_syscall(uint64_t number, int64_t result, uint64_t start);

/* KVM_RUN returned, with 0 or an errno. */
void stats_exit(const struct vcpu *vcpu, int error);

/* Write the tables: the process ends, or its program does. */
void stats_report(void);

/* In the child of fork(): nothing has been counted. */
void stats_after_fork(void);

/* ---- watch.c: what hooks.h asks of both ---- */

uint64_t watch_call_begins(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);
void watch_call_ended(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                      int64_t result, uint64_t start);
void watch_call_ends_caller(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);
void watch_signal_handled(const struct vcpu *vcpu, int signo);

/* ---- inspect.c ---- */

/* inspect.c: print what file options.payload is, and end km. */
_Noreturn void inspect_payload(void);

/* ---- coredump.c ---- */

/* Write the core that options ask for, or that the host's kernel would write. Whether it is there.
 * The process must die of `signo` afterwards. */
bool coredump_write(struct vcpu *vcpu, int signo);

/* ---- core_pattern.c ---- */

/* The path of that core of the kernel's. False where it would write none itself. */
bool core_pattern_path(int signo, char path[4096]);

/* ---- trace_names.c ---- */

/* The errno's name, as ENOENT; NULL when it has none. */
const char *name_of_errno(int error);

/* A value by its names of the list `shown`: a constant, or flags with `|` between them. */
void show_name(struct line *line, enum shown shown, uint64_t value);

/* The siginfo's si_code, which depends on the signal. */
void show_signal_code(struct line *line, int signo, int code);

/* ---- trace_structs.c ---- */

/* `size` bytes of the payload as characters in quotes, up to a zero byte where it is a string. */
void show_bytes(struct line *line, uint64_t addr, uint64_t size, bool string);

/* The structures of the list `shown` that lie in the payload's [addr, addr + size). */
void show_structs(struct line *line, enum shown shown, uint64_t addr, uint64_t size);

/* A siginfo, which is not the payload's memory but the monitor's. */
void show_siginfo(struct line *line, const void *p);

/* A core that is being written. After an error nothing more is. */
struct core {
    int fd, error; /* errno's value */
    uint64_t at;   /* where core_append() goes on */
    uint64_t most; /* bytes */
};

void core_write(struct core *core, uint64_t at, const void *bytes, size_t size);
void core_append(struct core *core, const void *bytes, size_t size);

/* ---- coredump_notes.c ---- */

/* Append all notes: of the thread that dies of `signo`, the process, and the other threads. */
void core_append_notes(struct core *core, struct vcpu *vcpu, int signo);

#endif /* KM_WATCH_H */
