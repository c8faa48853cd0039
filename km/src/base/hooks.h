// SPDX-License-Identifier: Apache-2.0
/*
 * hooks.h: points where a lower room calls a higher one. hooks.c says which function answers each.
 */
#ifndef KM_HOOKS_H
#define KM_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

struct hooks {
    /* ---- km --probe ---- */

    /* What km does next, by KVM's name of it; km fails with the errno `error`, or 0. */
    void (*step)(const char *name);
    void (*fails)(int error);

    /* ---- a call of the payload, as --trace and --stats see it ---- */

    /* It begins: what call_ended() wants as `start`. */
    uint64_t (*call_begins)(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);
    void (*call_ended)(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                       int64_t result, uint64_t start);
    /* It began, and ends the thread or the process instead of returning. */
    void (*call_ends_caller)(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);

    /* ---- the helper thread ---- */

    /* Whether it has made the call that the vCPU left its stub for: see helper_has_made(). */
    bool (*helper_has_made)(const struct vcpu *vcpu, bool taken, int64_t *result);
    /* A signal came to it instead of to the payload's thread: whether it was so. */
    bool (*helper_passes_on)(int signo, const void *info);

    /* ---- call sites that jump ---- */

    /* A vCPU that was interrupted between a site and its island stands at the site: whether it was.
     */
    bool (*site_settle)(struct vcpu *vcpu);

    /* ---- processes and threads ---- */

    /* Whether the process has several. */
    bool (*has_threads)(void);
    /* In the child of fork(), before its VM is made again. */
    void (*after_fork)(struct vcpu *vcpu);
    /* A vCPU is about to get a thread. */
    void (*vcpu_acquired)(struct vcpu *vcpu);
    /* Around the life of a vfork's child, in the parent. */
    void (*before_vfork)(void);
    void (*after_vfork)(struct vcpu *vcpu);
    /* There will be another thread; the host's first thread ends while others go on. */
    void (*before_thread)(const struct vcpu *parent);
    void (*first_thread_ends)(void);
    /* `vcpu` will be a new thread's, which `parent` makes; the host makes none; one has ended. */
    void (*thread_begins)(struct vcpu *vcpu, const struct vcpu *parent);
    void (*thread_fails)(struct vcpu *vcpu);
    void (*thread_ended)(struct vcpu *vcpu);
    /* What is said at the end: of a thread or the process, of the program, by a signal. */
    void (*exits)(const struct vcpu *vcpu, int status, bool of_process);
    void (*executes)(const struct vcpu *vcpu);
    /* Whether it has left a core. */
    bool (*dies)(struct vcpu *vcpu, int signo);

    /* ---- the number of a process or thread, as a resumed program knows it ---- */

    int64_t (*shown_result)(uint64_t number, int64_t result);

    /* ---- signals and exceptions ---- */

    /* The signal that the payload gets instead of `signo`, when gdb was asked: it may be none, 0.
     */
    int (*signal_comes)(struct vcpu *vcpu, int signo, void *info);
    /* Its handler is about to run. */
    void (*signal_handled)(const struct vcpu *vcpu, int signo);
    /* Whether a siginfo is no signal but asks for a snapshot. */
    bool (*is_snapshot_request)(const void *signal_info);
    /* Whether an exception was gdb's. */
    bool (*debugger_takes)(struct vcpu *vcpu, unsigned vector);
    /* The word of the command line by which the next program keeps gdb, and its descriptor. */
    const char *(*debugger_word)(const struct vcpu *vcpu, int *fd);

    /* ---- snapshots ---- */

    /* Whether an open(2) of the payload asks for one; what it returns then. */
    bool (*is_snapshot_path)(uint64_t path);
    int64_t (*snapshot)(struct vcpu *vcpu, uint64_t path, uint64_t open_flags);
    /* The payload made this socketpair. */
    void (*socketpair_made)(const int ends[2]);
    /* Give the vDSO to the new VM of a forked process. */
    void (*restore_vdso)(struct vm *vm);
};

extern const struct hooks hooks;

#endif /* KM_HOOKS_H */
