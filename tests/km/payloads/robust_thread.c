// SPDX-License-Identifier: Apache-2.0
/*
 * Threads whose lists of robust futexes lie as far from the thread pointer as their maker's, as a C
 * library's do: each names its list, another or none, and ends, is killed, or forks. They have no
 * thread of a C library's, so nothing is called in them that may want one.
 */
#include "payload.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define HEAD 24 /* bytes of struct robust_list_head */
#define FLAGS                                                                                      \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define TRIES 30

struct thread {
    uint64_t pointer[64]; /* where FS leads */
    struct {
        uint64_t first;
        int64_t offset;
        uint64_t pending;
    } head;
    void (*run)(struct thread *);
    int32_t tid;
    int goes_on;
    long seen[8];
    char stack[4 * PAGE] __attribute__((aligned(16)));
};

struct lock { /* a robust futex, shared with other processes */
    uint64_t next;
    uint32_t futex;
    int is_held;
};

static struct thread maker, made;
static struct lock *lock;

static long call(long number, long one, long two, long three)
{
    register long four __asm__("r10") = 0;
    long result = number;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(one), "S"(two), "d"(three), "r"(four)
                     : "rcx", "r11", "memory");
    return result;
}

static long name(const void *list, long size)
{
    return call(SYS_set_robust_list, (long)list, size, 0);
}

/* Whether the kernel says that this is the list of thread `tid`. */
static long has(pid_t tid, const void *list)
{
    const void *found = &found;
    size_t size = 0;

    return call(SYS_get_robust_list, tid, (long)&found, (long)&size) == 0 && found == list &&
           size == HEAD;
}

static void hold(struct thread *self)
{
    lock->next = (uint64_t)&self->head;
    lock->futex = (uint32_t)call(SYS_gettid, 0, 0, 0);
    self->head.first = (uint64_t)lock;
    __atomic_store_n(&lock->is_held, 1, __ATOMIC_RELEASE);
}

static int begin(void *argument)
{
    struct thread *self = argument;

    self->run(self);
    return 0;
}

static void start(struct thread *thread, void (*run)(struct thread *))
{
    memset(thread, 0, sizeof(*thread));
    thread->pointer[0] = (uint64_t)thread->pointer;
    thread->head.first = (uint64_t)&thread->head;
    thread->head.offset = offsetof(struct lock, futex);
    thread->run = run;
    (void)clone(begin, thread->stack + sizeof(thread->stack), FLAGS, thread, &thread->tid,
                thread->pointer, &thread->tid);
}

static void wait_for(const struct thread *thread)
{
    while (__atomic_load_n(&thread->tid, __ATOMIC_ACQUIRE)) {
        (void)call(SYS_sched_yield, 0, 0, 0);
    }
}

static void (*made_runs)(struct thread *);

static void make(struct thread *self)
{
    self->seen[0] = name(&self->head, HEAD);
    start(&made, made_runs);
    wait_for(&made);
}

static void in_made(void (*run)(struct thread *))
{
    made_runs = run;
    start(&maker, make);
}

/* ---- what it names ---- */

static void name_several(struct thread *self)
{
    long *seen = self->seen;

    *seen++ = has(0, NULL);
    *seen++ = name(&self->head, HEAD - 1);
    *seen++ = has(0, NULL);
    *seen++ = name(&self->head, HEAD);
    *seen++ = has(0, &self->head);
    *seen++ = name(self->stack, HEAD) || !has(0, self->stack);
    *seen++ = name(NULL, HEAD) || !has(0, NULL);
    *seen++ = name(&self->head, HEAD) || !has(0, &self->head);
}

static void several(void)
{
    in_made(name_several);
    wait_for(&maker);
    for (size_t i = 0; i < LEN(made.seen); i++) {
        SHOW(made.seen[i]);
    }
}

static void name_and_run(struct thread *self)
{
    (void)name(&self->head, HEAD);
    __atomic_store_n(&self->seen[0], 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&self->goes_on, __ATOMIC_ACQUIRE)) {
    }
}

/* Another thread asks, while this one makes no call. */
static void seen_by_others(void)
{
    in_made(name_and_run);
    while (!__atomic_load_n(&made.seen[0], __ATOMIC_ACQUIRE)) {
        (void)sched_yield();
    }
    SHOW(has(made.tid, &made.head));
    made.goes_on = 1;
    wait_for(&maker);
}

/* ---- who releases what it holds ---- */

static void name_and_hold(struct thread *self)
{
    self->seen[0] = name(&self->head, HEAD);
    hold(self);
}

static void name_and_hold_on(struct thread *self)
{
    name_and_hold(self);
    for (;;) {
    }
}

static void died(void (*run)(struct thread *))
{
    in_made(run);
    wait_for(&maker);
    SHOW(made.seen[0]);
    SHOW((lock->futex & FUTEX_OWNER_DIED) != 0);
}

static void ended(void)
{
    died(name_and_hold);
    died(hold);
}

static void killed(void)
{
    pid_t child = fork();

    if (child == 0) {
        in_made(name_and_hold_on);
        wait_for(&maker);
    }
    while (!__atomic_load_n(&lock->is_held, __ATOMIC_ACQUIRE)) {
        (void)sched_yield();
    }
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    SHOW((lock->futex & FUTEX_OWNER_DIED) != 0);
}

/* ---- its child has none ---- */

static void fork_by(struct thread *self, long number)
{
    int status = -1;
    long child = call(number, 0, 0, 0);

    if (child == 0) {
        (void)call(SYS_exit_group, 1 + has(0, NULL) + 2 * name(&self->head, HEAD), 0, 0);
    }
    (void)call(SYS_wait4, child, (long)&status, 0);
    self->seen[0] = WEXITSTATUS(status);
    self->seen[1] = has(0, NULL);
    self->seen[2] = name(&self->head, HEAD) || !has(0, &self->head);
}

static void fork_first(struct thread *self)
{
    fork_by(self, SYS_fork);
}

static void vfork_first(struct thread *self)
{
    fork_by(self, SYS_vfork);
}

static void forked(void)
{
    in_made(fork_first);
    wait_for(&maker);
    SHOW(made.seen[0]);
    SHOW(made.seen[1]);
    SHOW(made.seen[2]);
    in_made(vfork_first);
    wait_for(&maker);
    SHOW(made.seen[0]);
    SHOW(made.seen[1]);
    SHOW(made.seen[2]);
}

/* ---- how long it takes ---- */

static void take_time(struct thread *self)
{
    uint64_t then, now;

    (void)name(&self->head, HEAD);
    then = __builtin_ia32_rdtsc();
    (void)name(&self->head, HEAD);
    now = __builtin_ia32_rdtsc();
    (void)name(self->stack, HEAD);
    self->seen[0] = (long)(now - then);
    self->seen[1] = (long)(__builtin_ia32_rdtsc() - now);
}

/* Print how many times as long another list takes as the thread's own, each at best. */
static void timed(void)
{
    long own = INT32_MAX, other = INT32_MAX;

    for (int i = 0; i < TRIES; i++) {
        in_made(take_time);
        wait_for(&maker);
        own = made.seen[0] < own ? made.seen[0] : own;
        other = made.seen[1] < other ? made.seen[1] : other;
    }
    printf("%ld\n", other / own);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {{"several", several}, {"seen", seen_by_others}, {"ended", ended},
                 {"killed", killed},   {"forked", forked},       {"timed", timed}};

    lock = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < LEN(cases); i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
        }
    }
    return 0;
}
