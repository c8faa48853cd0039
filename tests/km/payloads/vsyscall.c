// SPDX-License-Identifier: Apache-2.0
/* Calls the kernel by the three addresses of vsyscall(2) that very old programs use. */
#include "payload.h"

#include <sched.h>
#include <sys/time.h>
#include <time.h>

#define VSYSCALL(number, type) ((type)(0xffffffffff600000UL + (number) * 1024UL))

int main(void)
{
    struct timeval now = {0, 0}, wanted;
    unsigned cpu = ~0U;
    time_t seconds = 0;

    (void)gettimeofday(&wanted, NULL);
    SHOW(VSYSCALL(0, int (*)(struct timeval *, void *))(&now, NULL));
    SHOW(now.tv_sec - wanted.tv_sec <= 1);
    SHOW(VSYSCALL(1, time_t (*)(time_t *))(&seconds) - wanted.tv_sec <= 1);
    SHOW(seconds - wanted.tv_sec <= 1);
    SHOW(VSYSCALL(2, long (*)(unsigned *, void *, void *))(&cpu, NULL, NULL));
    SHOW(cpu < CPU_SETSIZE);
    return 0;
}
