// SPDX-License-Identifier: Apache-2.0
/*
 * lock.c: the monitor locks itself in before the payload's first instruction, so that a payload
 * that has taken it over finds little to do with it:
 * - no program that it starts has more privileges than it has (no_new_privs);
 * - the host's kernel judges each of its calls (lock_filter.c);
 * - the monitor's memory keeps its place and its rights (mseal, since Linux 6.10).
 */
#include "km.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MSEAL 462 /* its number, which older headers do not have */

void lock_memory(uint64_t addr, uint64_t size)
{
    (void)syscall(MSEAL, addr, size, 0); /* an older kernel does without */
}

/* The monitor's program: text, constants, variables. */
static void lock_image(void)
{
    const Elf64_Phdr *phdrs = (const Elf64_Phdr *)getauxval(AT_PHDR);

    for (size_t i = 0; phdrs && i < getauxval(AT_PHNUM); i++) {
        uint64_t start = ROUND_DOWN(phdrs[i].p_vaddr, PAGE_SIZE);

        if (phdrs[i].p_type == PT_LOAD) {
            lock_memory(start, ROUND_UP(phdrs[i].p_vaddr + phdrs[i].p_memsz, PAGE_SIZE) - start);
        }
    }
}

/* The first thread's stack: what the kernel maps at once, up to the name of the program. */
static void lock_stack(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    uint64_t start = ROUND_DOWN((uint64_t)&name, PAGE_SIZE) - (96UL << 10);

    if (name) {
        lock_memory(start, ROUND_UP((uint64_t)name + strlen(name) + 1, PAGE_SIZE) - start);
    }
}

void lock_in(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "the host does not know no_new_privs: %m");
    }
    lock_image();
    lock_stack();
    lock_memory(EMPTY_HVA, PAGE_SIZE);
    lock_calls(program_fd());
}
