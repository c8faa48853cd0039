// SPDX-License-Identifier: Apache-2.0
/*
 * main.c: the steps of a start, in order.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "snapshot/snapshot.h"
#include "task/task.h"
#include "top.h"
#include "watch/watch.h"

#include <unistd.h>

/* The program starts at its first instruction, with its arguments on its stack. */
static void begin(struct vcpu *vcpu, char **envp)
{
    vcpu->regs->rsp = stack_create(&image, vdso_create(vcpu), options.argv, envp);
    if (options.trace) {
        trace_start(vcpu->regs->rsp + sizeof(uint64_t));
    }
    vcpu->regs->rip = image.entry;
    vcpu->regs->rflags = cpu_clean_flags(0);
    vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

/* Open what is to run: whether that is a snapshot. */
static bool open_payload(void)
{
    if (options.probe) {
        probe_begin();
        image.snapshot_fd = -1;
    } else {
        image_open(&image);
    }
    if (image.snapshot_fd >= 0) {
        snapshot_open();
    }
    return image.snapshot_fd >= 0;
}

/* Make the VM, with the program in its memory unless that is a snapshot's: its first vCPU. */
static struct vcpu *make_vm(bool resumes)
{
    static struct vm vm;
    struct vcpu *vcpu;

    keeper_find();
    vm_create(&vm);
    cpu_system_create(&vm);
    layout_choose();
    mm_init(&vm);
    if (options.probe) {
        probe_load(&vm);
    } else if (!resumes) {
        image_load(&image);
    }
    vcpu = vcpu_acquire(&vm);
    if (!vcpu) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no vCPU (KVM_CREATE_VCPU, KVM_GET_SREGS): %m");
    }
    return vcpu;
}

int main(int argc, char **argv, char **envp)
{
    struct vcpu *vcpu;
    uint64_t limit;
    bool resumes;

    (void)argc;
    self_open();
    if (self_is_inside()) {
        inside_run(argv, envp);
    }
    limits_make_room();
    limits_set_apart();
    reserve_guest_range(argv, envp);
    places_choose();
    limit = fd_raise_limit();
    options_parse(argv);
    if (options.inspect) {
        inspect_payload();
    }
    resumes = open_payload();
    trace_choose(options.trace_calls);
    report_open();
    vcpu = make_vm(resumes);
    probe_step("payload");
    freeze_enter(vcpu, NULL);
    signal_init(vcpu);
    if (options.seccomp) {
        seccomp_parse(vcpu, options.seccomp);
    }
    if (options.seccomp_fd >= 0) {
        seccomp_load(vcpu, options.seccomp_fd);
    }
    pin_init(vcpu);
    if (resumes) {
        snapshot_resume(vcpu);
    } else {
        begin(vcpu, envp);
    }
    if (options.snapshot && !resumes) { /* what others opened could not be made again */
        (void)sys_close_range(vcpu, (uint64_t[6]){STDERR_FILENO + 1, UINT32_MAX});
    }
    fd_lower_limit(limit);
    probe_step("seccomp");
    sandbox_enter();
    if (resumes) {
        snapshot_resume_threads(vcpu);
    }
    if (options.gdb || options.gdb_session) {
        gdb_start(vcpu);
    }
    probe_step("KVM_RUN");
    vcpu_run(vcpu);
}
