// SPDX-License-Identifier: Apache-2.0
/*
 * limits.c: the limits of a process that are too small for its monitor; getrlimit(2).
 *
 * A message about them must not use the resource that they restrict.
 */
#include "base/base.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of the monitor's first thread: without the least it cannot begin. */
#define STACK_LEAST (48UL << 10)
#define STACK_WANTED (128UL << 10)

static _Noreturn void refuse_stack(void)
{
    static const char text[] = "km: the limit on the stack is too low for km: it needs 48 KiB.\n"
                               "To fix: raise the limit on the stack (ulimit -s 48).\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(STATUS_FAILED);
}

/* Have the kernel map so much of the stack as the monitor will use. */
static __attribute__((noinline)) void touch_stack(void)
{
    volatile char room[STACK_WANTED];

    for (size_t i = sizeof(room); i >= PAGE_SIZE; i -= PAGE_SIZE) {
        room[i - PAGE_SIZE] = 0;
    }
}

void limits_make_room(void)
{
    struct rlimit own, more;

    if (getrlimit(RLIMIT_STACK, &own) < 0 || own.rlim_cur >= 2 * STACK_WANTED) {
        return;
    }
    more = (struct rlimit){own.rlim_max < 2 * STACK_WANTED ? own.rlim_max : 2 * STACK_WANTED,
                           own.rlim_max};
    if (more.rlim_cur < STACK_LEAST || setrlimit(RLIMIT_STACK, &more) < 0) {
        refuse_stack();
    }
    if (more.rlim_cur == 2 * STACK_WANTED) {
        touch_stack();
    }
    (void)setrlimit(RLIMIT_STACK, &own); /* it is the payload's, too */
}

bool limits_leave_room(void)
{
    struct rlimit stack;

    return getrlimit(RLIMIT_STACK, &stack) < 0 || stack.rlim_max >= STACK_LEAST;
}

uint64_t limits_lift_processes(void)
{
    struct rlimit own = {0, 0};

    if (getrlimit(RLIMIT_NPROC, &own) == 0) {
        (void)setrlimit(RLIMIT_NPROC, &(struct rlimit){own.rlim_max, own.rlim_max});
    }
    return own.rlim_cur;
}

void limits_lower_processes(uint64_t soft)
{
    struct rlimit own;

    if (getrlimit(RLIMIT_NPROC, &own) == 0) {
        (void)setrlimit(RLIMIT_NPROC, &(struct rlimit){soft, own.rlim_max});
    }
}

static uint64_t limit_of(int resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/* ---- the payload's own ---- */

#define MARK (1UL << 62) /* more than any process has; below RLIM_INFINITY */
#define ROOM_FOR_KVM 2UL /* as krun adds: see task/room.c */

static uint64_t marked(uint64_t limit)
{
    return limit < MARK ? limit + MARK : limit < 2 * MARK ? 2 * MARK : limit;
}

static uint64_t unmarked(uint64_t limit)
{
    return limit >= MARK && limit < 2 * MARK ? limit - MARK : limit;
}

/* Whether the host's hard limit leaves room for a mark. */
static bool can_mark(uint64_t resource)
{
    struct rlimit own;

    return (resource == RLIMIT_AS || resource == RLIMIT_DATA) &&
           getrlimit((int)resource, &own) == 0 && own.rlim_max >= MARK;
}

void limits_to_payload(uint64_t resource, struct rlimit *limit)
{
    if (resource == RLIMIT_AS || resource == RLIMIT_DATA) {
        *limit = (struct rlimit){unmarked(limit->rlim_cur), unmarked(limit->rlim_max)};
    } else if (resource == RLIMIT_NPROC && options.carried[CARRIED_APART] &&
               limit->rlim_max != RLIM_INFINITY) {
        limit->rlim_max -= limit->rlim_max < ROOM_FOR_KVM ? limit->rlim_max : ROOM_FOR_KVM;
        limit->rlim_cur = limit->rlim_cur < limit->rlim_max ? limit->rlim_cur : limit->rlim_max;
    }
}

void limits_to_host(uint64_t resource, struct rlimit *limit)
{
    if (can_mark(resource)) {
        *limit = (struct rlimit){marked(limit->rlim_cur), marked(limit->rlim_max)};
    } else if (resource == RLIMIT_NPROC && options.carried[CARRIED_APART] &&
               limit->rlim_cur <= limit->rlim_max && limit->rlim_max < MARK) {
        limit->rlim_max += ROOM_FOR_KVM;
    }
}

static void set_apart(int resource)
{
    struct rlimit own;

    if (can_mark((uint64_t)resource) && getrlimit(resource, &own) == 0 && own.rlim_cur < MARK) {
        own.rlim_cur = marked(own.rlim_cur);
        (void)setrlimit(resource, &own); /* else the host goes on to judge by it */
    }
}

void limits_set_apart(void)
{
    set_apart(RLIMIT_AS);
    set_apart(RLIMIT_DATA);
}

uint64_t limits_to_judge(int resource)
{
    uint64_t limit = limit_of(resource);

    return limit < MARK ? RLIM_INFINITY : unmarked(limit);
}

_Noreturn void limits_end_program(void)
{
    sigset_t all;

    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* it would be the monitor's */
    (void)signal(SIGSEGV, SIG_DFL);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)raise(SIGSEGV);
    _exit(128 + SIGSEGV); /* PID 1 of a container is not killed by that */
}

const char *limits_fix(const char *fix, const char *what, int error)
{
    bool by_error = strstr(what, "%m");
    uint64_t data = limit_of(RLIMIT_DATA), space = limit_of(RLIMIT_AS);

    data = data < MARK ? data : RLIM_INFINITY; /* what is higher is the payload's alone */
    space = space < MARK ? space : RLIM_INFINITY;

    if (by_error && error == EMFILE) {
        return "raise the limit on open files (ulimit -n): km needs 12 more than the program";
    }
    if (((by_error && error == ENOMEM) || strstr(fix, "ulimit -v")) && data != RLIM_INFINITY &&
        data <= space) {
        return "raise the limit on data (ulimit -d): km needs 20 MiB more than the program";
    }
    if (by_error && error == ENOMEM && space != RLIM_INFINITY) {
        return "raise the limit on address space (ulimit -v): km needs 20 MiB more than the "
               "program";
    }
    return fix;
}
