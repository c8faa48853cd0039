// SPDX-License-Identifier: Apache-2.0
/*
 * own_code.c: makes many system calls from one place, and ends with status 3 where its own code is
 * not what it was before.
 */
#include <string.h>

extern const char call_begin[], call_end[];

__asm__(".globl call_begin, call_end\n"
        "call_begin:\n"
        "    mov $110, %eax\n" /* getppid */
        "    syscall\n"
        "    ret\n"
        "call_end:\n");

int main(void)
{
    char before[16];

    memcpy(before, call_begin, (unsigned long)(call_end - call_begin));
    for (int i = 0; i < 5000; i++) {
        __asm__ volatile("call call_begin" ::: "rax", "rcx", "r11", "memory", "cc");
    }
    return memcmp(before, call_begin, (unsigned long)(call_end - call_begin)) ? 3 : 0;
}
