// SPDX-License-Identifier: Apache-2.0
/*
 * host_number.S: uint32_t host_number(void), the host's own number of the CPU, with that of its
 * node above it (12 bits). Linux has it as the limit of a segment, which its vDSO reads: entry 15
 * of the GDT (GDT_ENTRY_CPUNODE), asked for at CPL 3.
 */
    .section .note.GNU-stack, "", @progbits
    .text

#define NUMBER_SELECTOR (15 * 8 + 3)

    .globl host_number
    .type host_number, @function
host_number:
    xorl %eax, %eax
    movl $NUMBER_SELECTOR, %ecx
    lsl %ecx, %eax
    ret
    .size host_number, . - host_number
