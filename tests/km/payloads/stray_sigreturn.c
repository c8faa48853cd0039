// SPDX-License-Identifier: Apache-2.0
/* Returns from a signal that never was. */
#include "payload.h"

#include <sys/syscall.h>

int main(int argc, char **argv)
{
    static uint64_t rubbish[512];
    uint64_t sp = argc > 1 ? strtoul(argv[1], NULL, 0) : (uint64_t)rubbish;

    memset(rubbish, argc > 2 ? 0xff : 0, sizeof(rubbish));
    __asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" : : "r"(sp) : "memory");
    return 0;
}
