// SPDX-License-Identifier: Apache-2.0
/*
 * limits.c: the limits of a process that are too small for its monitor; getrlimit(2).
 *
 * A message about them must not use the resource that they restrict.
 */
#include "base/base.h"

#include <errno.h>
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

const char *limits_fix(const char *fix, const char *what, int error)
{
    bool by_error = strstr(what, "%m");
    uint64_t data = limit_of(RLIMIT_DATA), space = limit_of(RLIMIT_AS);

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
