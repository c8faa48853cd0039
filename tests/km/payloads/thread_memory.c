// SPDX-License-Identifier: Apache-2.0
/* Takes memory away in one thread that another is using: at once it is gone for both. */
#include "payload.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ROUNDS 200

static char *page;
static atomic_int round_now, faults;
static __thread sigjmp_buf back;

static void fault(int signo)
{
    (void)signo;
    siglongjmp(back, 1);
}

/* Write to the page without end; each time that faults, count it and wait for the next round. */
static void *use(void *unused)
{
    volatile int seen = 0;

    (void)unused;
    while (seen < ROUNDS) {
        if (sigsetjmp(back, 1) == 0) {
            for (;;) {
                page[seen % 100]++;
            }
        }
        seen++;
        atomic_store(&faults, seen);
        while (atomic_load(&round_now) < seen) {
        }
    }
    return NULL;
}

int main(void)
{
    static const int rights[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC};
    pthread_t thread;

    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)signal(SIGSEGV, fault);
    CHECK(pthread_create(&thread, NULL, use, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 3) {
            CHECK(munmap(page, PAGE) == 0);
        } else {
            CHECK(mprotect(page, PAGE, rights[i % 4]) == 0);
        }
        while (atomic_load(&faults) <= i) {
        }
        CHECK(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == page);
        atomic_store(&round_now, i + 1);
    }
    SHOW(pthread_join(thread, NULL));
    SHOW(faults);
    return 0;
}
