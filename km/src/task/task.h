// SPDX-License-Identifier: Apache-2.0
/*
 * task.h: the payload's processes, threads and signals.
 */
#ifndef KM_TASK_H
#define KM_TASK_H

#include <signal.h>

#include "base/base.h"
#include "machine/machine.h"

/* ---- process.c, thread.c: more than one process and thread ---- */

/* Start a payload's thread with these registers, and the parent's FPU, which *state has
 * afterwards. Its tid, or -errno. */
int64_t thread_start(struct vcpu *parent, uint64_t flags, struct cpu_state *state,
                     uint64_t parent_tid, uint64_t child_tid);

/* One that a snapshot has, which waits for threads_go(). Its tid of the host, or -errno. */
int64_t thread_resume(struct vcpu *first, const struct cpu_state *state, uint64_t mask,
                      struct vcpu **made);
void threads_go(void);

/* End this payload thread, by signal -status if that is below 0; the process too when it is the
 * last. */
_Noreturn void thread_end(struct vcpu *vcpu, int status);

/* Say at `addr`, if that is not 0, that the task whose number stood there has ended. */
void thread_clear_tid(uint64_t addr);

/* Wake who waits for the futex at `addr`, which ends for them. */
void thread_wake(uint64_t addr);

/* In the child of fork(): this thread is the only one. */
void thread_after_fork(void);

/* Held over fork(), so that the child finds the threads' list whole. */
void thread_lock(void);
void thread_unlock(void);

/* Whether the process has more than one payload thread. */
bool thread_several(void);

/* struct clone_args of clone3(2); what clone(2) cannot say is zero. */
struct clone {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

/* Make a process or a thread, as clone3(2): its number, 0 in the child, or -errno. */
int64_t process_clone(struct vcpu *vcpu, const struct clone *how);

/* ---- room.c ---- */

/* Whether limits of processes leave room for a process, or for a thread; where they are high it is
 * not looked at. */
bool room_for_one(struct vcpu *vcpu, bool thread);

/* ---- signal.c: signals of the payload ---- */

/* The kernel's struct sigaction, of rt_sigaction(2). */
struct action {
    uint64_t handler, flags, restorer, mask;
};

#define SIGNAL_MAX 64
#define SIGNAL_STOP (SIGNAL_MAX + 1) /* waits: not a signal, but task/freeze.c */
#define SIGNAL_BIT(signo) (1UL << ((signo) - 1))

/* These two also tell the monitor of its own faults: the host never blocks them. */
#define SIGNALS_OF_MONITOR (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* The vCPU that the calling thread drives. */
struct vcpu *signal_vcpu(void);

/* Must be called once, and by each further thread the other, before its vCPU runs. */
void signal_init(struct vcpu *vcpu);
void signal_init_thread(struct vcpu *vcpu, uint64_t mask);

/* All handlers become the default, as CLONE_CLEAR_SIGHAND says. */
void signal_clear_handlers(void);

/* There will be other threads, of the payload or the helper. */
void signal_before_threads(void);

/* Keep all signals from this thread while it changes what their handler looks at; also the two that
 * tell of the monitor's own faults, where the handler could do nothing with those of others. */
void signal_hold(void);
void signal_hold_all(void);
void signal_release(struct vcpu *vcpu);

/* The soft limit of cores that the payload sees; the host's is 0, which would dump the monitor. */
extern uint64_t core_limit;
void signal_set_core_limit(uint64_t limit);

/*
 * Whether a child that was killed by `signo`, and that nobody has waited for, has left a core: its
 * soft limit of cores is then 1, which is none at all for the kernel.
 */
bool core_is_marked(pid_t pid, int signo);

/* The actions of a process. The child of a vfork has its own, in its parent's memory. */
struct actions {
    struct action of[SIGNAL_MAX + 1];
    uint64_t known; /* bit per signal: else the host knows what we inherited */
};

/* For a vfork: this thread goes on with `own`, a copy of its actions; those, to use them again. */
struct actions *signal_actions_copy(struct actions *own);
void signal_actions_use(struct actions *these);
/* In the child of a fork(): this thread's are now the process's. */
void signal_after_fork(void);

/* Deliver what waits: the payload's handler is what the vCPU runs next, or the process dies. */
void signal_deliver(struct vcpu *vcpu);

/* Whether a call that the waiting signal broke off is made again; `restarts`: as SA_RESTART says.
 */
bool signal_restarts(bool restarts);

/* A signal that the payload's own instruction caused: its handler runs next, or it dies of it. */
void signal_force(struct vcpu *vcpu, int signo, int code, uint64_t addr);

/* The same with all that its siginfo says. */
void signal_force_info(struct vcpu *vcpu, const void *forced);

/*
 * Whether a siginfo that the payload made says that an instruction caused the signal; then its
 * si_code is changed on the way through the host, and changed back at delivery.
 */
bool signal_disguise(int signo, uint8_t info[128]);

/* Change it back, in a siginfo that the payload is to see. */
void signal_undisguise(int signo, uint8_t info[128]);

/* Send a signal that came to another thread of the monitor on to `tid`, with its siginfo as far as
 * the host lets: where that is refused, as one of this process. */
void signal_pass_on(pid_t tid, int signo, const void *info);

/* Whether the default action of `signo` is to die; to die with a core. */
bool signal_kills(int signo);
bool signal_dumps_core(int signo);

/* Die of `signo` as a process does that has no handler for it. */
_Noreturn void signal_die(int signo);

/* The payload's action for signo; set one, for the host too. */
const struct action *signal_action(int signo);
int64_t signal_set_action(int signo, const struct action *action);

/*
 * Make a call that blocks *mask while it waits, such as sigsuspend(2). A signal that ends it finds
 * its handler under that mask; what the thread blocks after it is as before.
 */
int64_t signal_call_under_mask(struct vcpu *vcpu, uint64_t *mask, uint64_t number,
                               const uint64_t *args);

/* Make `mask` what the payload blocks. */
void signal_set_mask(struct vcpu *vcpu, uint64_t mask);

/* ---- held.c: SIGSEGV and SIGBUS that others sent while the payload blocks them ---- */

/* Keep one, or pass it on to a thread that takes it. Let those come that are not blocked any more;
 * forget one. */
void held_keep(struct vcpu *vcpu, int signo, const void *info);
void held_release(struct vcpu *vcpu);
void held_forget(struct vcpu *vcpu, int signo);

/* Get those of `set` that were sent to the process and that other threads hold. */
void held_gather(struct vcpu *vcpu, uint64_t set);

/*
 * Give the host what is held of `set`, until held_take(); false where that is none. Until then the
 * monitor must not touch the payload's memory. Before a call that may wait it is one signal alone,
 * since by the other the thread can be stopped, and freeze_is_wanted() is asked after it.
 */
bool held_lend(struct vcpu *vcpu, uint64_t set);
bool held_lend_one(struct vcpu *vcpu);
void held_take(struct vcpu *vcpu);

/* host_syscall(), by a call that may look for signals. */
int64_t held_call(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* What thread `tid` of this process blocks, and keeps so, of these two. */
void held_of_thread(pid_t tid, uint64_t *blocked, uint64_t *pending);

/* Leave what is held, and is blocked, to the program that is executed next; take it back. */
void held_hand_on(struct vcpu *vcpu);
void held_take_back(void);

/* ---- robust.c: lists of futexes that a thread's end releases ---- */

/* The list that a new thread is expected to name, by its maker's and its thread pointer; or 0. The
 * new thread begins with that expectation, and without a list. */
uint64_t robust_expected(struct vcpu *maker, uint64_t thread_pointer);
void robust_begin(struct vcpu *vcpu, uint64_t expected);

/* The payload's thread has this list, or none, and is expected to name no other. */
void robust_set(struct vcpu *vcpu, uint64_t list);

/* Let the guest, which is entered next, name the list that is expected. It has left: take it. */
void robust_offer(struct vcpu *vcpu);
void robust_take(struct vcpu *vcpu);

/* The list that a thread has, also as long as its guest runs. */
uint64_t robust_of(const struct vcpu *vcpu);

/* The thread ends, and its process may live on: release what its list names. */
void robust_end(const struct vcpu *vcpu);

/* ---- guest_mask.c: a mask that the guest changes itself ---- */

/* The payload changes its mask. */
void guest_mask_count(struct vcpu *vcpu);

/* Let the guest, which is entered next, change the mask; true where it can. It has left, because
 * of a signal or else: the mask is the monitor's again, and the host's. */
bool guest_mask_lend(struct vcpu *vcpu);
void guest_mask_take(struct vcpu *vcpu, bool interrupted);

/* What the thread blocks, also as long as its guest runs. */
uint64_t guest_mask_now(const struct vcpu *vcpu);

/* KVM has a vCPU's mask of another process, or none. */
void guest_mask_forget(struct vcpu *vcpu);

/* The bits of MXCSR that the CPU takes. */
uint32_t mxcsr_mask(void);

/* ---- sigframe.c: what the kernel leaves on the stack for a handler ---- */

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

/* Whether sp lies on the alternate stack. */
bool on_altstack(const struct vcpu *vcpu, uint64_t sp);

/* Save the payload's state on its stack and enter its handler. False when the stack is not there.
 */
bool sigframe_push(struct vcpu *vcpu, const struct action *action, int signo, uint64_t old_mask);

/* Restore what sigframe_push() saved, as far as a payload may set it. False for a bad frame. */
bool sigframe_pop(struct vcpu *vcpu, uint64_t *mask);

/* ---- task/freeze.c: threads that are stopped from outside; see stop.h ---- */

/* A thread is about to drive this vCPU, made by `parent` or NULL; drives it; does so no more. */
void freeze_enter(struct vcpu *vcpu, const struct vcpu *parent);
void freeze_set_tid(const struct vcpu *vcpu, pid_t tid);
void freeze_leave(const struct vcpu *vcpu);

/* In the child of fork(): this thread is the only one. */
void freeze_after_fork(struct vcpu *vcpu);

/* The child of a vfork takes the vCPU, while its thread's state is kept in `state`; it has ended.
 */
void freeze_away(const struct vcpu *vcpu, struct cpu_state *state);
void freeze_back(const struct vcpu *vcpu);

/* Its thread begins to execute a program: no signal of another thread's may come until it has
 * failed, for it would wait for the new program, and end it. */
void freeze_executes(const struct vcpu *vcpu, bool executes);

/* Whether this signal is task/freeze.c's own; whether the thread is to stop. */
bool freeze_is_kick(const void *signal_info);
bool freeze_is_wanted(const struct vcpu *vcpu);

/* One for each vCPU. Read and written under freeze_lock(), or by its own thread while it runs. */
struct freezable {
    struct vcpu *vcpu;      /* NULL: no thread drives it */
    pid_t tid;              /* 0: it is about to start */
    bool held;              /* it must not enter the guest */
    bool was_held;          /* before freeze_all() */
    bool stopped;           /* it stands still */
    bool executes;          /* it is about to become another program */
    struct cpu_state *away; /* where its state is while its vCPU is that of a vfork's child */
    struct gdb_thread *gdb; /* what gdb.c knows of it */
};

void freeze_lock(void);
void freeze_unlock(void);

/* The thread that drives `vcpu`, and all there are: the first, and the next one after; or NULL. */
struct freezable *freeze_of(const struct vcpu *vcpu);
struct freezable *freeze_first(void);
struct freezable *freeze_next(const struct freezable *thread);

/* Whether this thread must call freeze_point() before it enters the guest. */
static inline bool freeze_wanted(const struct freezable *thread)
{
    return __atomic_load_n(&thread->held, __ATOMIC_ACQUIRE);
}

/* Stand still until let go; the second form with freeze_lock() held, which it gives up meanwhile.
 */
void freeze_point(struct freezable *thread);
void freeze_point_locked(struct freezable *thread);

/*
 * Stop all threads but `self`, which is the caller's or NULL. When somebody else does so already,
 * it comes first. On return nothing of the payload runs until freeze_release(), which lets those go
 * whose `held` is false.
 */
void freeze_all(struct freezable *self);
void freeze_release(void);
/* The same, which lets go all threads that freeze_all() stopped. */
void freeze_thaw(void);

/* The state of a thread that stands still; set it. */
void freeze_get_state(struct freezable *thread, struct cpu_state *state);
void freeze_set_state(struct freezable *thread, const struct cpu_state *state);

/* ---- task/pid_map.c: the numbers of processes and threads of a resumed program ---- */

/* Room for so many threads; one of them; all are known. */
bool pid_map_reserve(size_t threads);
void pid_map_add(pid_t shown, pid_t host);
void pid_map_complete(void);

/* Whether any is not the host's. */
bool pid_map_translated(void);

/* The host's number of what a call names, a group's with a minus too; the payload's number. */
uint64_t pid_map_to_host(uint64_t shown);
pid_t pid_map_shown(pid_t host);

/* The result of a call that may return one; a siginfo that may name who sent it. */
int64_t pid_map_of_result(uint64_t number, int64_t result);
void pid_map_of_info(uint8_t info[128]);

/* ---- cpus.c ---- */

/* How many CPUs the process can use at the same time: by its affinity and its cgroups' quota. */
unsigned cpus_usable(void);

#endif /* KM_TASK_H */
