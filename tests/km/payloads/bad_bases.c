// SPDX-License-Identifier: Apache-2.0
/* Sets the FS or GS base, by instruction, to where its argument says, and uses it. */
#include "payload.h"

#include <sys/auxv.h>

int main(int argc, char **argv)
{
    uint64_t base = strtoul(argv[1], NULL, 0), value = 0;

    (void)argc;
    if (getauxval(AT_HWCAP2) & 2) {
        __asm__ volatile("wrgsbase %1; movl $39, %%eax; syscall; movq %%gs:0, %0"
                         : "=r"(value)
                         : "r"(base)
                         : "rax", "rcx", "r11", "memory");
        printf("read\n");
    }
    return (int)(value & 0);
}
