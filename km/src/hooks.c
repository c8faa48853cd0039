// SPDX-License-Identifier: Apache-2.0
/*
 * hooks.c: which function of a higher room answers each of hooks.h.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "snapshot/snapshot.h"
#include "task/task.h"
#include "top.h"
#include "watch/watch.h"

static void after_fork(struct vcpu *vcpu)
{
    fd_after_fork();
    fd_kind_forget(0, UINT32_MAX); /* in a child of a vfork's child they are others */
    pin_after_fork();
    opening_after_fork();
    gdb_after_fork(vcpu);
    stats_after_fork();
    aio_after_fork();
    helper_after_fork();
}

static void before_thread(const struct vcpu *parent)
{
    helper_before_thread(parent);
    pin_before_threads();
}

static void after_vfork(struct vcpu *vcpu)
{
    gdb_after_vfork();
    seccomp_after_vfork(vcpu);
}

static void thread_ended(struct vcpu *vcpu)
{
    helper_end(vcpu);
    seccomp_release(vcpu);
    gdb_thread_ended(vcpu);
}

const struct hooks hooks = {
    .call_begins = watch_call_begins,
    .call_ended = watch_call_ended,
    .call_ends_caller = watch_call_ends_caller,
    .helper_has_made = helper_has_made,
    .before_thread = before_thread,
    .first_thread_ends = pin_first_ends,
    .helper_passes_on = helper_passes_on,
    .after_fork = after_fork,
    .vcpu_acquired = pin_make,
    .step = probe_step,
    .fails = probe_failed,
    .before_vfork = gdb_before_vfork,
    .after_vfork = after_vfork,
    .thread_begins = seccomp_inherit,
    .thread_fails = seccomp_release,
    .thread_ended = thread_ended,
    .exits = exit_report_exit,
    .executes = exit_report_exec,
    .dies = exit_report_death,
    .shown_result = pid_map_of_result,
    .signal_comes = gdb_signal,
    .signal_handled = watch_signal_handled,
    .is_snapshot_request = snapshot_is_request,
    .debugger_takes = gdb_fault,
    .debugger_word = gdb_carry,
    .is_snapshot_path = snapshot_is_asked,
    .snapshot = snapshot_ask,
    .socketpair_made = snapshot_note_pair,
    .restore_vdso = vdso_restore,
    .site_settle = site_settle,
    .has_threads = thread_several,
};
