// SPDX-License-Identifier: Apache-2.0
/*
 * On each CPU where it may run: the number of the CPU by the vDSO and by RDTSCP is that of
 * getcpu(2).
 */
#include "payload.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#define CPU_BITS 12 /* of what the kernel lets RDTSCP tell; above is the node */

static bool has_rdtscp(void)
{
    unsigned eax = 0x80000001, ebx, ecx = 0, edx;

    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return edx & 1U << 27;
}

static unsigned by_rdtscp(void)
{
    unsigned low, high, aux;

    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    return aux;
}

int main(void)
{
    cpu_set_t all, one;
    unsigned cpu, node, wrong = 0;

    CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
            CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu == (unsigned)i);
            wrong += sched_getcpu() != i;
            wrong += has_rdtscp() && by_rdtscp() != (cpu | node << CPU_BITS);
        }
    }
    printf("wrong: %u\n", wrong);
    return 0;
}
