// SPDX-License-Identifier: Apache-2.0
/*
 * Sends its threads all signals that do not end it, as often as it can, with causes that are lies,
 * while they compute, wait, and are made: the monitor's own use of signals stands it.
 */
#include "payload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#define ROUNDS 60
#define WORKERS 2

static atomic_bool over;
static atomic_long handled;
static atomic_int tids[1 + WORKERS]; /* of nobody else: a signal would end it */

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)info, (void)context;
    handled++;
}

void restore(void);
__asm__("restore: movl $15, %eax\n syscall"); /* rt_sigreturn */

static void *work(void *tid)
{
    volatile double sum = 0;

    *(atomic_int *)tid = (int)syscall(SYS_gettid);
    while (!over) {
        for (int i = 0; i < 2000; i++) {
            sum = sum + 1.5;
        }
        (void)syscall(SYS_gettid);
        (void)syscall(SYS_nanosleep, &(struct timespec){0, 1000}, NULL);
    }
    return NULL;
}

static void *end_at_once(void *unused)
{
    return unused;
}

static void send_all(pid_t tid)
{
    static const int codes[] = {-1, -6 /* SI_TKILL */, -60 /* SI_ASYNCNL */, -2 /* SI_TIMER */};

    for (int signo = 1; signo <= 64; signo++) {
        siginfo_t info = {.si_signo = signo, .si_code = codes[signo % LEN(codes)]};

        if (signo == SIGKILL || signo == SIGSTOP) {
            continue;
        }
        (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, signo, &info);
        (void)syscall(SYS_tkill, tid, signo);
    }
}

int main(void)
{
    static const struct { /* the kernel's: the C library keeps some signals for itself */
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {handler, SA_SIGINFO | SA_RESTART | SA_NODEFER | 0x04000000, restore, 0};
    pthread_t threads[WORKERS], more;

    tids[0] = getpid();
    for (int signo = 1; signo <= 64; signo++) {
        (void)syscall(SYS_rt_sigaction, signo, &action, NULL, 8);
    }
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_create(&threads[i], NULL, work, &tids[1 + i]) == 0);
        while (!tids[1 + i]) {
        }
    }
    for (int i = 0; i < ROUNDS; i++) {
        send_all(tids[(size_t)i % LEN(tids)]);
        if (!pthread_create(&more, NULL, end_at_once, NULL)) {
            CHECK(pthread_join(more, NULL) == 0);
        }
    }
    over = true;
    for (size_t i = 0; i < LEN(threads); i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(handled > ROUNDS);
    return 0;
}
