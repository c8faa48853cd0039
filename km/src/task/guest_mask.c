// SPDX-License-Identifier: Apache-2.0
/*
 * guest_mask.c: a signal mask that the guest changes itself.
 *
 * The C libraries block all signals around each thread and process that they make, and in a thread
 * that begins and ends. On PVM each such call costs an exit. So a vCPU of a process that changes
 * its mask often has the mask in its stub's data, where stub_code.S changes it, and the host learns
 * of it at the next exit.
 *
 * Until then no signal may be lost to the stale mask. As long as the guest runs, the host's thread
 * blocks all signals, and KVM, by KVM_SET_SIGNAL_MASK, lets some of them end KVM_RUN without taking
 * them: at least all that the payload does not block. They wait where they are, of the process or
 * of the thread, whether they would be ignored, handled, or would kill. After the exit the host's
 * thread blocks the same signals as the payload, and the kernel does with the others as it does
 * without a VM. A signal that the payload has blocked meanwhile waits on, and KVM holds it back
 * from then on. The guest cannot unblock itself a signal that KVM holds back: that call leaves.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>
#include <unistd.h>

#define OFTEN 16U   /* changes that left the guest, by all of the process: from then on it pays */
#define SELDOM 256U /* exits in a row without a change in the guest: no longer, by 1 us each */

static uint32_t changes, idle;

void guest_mask_count(struct vcpu *vcpu)
{
    vcpu->mask_is_asked = false;
    if (__atomic_load_n(&changes, __ATOMIC_RELAXED) < OFTEN) {
        __atomic_fetch_add(&changes, 1, __ATOMIC_RELAXED);
    }
}

void guest_mask_forget(struct vcpu *vcpu)
{
    vcpu->holds_back = true; /* whatever it is */
    vcpu->held_back = ~0UL;
}

static bool is_wanted(const struct vcpu *vcpu)
{
    return __atomic_load_n(&changes, __ATOMIC_RELAXED) >= OFTEN && !vcpu->vm->hardware &&
           !calls_are_watched() && !vcpu->mask_lent && !vcpu->mask_is_asked && seccomp_is_off(vcpu);
}

/* Let it be all that the payload blocks, but what it has blocked and unblocked itself so far. */
static bool choose(struct vcpu *vcpu)
{
    uint64_t mask = vcpu->signal_mask & ~SIGNALS_OF_MONITOR;

    mask &= vcpu->holds_back ? vcpu->held_back : mask;
    if (!vcpu->holds_back || mask != vcpu->held_back) {
        vcpu->holds_back = vcpu_hold_back(vcpu, &mask);
        vcpu->held_back = mask;
    }
    return vcpu->holds_back;
}

bool guest_mask_lend(struct vcpu *vcpu)
{
    struct stub_data *data = stub_data(vcpu);

    data->kind[__NR_rt_sigprocmask] = 0;
    if (is_wanted(vcpu)) {
        signal_hold();
        if (!signal_waiting && choose(vcpu)) {
            data->next = 0; /* tells whether there was a change */
            data->mask = vcpu->signal_mask;
            data->held_back = vcpu->held_back | vcpu->signals_held;
            data->kind[__NR_rt_sigprocmask] = KIND_MASK;
            __atomic_store_n(&vcpu->mask_in_guest, true, __ATOMIC_RELEASE);
            return true;
        }
        signal_release(vcpu);
    }
    if (vcpu->holds_back) {
        (void)vcpu_hold_back(vcpu, NULL);
        vcpu->holds_back = false;
    }
    return false;
}

uint64_t guest_mask_now(const struct vcpu *vcpu)
{
    return vcpu->mask_in_guest ? stub_data(vcpu)->mask & ~SIGNALS_UNBLOCKABLE : vcpu->signal_mask;
}

static void count_use(bool used)
{
    uint32_t now = used ? 0 : __atomic_load_n(&idle, __ATOMIC_RELAXED) + 1;

    if (now >= SELDOM) {
        __atomic_store_n(&changes, 0, __ATOMIC_RELAXED);
        now = 0;
    }
    __atomic_store_n(&idle, now, __ATOMIC_RELAXED);
}

void guest_mask_take(struct vcpu *vcpu, bool interrupted)
{
    count_use(stub_data(vcpu)->next);
    vcpu->signal_mask = guest_mask_now(vcpu);
    __atomic_store_n(&vcpu->mask_in_guest, false, __ATOMIC_RELEASE);
    signal_release(vcpu);
    if (interrupted && !signal_waiting) { /* by one that the payload blocks, or that is ignored */
        vcpu->holds_back = false;
    }
}
