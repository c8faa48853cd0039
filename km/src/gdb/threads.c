// SPDX-License-Identifier: Apache-2.0
/*
 * threads.c: the part of the payload's threads in --gdb: each tells of its breakpoints, steps and
 * signals, and stands still until gdb, in a thread of its own (gdb.c), resumes it.
 *
 * A step is made by the trap flag, since KVM's own single step does not work on PVM. The flag is
 * set only while the guest runs: the payload's own code and signal frames do not see it.
 */
#include "base/base.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "task/task.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct gdb_thread gdb_threads[VCPUS_MAX];
static bool active;
static int wake_fd = -1;

bool gdb_is_active(void)
{
    return __atomic_load_n(&active, __ATOMIC_ACQUIRE);
}

void gdb_set_active(bool now)
{
    __atomic_store_n(&active, now, __ATOMIC_RELEASE);
}

struct gdb_thread *gdb_thread_of(const struct freezable *thread)
{
    return &gdb_threads[thread->vcpu->id];
}

static struct gdb_thread *of(const struct vcpu *vcpu)
{
    return &gdb_threads[vcpu->id];
}

/* ---- the bell for gdb.c's thread ---- */

int gdb_wake_fd(void)
{
    return wake_fd;
}

void gdb_wake_open(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        die(STATUS_FAILED, "raise the limit on open files (ulimit -n)", "no eventfd: %m");
    }
    wake_fd = fd_hide(fd);
}

void gdb_wake_clear(void)
{
    uint64_t n;

    (void)!read(wake_fd, &n, sizeof(n));
}

static void wake(void)
{
    uint64_t one = 1;

    (void)!write(wake_fd, &one, sizeof(one));
}

/* ---- events ---- */

/* Tell of an event and wait. Returns the signal that the payload shall get, or 0. */
static int report(struct vcpu *vcpu, enum event event, int signo, const void *info)
{
    struct freezable *thread = freeze_of(vcpu);
    struct gdb_thread *own = of(vcpu);

    freeze_lock();
    if (gdb_is_active()) {
        *own = (struct gdb_thread){.event = event, .signo = signo, .info = info, .pass = own->pass};
        __atomic_store_n(&thread->held, true, __ATOMIC_RELEASE);
        wake();
        freeze_point_locked(thread);
        signo = own->signo;
        own->info = NULL;
    }
    freeze_unlock();
    return event == EVENT_SIGNAL ? signo : 0;
}

int gdb_signal(struct vcpu *vcpu, int signo, void *info)
{
    struct gdb_thread *own = of(vcpu);
    siginfo_t changed = {.si_code = SI_USER};
    int wanted = signo;

    if (!gdb_is_active() || vcpu->vforked) {
        return signo;
    }
    if (own->pass & SIGNAL_BIT(signo)) {
        own->pass &= ~SIGNAL_BIT(signo);
    } else if (!(session.pass & SIGNAL_BIT(signo))) {
        wanted = report(vcpu, EVENT_SIGNAL, signo, info);
    }
    if (wanted && wanted != signo) {
        changed.si_signo = wanted;
        memcpy(info, &changed, sizeof(changed));
    }
    return wanted;
}

/* ---- steps and breakpoints ---- */

static void clear_trap_flag(struct vcpu *vcpu, bool in_call)
{
    vcpu->regs->rflags &= ~FLAG_TF;
    if (in_call) { /* where SYSCALL put the flags */
        vcpu->regs->r11 &= ~FLAG_TF;
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

void gdb_before_guest(struct vcpu *vcpu)
{
    struct gdb_thread *own = of(vcpu);

    if (own->stepping) {
        cpu_leave_stub(vcpu);
        if (own->trapped || vcpu->regs->rip != own->step_from) {
            (void)report(vcpu, EVENT_STEP, SIGTRAP, NULL);
        }
    }
}

void gdb_enter_guest(struct vcpu *vcpu)
{
    struct gdb_thread *own = of(vcpu);

    own->stepping = own->step && gdb_is_active();
    if (own->stepping) {
        cpu_leave_stub(vcpu);
        own->trapped = false;
        own->step_from = vcpu->regs->rip;
        vcpu->regs->rflags |= FLAG_TF;
        vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    }
}

void gdb_left_guest(struct vcpu *vcpu, bool in_call)
{
    if (of(vcpu)->stepping) {
        clear_trap_flag(vcpu, in_call);
    }
}

bool gdb_fault(struct vcpu *vcpu, unsigned vector)
{
    struct gdb_thread *own = of(vcpu);

    if (own->stepping && !vcpu->vforked) {
        clear_trap_flag(vcpu, false);
        own->trapped = own->trapped || vector == 1;
        if (vector == 1) {
            return true;
        }
    }
    if (vector != 3 || vcpu->vforked || !gdb_is_active() ||
        !breakpoint_is_at(vcpu->regs->rip - 1)) {
        return false;
    }
    vcpu->regs->rip -= 1; /* the breakpoint's instruction is the one to run next */
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    (void)report(vcpu, EVENT_BREAKPOINT, SIGTRAP, NULL);
    return true;
}

void gdb_thread_ended(const struct vcpu *vcpu)
{
    *of(vcpu) = (struct gdb_thread){0};
    if (gdb_is_active()) {
        wake();
    }
}

/* ---- fork ---- */

void gdb_after_fork(struct vcpu *vcpu)
{
    if (gdb_is_active()) {
        gdb_set_active(false);
        breakpoints_after_fork();
        fd_close_hidden(session.fd);
        fd_close_hidden(wake_fd);
        *of(vcpu) = (struct gdb_thread){0};
    }
}

void gdb_before_vfork(void)
{
    if (gdb_is_active()) {
        breakpoints_lift();
    }
}

void gdb_after_vfork(void)
{
    if (gdb_is_active()) {
        breakpoints_lower();
    }
}
