// SPDX-License-Identifier: Apache-2.0
/* Uses thread-local variables, and the FS and GS bases that they stand on. */
#include "payload.h"

#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

static __thread int counter = 41;
static __thread char zeroed[5000];

int main(void)
{
    static uint64_t block[4] = {0, 17, 23, 42};
    uint64_t fs = 0, gs = 1, value = 0;

    counter++;
    SHOW(counter);
    SHOW(zeroed[0] + zeroed[4999]);
    SHOW(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
    SHOW(fs == *(uint64_t *)fs);
    SHOW(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
    SHOW(gs);
    SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, block));
    __asm__ volatile("movq %%gs:8, %0" : "=r"(value));
    SHOW(value);
    SHOW(getppid() > 0);
    __asm__ volatile("movq %%gs:16, %0" : "=r"(value));
    SHOW(value);
    SHOW(syscall(SYS_arch_prctl, ARCH_SET_GS, 1UL << 63));
    SHOW(syscall(SYS_arch_prctl, ARCH_GET_FS, NULL));
    SHOW(syscall(SYS_arch_prctl, 0x9999, 0));
    if (getauxval(AT_HWCAP2) & 2) {
        __asm__ volatile("wrgsbase %0" : : "r"(block + 1));
        SHOW(getppid() > 0);
        __asm__ volatile("movq %%gs:16, %0" : "=r"(value));
        SHOW(value);
        SHOW(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
        SHOW(gs == (uint64_t)(block + 1));
        __asm__ volatile("rdfsbase %0" : "=r"(value));
        SHOW(value == fs);
    }
    return 0;
}
