// SPDX-License-Identifier: Apache-2.0
/*
 * reserve.c: keep the host kernel's mappings for the monitor away from the payload's memory.
 *
 * Under an unlimited stack, or with ADDR_COMPAT_LAYOUT, the kernel fills a program's address space
 * from below instead of from above, and that is settled when the program starts. So the monitor
 * starts once more without either.
 */
#include "base/base.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>

/* What stands for an unlimited stack meanwhile: nobody else has just this limit. */
#define STACK_MARK ((1UL << 30) + 2965 * PAGE_SIZE)

static bool is_apart(void)
{
    void *p = mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p != MAP_FAILED) {
        (void)munmap(p, PAGE_SIZE);
    }
    return (uint64_t)p >= GUEST_TOP;
}

/* Whether something was found that made the kernel begin below. */
static bool change_layout(struct rlimit *stack)
{
    long persona = personality(0xffffffff);
    bool changed = false;

    if (persona >= 0 && persona & ADDR_COMPAT_LAYOUT) {
        changed = personality((unsigned long)persona &
                              ~(unsigned long)(ADDR_COMPAT_LAYOUT | READ_IMPLIES_EXEC)) >= 0;
    }
    if (stack->rlim_cur == RLIM_INFINITY) {
        stack->rlim_cur = STACK_MARK;
        changed = setrlimit(RLIMIT_STACK, stack) == 0;
    }
    return changed;
}

void reserve_guest_range(char **argv, char **envp)
{
    struct rlimit stack = {0};

    (void)getrlimit(RLIMIT_STACK, &stack);
    if (is_apart()) {
        if (stack.rlim_cur == STACK_MARK) {
            stack.rlim_cur = RLIM_INFINITY;
            (void)setrlimit(RLIMIT_STACK, &stack);
        }
        return;
    }
    if (*argv && !strchr(*argv, '/')) { /* which km looks for beside its own name */
        *argv = (char *)getauxval(AT_EXECFN);
    }
    if (change_layout(&stack)) {
        (void)self_execute(argv, envp);
    }
    die(STATUS_FAILED, "limit the size of the stack (ulimit -s 8192)",
        "the host's kernel maps the monitor's memory where the payload's goes");
}
