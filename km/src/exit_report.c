// SPDX-License-Identifier: Apache-2.0
/*
 * exit_report.c: the reports of --trace, --stats, --coredump and --gdb when the payload ends. The
 * child of a vfork lives in its parent's memory: the parent reports its counts.
 */
#include "base/base.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "task/task.h"
#include "top.h"
#include "watch/watch.h"

#include <signal.h>
#include <string.h>

void exit_report_exit(const struct vcpu *vcpu, int status, bool of_process)
{
    if (options.trace) {
        trace_exit(status);
    }
    if (of_process && !vcpu->vforked) {
        vcpu_wait_elsewhere(vcpu, true); /* or who adopts orphans would wait for it */
        if (options.stats) {
            stats_report();
        }
        gdb_exit(status);
        keeper_take(vcpu->vm);
    }
}

void exit_report_exec(const struct vcpu *vcpu)
{
    vcpu_wait_elsewhere(vcpu, true); /* the next program knows nothing of it */
    if (vcpu->vforked) {
        return;
    }
    if (options.stats) {
        stats_report();
    }
    keeper_take(vcpu->vm);
}

/* A death that no signal of the host announced: the kernel would have sent it. */
static void describe(struct vcpu *vcpu, int signo)
{
    siginfo_t info;

    memcpy(&info, vcpu->signal_info, sizeof(info));
    if (info.si_signo != signo) {
        info = (siginfo_t){.si_signo = signo, .si_code = SI_KERNEL};
        memcpy(vcpu->signal_info, &info, sizeof(info));
    }
}

bool exit_report_death(struct vcpu *vcpu, int signo)
{
    bool dumped = false;

    describe(vcpu, signo);
    if (options.trace) {
        trace_signal(vcpu, signo);
        trace_death(signo);
    }
    if (options.stats && !vcpu->vforked) {
        stats_report();
    }
    if (signal_dumps_core(signo) && (options.coredump || core_limit)) {
        dumped = coredump_write(vcpu, signo);
    }
    if (!vcpu->vforked) {
        vcpu_wait_elsewhere(vcpu, true);
        gdb_death(signo);
        keeper_take(vcpu->vm);
    }
    return dumped;
}
