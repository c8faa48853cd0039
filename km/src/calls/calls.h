// SPDX-License-Identifier: Apache-2.0
/*
 * calls.h: the system calls and exceptions of the payload, as Linux answers them, as far as other
 * rooms know of them. Each group of files in this room has a header of its own besides.
 */
#ifndef KM_CALLS_H
#define KM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls/syscall_table.h"

struct exception;
struct stat;
struct vcpu;

/* Serve one system call of the payload: its result, or -errno. */
int64_t syscall_serve(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* ---- pin.c: hidden descriptors for files that are judged, one a vCPU ---- */

/* Must be called before the payload's first instruction, with the first vCPU. */
void pin_init(struct vcpu *vcpu);

/* The monitor's own descriptor of the root of a proc(5) that shows this process; -1: there is none.
 */
int pin_proc(void);

/* Let vcpu->pin hold the file of `fd`: 0, or -errno; and hold none. */
int64_t pin_set(struct vcpu *vcpu, int fd);
void pin_clear(const struct vcpu *vcpu);

/*
 * Let the pin be a new file in memory, made with these flags of memfd_create(2) and for this
 * process only: 0 or -errno. What the monitor writes, it writes by its pin alone: at a number that
 * the payload may give to another file it would write to that.
 */
int64_t pin_memory(struct vcpu *vcpu, const char *name, unsigned flags);

/* Let a vCPU that gets a thread have a pin. */
void pin_make(struct vcpu *vcpu);

/* There will be a second thread; the process is a fork; its first thread ends. */
void pin_before_threads(void);
void pin_after_fork(void);
void pin_first_ends(void);

/* ---- opening.c: how a file is opened ---- */

/* Must be called before the payload's first instruction, with the root's folder; in the child of
 * fork(). */
void opening_init(int fd, struct vcpu *vcpu);
void opening_after_fork(void);

/* ---- text.c: a text that becomes a file's ---- */

#define TEXT_PRINTED 512 /* bytes that text_print() may add, with a zero */

struct text {
    const struct vcpu *reader; /* whose thread asks, or waits for the helper which does */
    bool failed;
    size_t used, room;
    char *more; /* where it is longer than the piece */
    char piece[8192];
};

void text_begin(struct text *text, const struct vcpu *reader);
void text_clear(struct text *text);
void text_add(struct text *text, const void *bytes, size_t count);
void text_line(struct text *text, const char *line);
__attribute__((format(printf, 2, 3))) void text_print(struct text *text, const char *format, ...);
bool text_put(struct text *text, int fd); /* false: the file could not be made to say that alone */
void text_end(struct text *text);

/* ---- sys_offset.c ---- */

/* SEEK_SET, for the kernel, which looks at 32 bits; for the filter it says that the file has been
 * found to be a folder. */
#define SEEK_IN_FOLDER (0x466f6c64UL << 32)

/* ---- mounts.c, access.c: mounts that are noexec only to keep programs in VMs ---- */

/* --hide-noexec: the mount at `path` is one of these. Of a path where none begins nothing is kept.
 */
void mounts_hide(const char *path);

/* The word of the command line by which the next program's monitor knows them, or NULL; its value.
 */
const char *mounts_carry(void);
void mounts_take(const char *ids);

/*
 * Around a call by which this process, or the child that it makes, gets a namespace of mounts,
 * which have other IDs there. What the first returns may be NULL; each of the others frees it.
 */
struct mounts_seen;
struct mounts_seen *mounts_before_copy(void);
void mounts_after_copy(struct mounts_seen *seen);
void mounts_forget(struct mounts_seen *seen);

/* ---- fault.c: exceptions become signals ---- */

void fault_handle(struct vcpu *vcpu, const struct exception *exception);

/* ---- hot.c ---- */

/* A thread begins to drive this vCPU. */
void hot_begin(struct vcpu *vcpu);

/* The payload's call `number`, which goes on at `next`, left the guest by SYSCALL: if that happens
 * often, its site shall jump. */
void hot_count(struct vcpu *vcpu, uint64_t next, uint64_t number);

/* Leave the payload's code as it is from now on. */
void hot_end(void);

/* ---- helper.c ---- */

/* Around KVM_RUN: the helper may, and must not, serve this vCPU. */
void helper_let(struct vcpu *vcpu);
void helper_hold(struct vcpu *vcpu);

/*
 * Whether the helper has made the call that the vCPU left its stub for, or was interrupted in: its
 * result. The helper forgets it. `taken`: the guest has the result already.
 */
bool helper_has_made(const struct vcpu *vcpu, bool taken, int64_t *result);

/* The vCPU left the guest for this call, which then costs most: see whether a helper would pay. */
void helper_count(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* It must be gone: the thread ends, or changes what the helper took over from it. */
void helper_end(const struct vcpu *vcpu);

/* The thread makes another: it must be gone unless it may help a thread of several. */
void helper_before_thread(const struct vcpu *vcpu);

/* In the child of fork(): it stayed with the parent. */
void helper_after_fork(void);

/* A signal that came to the helper instead of the payload's thread goes there. Whether it did. */
bool helper_passes_on(int signo, const void *info);

/* ---- fd_kind.c: what a descriptor is open at ---- */

/* `to`, if it is one, is a copy of `from`; these will be closed or be others. */
void fd_kind_copy(const struct vcpu *vcpu, uint64_t from, int64_t to);
void fd_kind_forget(uint32_t first, uint32_t last);

/* ---- calls/filters.c, sys_seccomp.c: the filters that a payload's thread has put on its own calls
 * ---- */

/*
 * Judge a call of the payload whose next instruction is at `next`. False when it is not made: the
 * registers are what they are to be after it, a handler's first instruction among it.
 */
bool seccomp_allows(struct vcpu *vcpu, uint64_t next, uint64_t number, const uint64_t *args);

/* A thread begins, with what `parent` has, once freeze_enter() knows it; it has ended. */
void seccomp_inherit(struct vcpu *vcpu, const struct vcpu *parent);
void seccomp_release(struct vcpu *vcpu);

/* The child of a vfork has given the vCPU back, which has again what it had before. */
void seccomp_after_vfork(struct vcpu *vcpu);

/* Let the thread's pin be a file of what it has, that nobody can change; read one, and close it. */
bool seccomp_save(struct vcpu *vcpu);
void seccomp_load(struct vcpu *vcpu, int fd);

/* The thread, the first one, has the container's own filter, in hexadecimal. Ends km if it is none.
 */
void seccomp_parse(struct vcpu *vcpu, const char *text);

/* ---- sys_ioctl.c ---- */

/* Fill `to` with the commands that a payload can give; returns how many, at most `max`. */
size_t ioctl_commands(uint32_t *to, size_t max);

/* ---- sys_aio.c ---- */

bool aio_is_used(void);
void aio_after_fork(void);

/* ---- handlers that the monitor uses, too ---- */

int64_t sys_close_range(struct vcpu *vcpu, const uint64_t *args);

/* That of the calls which the payload is refused. */
int64_t sys_refuse(struct vcpu *vcpu, const uint64_t *args);

/* ---- proc_file.c: what a file of a proc(5) is ---- */

/* Whether a payload may have this file as it is: not one that shows the monitor. */
bool proc_gives(int fd, const struct stat *st);

#endif /* KM_CALLS_H */
