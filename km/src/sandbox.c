// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox.c: the monitor locks itself in before the payload's first instruction, so that a payload
 * that took it over can do little with it:
 * - no program that it starts has more privileges than it has (no_new_privs);
 * - the host's kernel judges each of its calls (sandbox_filter.c);
 * - the monitor's memory keeps its place and its rights (mseal, since Linux 6.10).
 */
#include "base/base.h"
#include "top.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

extern const char __ehdr_start[]; /* the linker's: where the program is in memory */

/* Constants that hold addresses, which the program has filled in by itself: no more. */
static void protect_constants(const Elf64_Phdr *phdrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (phdrs[i].p_type == PT_GNU_RELRO) {
            uint64_t start = (uint64_t)__ehdr_start + phdrs[i].p_vaddr;

            (void)mprotect((void *)ROUND_DOWN(start, PAGE_SIZE),
                           ROUND_DOWN(start + phdrs[i].p_memsz, PAGE_SIZE) -
                               ROUND_DOWN(start, PAGE_SIZE),
                           PROT_READ);
        }
    }
}

/* The monitor's program: text, constants, variables. */
static void lock_image(void)
{
    const Elf64_Phdr *phdrs = (const Elf64_Phdr *)getauxval(AT_PHDR);
    size_t count = phdrs ? getauxval(AT_PHNUM) : 0;

    protect_constants(phdrs, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t start = (uint64_t)__ehdr_start + phdrs[i].p_vaddr;
        uint64_t page = ROUND_DOWN(start, PAGE_SIZE);

        if (phdrs[i].p_type == PT_LOAD) {
            seal_memory(page, ROUND_UP(start + phdrs[i].p_memsz, PAGE_SIZE) - page);
        }
    }
}

/* The first thread's stack: what the kernel maps at once, up to the name of the program. */
static void lock_stack(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    uint64_t start = ROUND_DOWN((uint64_t)&name, PAGE_SIZE) - (96UL << 10);

    if (name) {
        seal_memory(start, ROUND_UP((uint64_t)name + strlen(name) + 1, PAGE_SIZE) - start);
    }
}

void sandbox_enter(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        die(STATUS_FAILED, FIX_FILTER, "the host does not know no_new_privs (prctl): %m");
    }
    lock_image();
    lock_stack();
    seal_memory(EMPTY_HVA, PAGE_SIZE);
    sandbox_calls(self_fd());
}
