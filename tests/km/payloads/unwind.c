// SPDX-License-Identifier: Apache-2.0
/*
 * A signal comes while calls are made in a row, at sites that the monitor may have changed: its
 * handler finds its way through the frames to the caller, and an exception goes that way.
 */
#include "payload.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <unwind.h>

#define SIGNALS 200

static pid_t (*volatile make)(void) =
    getppid; /* which the compiler thinks may end by an exception */
int main(void);

static sigjmp_buf back;
static volatile sig_atomic_t calling, signals, cleaned;
static struct _Unwind_Exception exception;

static void count_cleanup(int *unused)
{
    (void)unused;
    cleaned++;
}

__attribute__((noinline)) static void call(void)
{
    __attribute__((cleanup(count_cleanup))) int cleanup = 0;

    CHECK(make() > 0);
    (void)cleanup;
}

__attribute__((noinline)) static void call_often(void)
{
    calling = 1;
    for (;;) {
        call();
    }
}

static bool is(struct _Unwind_Context *context, void (*function)(void))
{
    return _Unwind_GetRegionStart(context) == (_Unwind_Ptr)function;
}

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *found)
{
    *(unsigned *)found |= is(context, call_often) ? 1U : 0;
    *(unsigned *)found |= is(context, (void (*)(void))main) ? 2U : 0;
    return _URC_NO_REASON;
}

static _Unwind_Reason_Code stop(int version, _Unwind_Action actions, _Unwind_Exception_Class class,
                                struct _Unwind_Exception *object, struct _Unwind_Context *context,
                                void *unused)
{
    (void)version;
    (void)class;
    (void)object;
    (void)unused;
    CHECK(!(actions & _UA_END_OF_STACK));
    if (is(context, call_often)) {
        calling = 0;
        siglongjmp(back, 1);
    }
    return _URC_NO_REASON;
}

static void handle(int signo)
{
    unsigned found = 0;

    (void)signo;
    if (!calling) {
        return;
    }
    (void)_Unwind_Backtrace(look, &found);
    CHECK(found == 3);
    if (++signals % 10 == 0) {
        (void)_Unwind_ForcedUnwind(&exception, stop, NULL);
        CHECK(false);
    }
}

int main(void)
{
    struct sigaction action = {.sa_handler = handle};
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    volatile int before, unwound = 0;

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    while (signals < SIGNALS) {
        before = cleaned;
        if (sigsetjmp(back, 1) == 0) {
            CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
            call_often();
        }
        CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0 && cleaned > before);
        unwound++;
    }
    printf("unwound %d\n", unwound);
    return 0;
}
