// SPDX-License-Identifier: Apache-2.0
/*
 * signal.c: signals of the payload.
 *
 * The host's kernel keeps the payload's dispositions and mask as its own, so that default actions,
 * pending signals, sigtimedwait and signalfd need nothing from us. Only a signal with a handler
 * comes here: the host's handler notes it, blocks all others and kicks the vCPU out; on the way
 * back into the guest (signal_deliver.c) the payload's handler is entered, and the mask is again
 * the payload's.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

static _Thread_local struct vcpu *current;

static struct actions of_process;
static _Thread_local struct actions *actions = &of_process; /* or of a vfork's child */

/* host_call.S, guest_copy.S */
extern const char host_syscall_begin[], host_syscall_end[], host_syscall_abort[];
extern const char guest_copy_begin[], guest_copy_end[], guest_copy_fault[];
extern const char guest_cmpxchg_begin[], guest_cmpxchg_end[];
void host_restorer(void);

uint64_t core_limit;

static int64_t host_sigaction(int signo, const struct action *new, struct action *old)
{
    uint64_t args[6] = {(uint64_t)signo, (uint64_t)new, (uint64_t)old, sizeof(new->mask)};

    return host_syscall(__NR_rt_sigaction, args);
}

static void host_set_mask(uint64_t mask)
{
    mask &= ~SIGNALS_OF_MONITOR;
    (void)syscall(__NR_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

static bool rip_in(greg_t rip, const char *begin, const char *end)
{
    return (uint64_t)rip >= (uint64_t)begin && (uint64_t)rip < (uint64_t)end;
}

/* Let the thread come to signal_deliver() before anything else of the payload. */
static void interrupt(greg_t *rip, int signo)
{
    if (rip_in(*rip, host_syscall_begin, host_syscall_end)) {
        *rip = (greg_t)host_syscall_abort;
    }
    signal_waiting = signo;
    current->run->immediate_exit = 1;
}

/*
 * A signal that the payload has just blocked, which the host did not know yet: it goes back to
 * where blocked signals wait. The monitor's own two are never blocked there and wait here.
 */
static void postpone(int signo, const siginfo_t *info, ucontext_t *host)
{
    greg_t *rip = &host->uc_mcontext.gregs[REG_RIP];

    if (current && SIGNAL_BIT(signo) & SIGNALS_OF_MONITOR) {
        held_keep(current, signo, info);
        if (rip_in(*rip, host_syscall_begin, host_syscall_end + 1) && !signal_waiting) {
            interrupt(rip, SIGNAL_STOP); /* the call does not end by it, and may look for it */
        }
        return;
    }
    *(uint64_t *)&host->uc_sigmask |= SIGNAL_BIT(signo);
    (void)syscall(__NR_rt_tgsigqueueinfo, getpid(), syscall(__NR_gettid), signo, info);
}

/* The host's handler of every signal that the payload handles, and of the monitor's own faults. */
static void on_signal(int signo, siginfo_t *info, void *context)
{
    ucontext_t *host = context;
    greg_t *rip = &host->uc_mcontext.gregs[REG_RIP];

    if (signo == SIGBUS && info->si_code == BUS_MCEERR_AR && current &&
        (uint64_t)info->si_addr < GUEST_TOP && !rip_in(*rip, guest_copy_begin, guest_copy_end)) {
        current->poisoned = true; /* KVM tells, which goes on: vcpu.c */
        return;
    }
    if ((signo == SIGSEGV || signo == SIGBUS) && info->si_code > 0 &&
        info->si_code != BUS_MCEERR_AO) { /* which tells of memory that nobody touched */
        if (!rip_in(*rip, guest_copy_begin, guest_copy_end) &&
            !rip_in(*rip, guest_cmpxchg_begin, guest_cmpxchg_end)) {
            die(STATUS_FAILED, FIX_REPORT, "the monitor failed: signal %d at 0x%llx, address %p",
                signo, (unsigned long long)*rip, info->si_addr);
        }
        guest_note_fault(signo, info->si_code);
        *rip = (greg_t)guest_copy_fault;
        return;
    }
    if (!current) { /* a thread that starts, in which musl lets 33 and 34 through */
        if (!hooks.helper_passes_on(signo, info)) {
            postpone(signo, info, host);
        }
        return;
    }
    if (freeze_is_wanted(current) && !signal_waiting) { /* whatever the signal is */
        interrupt(rip, SIGNAL_STOP);
    }
    if (hooks.is_snapshot_request(info)) { /* to whichever thread */
        if (!signal_waiting) {
            interrupt(rip, SIGNAL_STOP);
        }
        return;
    }
    if (freeze_is_kick(info)) {
        return;
    }
    if (guest_mask_now(current) & SIGNAL_BIT(signo) ||
        (signal_waiting && signal_waiting != SIGNAL_STOP)) { /* one at a time */
        postpone(signo, info, host);
        return;
    }
    memcpy(current->signal_info, info, sizeof(current->signal_info));
    interrupt(rip, signo);
    memset(&host->uc_sigmask, 0xff, sizeof(uint64_t));
    *(uint64_t *)&host->uc_sigmask &= ~SIGNALS_OF_MONITOR;
}

static int64_t host_handle(int signo, uint64_t flags)
{
    struct action action = {
        .handler = (uint64_t)on_signal,
        .flags = SA_SIGINFO | SA_RESTORER | (flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)),
        .restorer = (uint64_t)host_restorer,
        .mask = ~0UL,
    };

    return host_sigaction(signo, &action, NULL);
}

/* ---- signals that kill ---- */

/* As signal(7) has it: what else is done by default is to ignore, to stop and to go on. */
bool signal_kills(int signo)
{
    static const uint64_t others = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH) |
                                   SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) |
                                   SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU);

    return !(others & SIGNAL_BIT(signo));
}

bool signal_dumps_core(int signo)
{
    static const uint64_t core = SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |
                                 SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) |
                                 SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ) |
                                 SIGNAL_BIT(SIGSYS);

    return core & SIGNAL_BIT(signo);
}

static bool has_threads; /* or has had; the helper is one */

/* Once there are threads, 33 and 34 come through where the payload blocks them: musl unblocks both
 * in a thread that starts, and in the one that starts the first. They must not kill there. */
static bool is_musls(int signo)
{
    return (signo == 33 || signo == 34) && has_threads;
}

/*
 * Whether the host shall tell of a signal that the payload leaves to kill it: for what is said when
 * it does. Process 1 of a container does not die of them.
 */
static bool is_watched(int signo)
{
    return (is_musls(signo) || options.trace || options.stats || options.coredump || options.gdb ||
            options.gdb_session || (core_limit && signal_dumps_core(signo))) &&
           signo != SIGKILL && signal_kills(signo) && getpid() != 1;
}

struct vcpu *signal_vcpu(void)
{
    return current;
}

void signal_hold(void)
{
    uint64_t all = ~SIGNALS_OF_MONITOR;

    (void)syscall(__NR_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

void signal_hold_all(void)
{
    uint64_t all = ~0UL;

    (void)syscall(__NR_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

void signal_release(struct vcpu *vcpu)
{
    if (!signal_waiting || signal_waiting == SIGNAL_STOP) {
        host_set_mask(vcpu->signal_mask);
    }
}

struct actions *signal_actions_copy(struct actions *own)
{
    struct actions *before = actions;

    *own = *before;
    actions = own;
    return before;
}

void signal_actions_use(struct actions *these)
{
    actions = these;
}

void signal_after_fork(void)
{
    current->signals_held = 0; /* those that wait are the parent's */
    if (actions != &of_process) {
        of_process = *actions;
        actions = &of_process;
    }
}

void signal_init_thread(struct vcpu *vcpu, uint64_t mask)
{
    current = vcpu;
    signal_waiting = 0;
    vcpu->mask_in_guest = false; /* of another thread, before a fork */
    vcpu->signals_held = 0;
    vcpu->run->immediate_exit = 0;
    memset(&vcpu->altstack, 0, sizeof(vcpu->altstack));
    signal_set_mask(vcpu, mask);
}

/* What the host would dump of a process that dies of a signal is the monitor's memory. */
static void forbid_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        core_limit = options.core_limit ? strtoul(options.core_limit, NULL, 10) : limit.rlim_cur;
        limit.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &limit);
    }
}

/* The signals that the payload leaves to kill it, where it is to be said how. */
static void watch_signals(void)
{
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (is_watched(signo) && signal_action(signo)->handler == (uint64_t)SIG_DFL) {
            (void)host_handle(signo, 0);
        }
    }
}

void signal_before_threads(void)
{
    if (!has_threads) {
        has_threads = true;
        watch_signals();
    }
}

void signal_set_core_limit(uint64_t limit)
{
    bool begins = !core_limit && limit;

    core_limit = limit;
    if (begins) {
        watch_signals();
    }
}

bool core_is_marked(pid_t pid, int signo)
{
    struct rlimit limit;

    return core_limit && signal_dumps_core(signo) && prlimit(pid, RLIMIT_CORE, NULL, &limit) == 0 &&
           limit.rlim_cur == 1;
}

void signal_init(struct vcpu *vcpu)
{
    forbid_core();
    current = vcpu;
    (void)syscall(__NR_rt_sigprocmask, SIG_BLOCK, NULL, &vcpu->signal_mask, sizeof(uint64_t));
    (void)signal_action(SIGSEGV);
    (void)signal_action(SIGBUS);
    (void)host_handle(SIGSEGV, 0);
    (void)host_handle(SIGBUS, 0);
    if (vcpu->signal_mask & SIGNALS_OF_MONITOR) { /* some may wait, which held_hand_on() left */
        host_set_mask(vcpu->signal_mask);
    }
    watch_signals();
    memset(&vcpu->altstack, 0, sizeof(vcpu->altstack));
}

const struct action *signal_action(int signo)
{
    if (!(actions->known & SIGNAL_BIT(signo))) { /* ignored or default, as km itself inherited it */
        (void)host_sigaction(signo, NULL, &actions->of[signo]);
        actions->known |= SIGNAL_BIT(signo);
    }
    return &actions->of[signo];
}

/* The flags that the kernel keeps, since 5.11; it drops SA_UNSUPPORTED, by which a program asks
 * whether it does so. */
#define SA_KEPT                                                                                    \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |             \
     SA_RESETHAND | SA_RESTORER | SA_EXPOSE_TAGBITS)
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x800
#endif

int64_t signal_set_action(int signo, const struct action *action)
{
    struct action old = *signal_action(signo);
    int64_t error = 0;

    actions->of[signo] = *action;
    actions->of[signo].mask &= ~SIGNALS_UNBLOCKABLE;
    actions->of[signo].flags &= (uint32_t)SA_KEPT;
    if (SIGNAL_BIT(signo) & SIGNALS_OF_MONITOR) {
        if (current && action->handler == (uint64_t)SIG_IGN) { /* what waits is gone */
            held_forget(current, signo);
        }
        return 0;
    }
    if (action->handler == (uint64_t)SIG_IGN ||
        (action->handler == (uint64_t)SIG_DFL && !is_watched(signo))) {
        struct action plain = {.handler = action->handler,
                               .flags = action->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)};

        error = host_sigaction(signo, &plain, NULL);
    } else {
        error = host_handle(signo, action->flags);
    }
    if (error < 0) {
        actions->of[signo] = old;
    }
    return error;
}

void signal_clear_handlers(void)
{
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (actions->known & SIGNAL_BIT(signo) && actions->of[signo].handler != (uint64_t)SIG_IGN) {
            (void)signal_set_action(signo, &(struct action){.handler = (uint64_t)SIG_DFL});
        }
    }
}

void signal_set_mask(struct vcpu *vcpu, uint64_t mask)
{
    vcpu->signal_mask = mask & ~SIGNALS_UNBLOCKABLE;
    if (!signal_waiting) {
        held_release(vcpu);
    }
    if (!signal_waiting) {
        host_set_mask(vcpu->signal_mask);
    }
}

_Noreturn void signal_die(int signo)
{
    struct action plain = {.handler = (uint64_t)SIG_DFL};
    bool dumped = hooks.dies(current, signo);
    struct rlimit no_core = {dumped, dumped}; /* it would be the monitor's, not the payload's */
    uint64_t none = 0;

    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)syscall(__NR_rt_sigaction, signo, &plain, NULL, sizeof(none));
    (void)syscall(__NR_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
    (void)syscall(__NR_tgkill, getpid(), syscall(__NR_gettid), signo);
    _exit(128 + signo); /* a signal that does not kill PID 1 of a container */
}
