// SPDX-License-Identifier: Apache-2.0
/* Reads clocks, which go forward and agree, and sleeps. */
#include "payload.h"

#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static long ns(clockid_t clock)
{
    struct timespec t = {0, 0};

    CHECK(clock_gettime(clock, &t) == 0);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

int main(void)
{
    struct timespec nap = {0, 15000000}, res, bad = {0, 1000000000}, past = {1, 0};
    struct timeval now;
    long before = ns(CLOCK_MONOTONIC), last = before, real;

    for (int i = 0; i < 1000; i++) {
        long t = ns(CLOCK_MONOTONIC);

        CHECK(t >= last);
        last = t;
    }
    real = ns(CLOCK_REALTIME);
    CHECK(gettimeofday(&now, NULL) == 0);
    SHOW(labs(now.tv_sec - real / 1000000000L) <= 1);
    SHOW(labs(time(NULL) - now.tv_sec) <= 1);
    before = ns(CLOCK_MONOTONIC);
    SHOW(nanosleep(&nap, NULL));
    SHOW(ns(CLOCK_MONOTONIC) - before >= 15000000);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
    SHOW(nanosleep(&bad, NULL));
    SHOW(clock_getres(CLOCK_MONOTONIC, &res));
    SHOW(res.tv_nsec);
    SHOW(clock_gettime(999, &res));
    SHOW(ns(CLOCK_PROCESS_CPUTIME_ID) > 0);
    SHOW(ns(CLOCK_BOOTTIME) > 0);
    SHOW_DONE(times(&(struct tms){0}));
    return 0;
}
