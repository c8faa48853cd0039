// SPDX-License-Identifier: Apache-2.0
/* Forks with much memory in use; both processes write to all of it, and neither sees the other. */
#include "payload.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define SIZE (32 * HUGE)

static unsigned long sum(const char *p)
{
    unsigned long sum = 0;

    for (size_t i = 0; i < SIZE; i += PAGE) {
        sum = sum * 31 + (unsigned char)p[i];
    }
    return sum;
}

int main(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *late;
    int status;
    pid_t child;

    memset(p, 'p', SIZE);
    CHECK(mprotect(p + HUGE, PAGE, PROT_READ) == 0);
    child = fork();
    memset(p + 2 * HUGE, child ? 'a' : 'b', HUGE);
    late = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(late, 1, HUGE);
    if (!child) {
        CHECK(madvise(p + 3 * HUGE, HUGE, MADV_DONTNEED) == 0);
        SHOW(sum(p));
        CHECK(munmap(p + 4 * HUGE, HUGE) == 0);
        p[HUGE] = 1; /* still read-only */
    }
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(WTERMSIG(status));
    SHOW(sum(p));
    return 0;
}
