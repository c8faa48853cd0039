// SPDX-License-Identifier: Apache-2.0
/*
 * helper.c: a thread that makes system calls of the payload while its vCPU waits in the guest.
 *
 * On PVM an exit costs several times what the call itself does. So for a payload that makes many
 * calls in a row, for its first thread if it has several, a second thread of the monitor looks for
 * requests in the page after the stub, makes the call, and puts its result there. It exists only
 * for a payload that asks often, and looks only for a moment after the last request; else the stub
 * leaves at once, as it does for every call that the table does not give to the helper.
 *
 * `turn`, in the monitor's memory, decides which thread may touch the request: the helper takes it
 * while the vCPU is in the guest; the vCPU's thread takes it back whenever it returns from there,
 * and waits until the helper is done. So no call is made twice or lost, and the helper never runs
 * at the same time as the rest of the monitor. Calls that can wait for long are not given to it:
 * only a signal to the payload's own thread would end them.
 *
 * The request is the payload's to write on PVM: it is copied once, and then checked as the
 * registers of any call are. A payload that posts while it runs on has what it could have with two
 * threads.
 */
#include "calls/helper.h"
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <x86intrin.h>

#define STACK_SIZE (256UL << 10)
#define STACK (places.stacks + VCPUS_MAX * STACK_SIZE) /* behind those of thread.c */

/*
 * When it looks is a matter of processor time, which must not be more than it saves. Times are in
 * cycles of the time stamp counter, which has 1.5 to 5 to the nanosecond.
 */
#define SAVED 40000L  /* by a call: an exit, less what the helper's work and the spins cost */
#define MISSED 60000L /* lost by a call that it did not look at, but should have */
#define WAKING 30000L /* what it costs to wake it */
#define CREDIT_FIRST 20000000L /* some 8 ms: a program loads and looks for files as it starts */
#define CREDIT_MAX 5000000L    /* so much is kept of what it has saved, */
#define CREDIT_MUCH 1500000L   /* it is worth waking for a single call */
#define CREDIT_TRY 300000L     /* it is tried, */
#define TRIES 64L              /* which may cost one part in so many of the time */
#define LOOK 1000000L          /* so long it looks after a call */
#define ABSENT 30000L          /* between two looks: it was not on a CPU, which costs nothing */
#define CROWDED 2500000UL      /* likewise: a program that computes wants that CPU; */
#define KEEPING 50000000UL     /* for so long after that it does not offer it */
#define YIELD 5000UL           /* so long after a call it offers its CPU to others */
#define GAP 1000000UL          /* calls no further apart are in a row */
#define CALLS_FIRST 32U        /* calls in a row that make it: a small program ends before */
#define CALLS_TRY 16U          /* that wake it, or make it again */
#define SPINS 1800             /* of the guest, some 60 us, then it leaves */
#define WAIT_SPINS 2000        /* of the vCPU's thread, then it sleeps */

enum { TURN_MONITOR, TURN_GUEST, TURN_HELPER, TURN_HELPER_WAITED };

static struct {
    const struct vcpu *vcpu; /* whom it serves, or NULL: there is no helper */
    pthread_t thread;
    pid_t tid;
    bool has_stack;
    bool refused;    /* it cannot be had */
    uint32_t turn;   /* a futex */
    uint32_t awake;  /* a futex: the helper looks for requests, or is about to */
    bool starts;     /* it may not know yet what it is */
    bool ends;       /* it shall end */
    bool missed;     /* it did not look while it should have */
    uint64_t last;   /* when the last call left the guest that it could have made */
    uint64_t asleep; /* since when it does not look */
    int64_t credit;  /* how long it may look */
    unsigned calls;  /* in a row, that left */
} helper = {.credit = CREDIT_FIRST};

static _Thread_local bool is_helper;

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool change(uint32_t *word, uint32_t old, uint32_t new)
{
    return __atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void futex_wait(uint32_t *word, uint32_t value)
{
    (void)syscall(__NR_futex, word, FUTEX_WAIT_PRIVATE, value, NULL);
}

static void futex_wake(uint32_t *word)
{
    (void)syscall(__NR_futex, word, FUTEX_WAKE_PRIVATE, 1);
}

/* ---- the helper's side ---- */

static bool turn_take(void)
{
    return change(&helper.turn, TURN_GUEST, TURN_HELPER);
}

static void turn_give(void)
{
    if (!change(&helper.turn, TURN_HELPER, TURN_GUEST)) {
        store(&helper.turn, TURN_MONITOR); /* to who waits for it */
        futex_wake(&helper.turn);
    }
}

static bool is_posted(void)
{
    return load(&stub_data(helper.vcpu)->request.state) == REQUEST_POSTED;
}

/*
 * It is the helper's turn. Whether there is a request, and it was served: one that was seen before
 * may have been the monitor's since then, and be done.
 */
static bool serve(void)
{
    struct vcpu *vcpu = (struct vcpu *)helper.vcpu;
    struct stub_data *data = stub_data(vcpu);
    uint64_t args[6];
    uint32_t number;
    int64_t result = 0;
    bool made;

    if (!is_posted()) {
        turn_give();
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(args); i++) {
        args[i] = __atomic_load_n(&data->request.args[i], __ATOMIC_RELAXED);
    }
    number = __atomic_load_n(&data->request.number, __ATOMIC_RELAXED);
    made = helper_make(vcpu, number, args, &result);
    data->request.result = result;
    store(&data->request.state, made ? REQUEST_DONE : REQUEST_REFUSED);
    turn_give();
    return made;
}

/* Look no more. False when there was a request after all. */
static bool doze(int64_t credit)
{
    __atomic_store_n(&helper.credit, credit, __ATOMIC_RELAXED);
    __atomic_store_n(&helper.asleep, __rdtsc(), __ATOMIC_RELAXED);
    store(&helper.awake, 0);
    if (turn_take()) {
        if (is_posted()) {
            store(&helper.awake, 1);
            (void)serve();
            return false;
        }
        stub_data(helper.vcpu)->watched = 0;
        turn_give();
    } /* else the vCPU finds out when it is next let into the guest */
    return true;
}

/* What it has cost to look, `passed` cycles after the last look, and a call that it missed by not
 * being on a CPU. */
static int64_t cost_of(uint64_t passed)
{
    int64_t cost = passed < ABSENT ? (int64_t)passed : ABSENT;

    if (__atomic_load_n(&helper.missed, __ATOMIC_RELAXED)) {
        __atomic_store_n(&helper.missed, false, __ATOMIC_RELAXED);
        cost += MISSED;
    }
    return cost;
}

/*
 * Serve what comes, for as long as it pays. Between calls the CPU is for who else wants it: for a
 * server's client, and for the vCPU, on whose own CPU the helper may have been woken. A program
 * that computes would keep it to the end of its time, so that one gets its share, and no more.
 */
static void watch(void)
{
    static uint64_t crowded; /* when others last had its CPU for long */
    int64_t credit = __atomic_load_n(&helper.credit, __ATOMIC_RELAXED), left = LOOK, cost;
    uint64_t seen = __rdtsc(), last = 0, now;

    while (!__atomic_load_n(&helper.ends, __ATOMIC_ACQUIRE)) {
        if (is_posted() && turn_take()) {
            if (serve()) {
                credit += credit < CREDIT_MAX ? SAVED : 0;
                left = LOOK;
            }
            seen = last = __rdtsc();
            continue;
        }
        now = __rdtsc();
        crowded = now - seen > CROWDED ? now : crowded;
        cost = cost_of(now - seen);
        seen = now;
        credit -= cost;
        left -= cost;
        if (credit < 0 || left < 0) {
            if (doze(credit)) {
                return;
            }
            left = LOOK;
        }
        if (now - last > YIELD && now - crowded > KEEPING) {
            (void)sched_yield();
        } else {
            __builtin_ia32_pause();
        }
    }
    __atomic_store_n(&helper.credit, credit, __ATOMIC_RELAXED);
}

static void *helper_main(void *unused)
{
    (void)unused;
    is_helper = true;
    helper.tid = (pid_t)syscall(__NR_gettid);
    (void)prctl(PR_SET_NAME, HELPER_NAME);
    signal_hold();
    __atomic_store_n(&helper.starts, false, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&helper.ends, __ATOMIC_ACQUIRE)) {
        if (load(&helper.awake)) {
            watch();
        } else {
            futex_wait(&helper.awake, 0);
        }
    }
    return NULL;
}

bool helper_passes_on(int signo, const void *info)
{
    bool passes = is_helper || (__atomic_load_n(&helper.starts, __ATOMIC_ACQUIRE) && helper.vcpu);

    if (passes) {
        signal_pass_on(freeze_of(helper.vcpu)->tid, signo, info);
    }
    return passes;
}

/* ---- the vCPU's thread's side ---- */

/* The child of a vfork is another process, with its parent's vCPU and memory. */
static bool serves(const struct vcpu *vcpu)
{
    return helper.vcpu == vcpu && !vcpu->vforked;
}

void helper_let(struct vcpu *vcpu)
{
    struct stub_data *data;

    if (serves(vcpu)) {
        data = stub_data(vcpu);
        data->watched = load(&helper.awake) && !__atomic_load_n(&helper.missed, __ATOMIC_RELAXED);
        data->request.state = REQUEST_NONE;
        store(&helper.turn, TURN_GUEST);
    }
}

void helper_hold(struct vcpu *vcpu)
{
    if (!serves(vcpu)) {
        return;
    }
    for (unsigned i = 0; i < WAIT_SPINS; i++) {
        if (change(&helper.turn, TURN_GUEST, TURN_MONITOR)) {
            break;
        }
        __builtin_ia32_pause();
    }
    while (load(&helper.turn) != TURN_MONITOR && !change(&helper.turn, TURN_GUEST, TURN_MONITOR)) {
        if (load(&helper.turn) == TURN_HELPER_WAITED ||
            change(&helper.turn, TURN_HELPER, TURN_HELPER_WAITED)) {
            futex_wait(&helper.turn, TURN_HELPER_WAITED);
        }
    }
    stub_data(vcpu)->watched = 0; /* also for the child of a fork or vfork that comes now */
}

bool helper_has_made(const struct vcpu *vcpu, bool taken, int64_t *result)
{
    struct stub_data *data = stub_data(vcpu);
    uint32_t state;

    if (!serves(vcpu)) {
        return false;
    }
    state = __atomic_exchange_n(&data->request.state, REQUEST_NONE, __ATOMIC_ACQ_REL);
    *result = data->request.result;
    if (state == REQUEST_POSTED) {
        __atomic_store_n(&helper.missed, true, __ATOMIC_RELAXED);
    }
    return taken || state == REQUEST_DONE;
}

static bool has_stack(void)
{
    if (!helper.has_stack &&
        mmap((void *)STACK, STACK_SIZE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED &&
        mprotect((void *)STACK, PAGE_SIZE, PROT_NONE) == 0) {
        seal_memory(STACK, STACK_SIZE);
        helper.has_stack = true;
    }
    return helper.has_stack;
}

/* Let the stub ask for all calls that the table gives to the helper. */
static void offer(struct vcpu *vcpu)
{
    struct stub_data *data = stub_data(vcpu);

    data->spins = SPINS;
    for (size_t i = 0; i < STUB_CALLS; i++) {
        if (helper_may_make(i)) {
            data->kind[i] = KIND_HELPED;
        }
    }
}

static void create(struct vcpu *vcpu)
{
    pthread_attr_t attr;
    int error = EAGAIN;

    helper.refused = true; /* until it is there */
    if (cpus_usable() < 2 || !has_stack()) {
        return;
    }
    helper.ends = false;
    helper.missed = false;
    helper.vcpu = vcpu;
    helper.starts = true;
    signal_before_threads();
    signal_hold();
    (void)pthread_attr_init(&attr);
    if (pthread_attr_setstack(&attr, (void *)(STACK + PAGE_SIZE), STACK_SIZE - PAGE_SIZE) == 0) {
        error = pthread_create(&helper.thread, &attr, helper_main, NULL);
    }
    (void)pthread_attr_destroy(&attr);
    signal_release(vcpu);
    if (error) {
        helper.vcpu = NULL;
        return;
    }
    helper.refused = false;
    offer(vcpu);
}

static bool is_unwanted(const struct vcpu *vcpu)
{
    return helper.refused || !seccomp_is_off(vcpu) || vcpu->vm->hardware || vcpu->vforked ||
           (thread_several() && vcpu->id) || options.no_helper || calls_are_watched();
}

/* Whether the helper, which sleeps, is worth waking: for what it has saved, or as a try, for calls
 * in a row. */
static bool is_worth_it(uint64_t now)
{
    int64_t credit = __atomic_load_n(&helper.credit, __ATOMIC_RELAXED), try;

    if (!helper.vcpu || credit < CREDIT_MUCH) {
        try = credit + (int64_t)(now - __atomic_load_n(&helper.asleep, __ATOMIC_RELAXED)) / TRIES;
        credit = credit > CREDIT_TRY || try < CREDIT_TRY ? credit : CREDIT_TRY;
        if (credit < CREDIT_TRY || helper.calls < (helper.has_stack ? CALLS_TRY : CALLS_FIRST)) {
            return false;
        }
    }
    __atomic_store_n(&helper.credit, credit - WAKING, __ATOMIC_RELAXED);
    return true;
}

void helper_count(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    uint64_t now;

    if (!helper_may_make_so(number, args) || is_unwanted(vcpu)) {
        return;
    }
    now = __rdtsc();
    helper.calls = now - helper.last < GAP ? helper.calls + 1 : helper.calls / 2;
    helper.last = now;
    if (load(&helper.awake) || !is_worth_it(now)) {
        return;
    }
    helper.calls = 0;
    if (!helper.vcpu) {
        create(vcpu);
    }
    if (helper.vcpu) {
        store(&helper.awake, 1);
        futex_wake(&helper.awake);
    }
}

bool helper_is(pid_t tid)
{
    return tid > 0 && helper.vcpu && tid == helper.tid; /* it has none before it starts */
}

/* There is no helper. */
static void forget(void)
{
    helper.vcpu = NULL;
    helper.tid = 0;
    helper.turn = TURN_MONITOR;
    helper.awake = 0;
    helper.calls = 0;
}

void helper_end(const struct vcpu *vcpu)
{
    if (!serves(vcpu)) {
        return;
    }
    __atomic_store_n(&helper.ends, true, __ATOMIC_RELEASE);
    store(&helper.awake, 1);
    futex_wake(&helper.awake);
    (void)pthread_join(helper.thread, NULL);
    while (syscall(__NR_tgkill, getpid(), helper.tid, 0) == 0) { /* unshare(2) counts threads */
        (void)sched_yield();
    }
    forget();
}

/* One that may not know yet what it is could not be told from the thread that begins, where a
 * signal comes: helper_passes_on(). */
void helper_before_thread(const struct vcpu *vcpu)
{
    if (vcpu->id || __atomic_load_n(&helper.starts, __ATOMIC_ACQUIRE)) {
        helper_end(vcpu);
    }
}

void helper_after_fork(void)
{
    forget();
    helper.credit = CREDIT_FIRST;
}
