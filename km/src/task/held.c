// SPDX-License-Identifier: Apache-2.0
/*
 * held.c: SIGSEGV and SIGBUS that others sent while the payload blocks them.
 *
 * They also tell the monitor of its own faults, and stop its threads: so the host never
 * blocks them, and the monitor keeps what came until the payload unblocks it. Where the host is to
 * find such a signal, in a call that looks for signals or in the program that is executed, it gets
 * it back for that time: the host then blocks it.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void change_mask(int how, uint64_t set)
{
    (void)syscall(__NR_rt_sigprocmask, how, &set, NULL, sizeof(set));
}

static const int signals[] = {SIGBUS, SIGSEGV};

/* Take it from the thread that holds it; false where that does so no more. */
static bool take(struct vcpu *from, int signo, uint8_t info[128])
{
    memcpy(info, from->held_info[signo == SIGBUS], sizeof(from->held_info[0]));
    return __atomic_fetch_and(&from->signals_held, ~SIGNAL_BIT(signo), __ATOMIC_SEQ_CST) &
           SIGNAL_BIT(signo);
}

/* Let these of what is held come again. */
static void send_again(struct vcpu *vcpu, uint64_t set)
{
    uint8_t info[128];

    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        if (set & SIGNAL_BIT(signals[i]) && take(vcpu, signals[i], info)) {
            (void)syscall(__NR_rt_tgsigqueueinfo, getpid(), syscall(__NR_gettid), signals[i], info);
        }
    }
}

/* Keep it, without a disguise for calls that find it, unless it would be a fault's. */
static void keep(struct vcpu *vcpu, int signo, const void *info)
{
    uint8_t *kept = vcpu->held_info[signo == SIGBUS];

    if (!(vcpu->signals_held & SIGNAL_BIT(signo))) { /* the first one counts */
        memcpy(kept, info, sizeof(vcpu->held_info[0]));
        signal_undisguise(signo, kept);
        (void)signal_disguise(signo, kept);
        __atomic_fetch_or(&vcpu->signals_held, SIGNAL_BIT(signo), __ATOMIC_SEQ_CST);
    }
}

/* ---- what was sent to the process ---- */

/* The host gives it to any thread, for none blocks it. What sigqueue(3) sends to a process does not
 * differ from what pthread_sigqueue(3) sends to a thread. */
static bool is_for_process(const struct vcpu *vcpu, int signo)
{
    siginfo_t info;

    memcpy(&info, vcpu->held_info[signo == SIGBUS], sizeof(info));
    return info.si_code == SI_USER || info.si_code == SI_QUEUE;
}

/* Another thread that does not block it, or waits for it; or NULL. */
static const struct freezable *taker(const struct vcpu *self, int signo)
{
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        const struct vcpu *vcpu = thread->vcpu;

        if (vcpu && vcpu != self && thread->tid &&
            (~guest_mask_now(vcpu) | __atomic_load_n(&vcpu->signals_wanted, __ATOMIC_SEQ_CST)) &
                SIGNAL_BIT(signo)) {
            return thread;
        }
    }
    return NULL;
}

static bool ever_held;

void held_keep(struct vcpu *vcpu, int signo, const void *info)
{
    const struct freezable *thread;
    uint8_t copy[128];

    ever_held = true;
    keep(vcpu, signo, info);
    if (!vcpu->vforked && is_for_process(vcpu, signo)) {
        thread = taker(vcpu, signo);
        if (thread && take(vcpu, signo, copy)) {
            signal_pass_on(thread->tid, signo, copy);
        }
    }
}

void held_gather(struct vcpu *vcpu, uint64_t set)
{
    uint8_t info[128];

    if (!ever_held || vcpu->vforked || !thread_several()) {
        return;
    }
    freeze_lock();
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
            if (thread->vcpu != vcpu && thread->vcpu->signals_held & set & SIGNAL_BIT(signals[i]) &&
                is_for_process(thread->vcpu, signals[i]) && take(thread->vcpu, signals[i], info)) {
                keep(vcpu, signals[i], info);
            }
        }
    }
    freeze_unlock();
}

/* ---- what the thread holds ---- */

void held_release(struct vcpu *vcpu)
{
    held_gather(vcpu, ~vcpu->signal_mask);
    send_again(vcpu, ~vcpu->signal_mask);
}

void held_forget(struct vcpu *vcpu, int signo)
{
    held_gather(vcpu, SIGNAL_BIT(signo));
    __atomic_fetch_and(&vcpu->signals_held, ~SIGNAL_BIT(signo), __ATOMIC_SEQ_CST);
}

bool held_lend(struct vcpu *vcpu, uint64_t set)
{
    uint64_t lent = vcpu->signals_held & set;

    if (!lent) {
        return false;
    }
    __atomic_store_n(&vcpu->signals_lent, lent, __ATOMIC_SEQ_CST);
    change_mask(SIG_BLOCK, lent);
    send_again(vcpu, lent);
    return true;
}

bool held_lend_one(struct vcpu *vcpu)
{
    return held_lend(vcpu, vcpu->signals_held & SIGNAL_BIT(SIGBUS) ? SIGNAL_BIT(SIGBUS)
                                                                   : SIGNAL_BIT(SIGSEGV));
}

void held_take(struct vcpu *vcpu)
{
    uint64_t lent = __atomic_exchange_n(&vcpu->signals_lent, 0, __ATOMIC_SEQ_CST);

    change_mask(SIG_UNBLOCK, lent);
}

int64_t held_call(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    int64_t result = NOT_STARTED;

    held_gather(vcpu, vcpu->signal_mask);
    if (!held_lend_one(vcpu)) {
        return host_syscall(number, args);
    }
    if (!freeze_is_wanted(vcpu)) { /* else it may have been told by a signal that was lent */
        result = host_syscall(number, args);
    }
    held_take(vcpu);
    return result;
}

void held_of_thread(pid_t tid, uint64_t *blocked, uint64_t *pending)
{
    *blocked = *pending = 0;
    freeze_lock();
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        if (thread->tid == tid) {
            *blocked = guest_mask_now(thread->vcpu) & SIGNALS_OF_MONITOR;
            *pending = thread->vcpu->signals_held;
        }
    }
    freeze_unlock();
}

void held_hand_on(struct vcpu *vcpu)
{
    change_mask(SIG_BLOCK, vcpu->signal_mask & SIGNALS_OF_MONITOR);
    send_again(vcpu, SIGNALS_OF_MONITOR);
}

void held_take_back(void)
{
    change_mask(SIG_UNBLOCK, SIGNALS_OF_MONITOR);
}
