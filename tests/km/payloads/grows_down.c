// SPDX-License-Identifier: Apache-2.0
/* A mapping that grows by a touch below it: as far as the limit of stacks, and not near another. */
#include "fault.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define ROOM (16UL << 20)
#define FREE_BELOW (1UL << 20) /* the kernel's stack_guard_gap */

/* The lowest page of a mapping with much free room below it. */
static char *make(size_t size)
{
    char *room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(munmap(room, ROOM) == 0);
    return mmap(room + ROOM - size, size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK | MAP_FIXED, -1, 0);
}

static void in_child(void)
{
    char *low = make(PAGE);

    if (!fork()) {
        fault_try("in a fork", 'w', low - PAGE);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)wait(NULL);
}

/* It is the kernel that touches it. */
static void grow_by_calls(void)
{
    char *low = make(PAGE);
    struct iovec vector = {low - 9 * PAGE, 8};
    int ends[2];

    CHECK(pipe(ends) == 0 && write(ends[1], "0123456789abcdef", 16) == 16);
    SHOW(read(ends[0], low - 4 * PAGE, 8));
    printf("%.8s\n", low - 4 * PAGE);
    SHOW(readv(ends[0], &vector, 1));
    printf("%.8s\n", low - 9 * PAGE);
    SHOW(clock_gettime(CLOCK_REALTIME, (struct timespec *)(low - 12 * PAGE)));
    SHOW(write(ends[1], low - 20 * PAGE, 8));
    SHOW(getcwd(low - 30 * PAGE, PAGE) != NULL);
    SHOW(read(ends[0], low - FREE_BELOW * 12, 8));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    struct rlimit stack = {1UL << 20, RLIM_INFINITY};
    char *low, *other;

    (void)setvbuf(stdout, NULL, _IONBF, 0);
    fault_catch();
    low = make(PAGE);
    for (int i = 1; i < 64; i++) {
        low[-i * (long)PAGE] = (char)i;
    }
    fault_try("grown", 'r', low - 63 * PAGE);
    fault_try("by many pages", 'w', low - 200 * PAGE);
    fault_try("what is between", 'r', low - 150 * PAGE);
    grow_by_calls();
    low = make(PAGE);
    other =
        mmap(low - 4 * FREE_BELOW, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    fault_try("far from another", 'w', low - 2 * FREE_BELOW);
    fault_try("near another", 'w', other + FREE_BELOW);
    fault_try("still", 'w', low);
    CHECK(mprotect(other, PAGE, PROT_NONE) == 0);
    fault_try("near one without rights", 'w', other + FREE_BELOW);
    in_child();
    CHECK(setrlimit(RLIMIT_STACK, &stack) == 0);
    low = make(PAGE);
    fault_try("within the limit", 'w', low - 200 * PAGE);
    fault_try("beyond the limit", 'w', low - 300 * PAGE);
    low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1,
               0);
    other = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("the next is %s\n",
           low - other > 0 && low - other < (long)FREE_BELOW ? "near" : "apart");
    return 0;
}
