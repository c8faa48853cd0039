// SPDX-License-Identifier: Apache-2.0
/*
 * vdso.c: the host's vDSO for the payload, so that clock_gettime and similar calls cost no exit.
 *
 * The pages of [vvar] and [vdso] are the host kernel's own, read-only in a memslot of theirs. They
 * come at the first touch: a payload that never asks for the time does not pay for them. Their gva
 * is not their hva, which is in the monitor's part of the address space: for a system call nothing
 * is there.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define VDSO_GVA (GUEST_TOP - HUGE_SIZE) /* above the stack */
#define VDSO_GPA (2UL << 30)             /* between system memory and the payload's */
#define VDSO_MAX (64UL << 10)

static struct {
    uint64_t hva, size; /* [vvar] to the end of [vdso]; size 0: not known */
    uint64_t elf;       /* offset of the ELF image in it */
    bool backed;        /* by a memslot */
    bool lent;          /* a copy is where the payload has it */
} vdso;

/* Read the addresses of the mapping that a line of /proc/self/maps describes. */
static bool parse_line(const char *line, uint64_t *start, uint64_t *end)
{
    char *rest;

    *start = strtoul(line, &rest, 16);
    if (*rest != '-') {
        return false;
    }
    *end = strtoul(rest + 1, &rest, 16);
    return *rest == ' ';
}

/* Find [vvar], [vvar_vclock] and [vdso], which stand one after the other. */
static void find_mappings(char *maps)
{
    uint64_t start, end, low = 0, high = 0;

    for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
        if (!(strstr(line, "[vvar") || strstr(line, "[vdso]")) || !parse_line(line, &start, &end)) {
            continue;
        }
        if (high && start != high) {
            return;
        }
        low = low ? low : start;
        high = end;
    }
    vdso.hva = low;
    vdso.elf = getauxval(AT_SYSINFO_EHDR) - low;
    vdso.size = high - low <= VDSO_MAX && vdso.elf < high - low ? high - low : 0;
}

uint64_t vdso_create(const struct vcpu *vcpu)
{
    static char maps[16384];
    ssize_t n = -1;
    int fd;

    if (!vcpu->tsc_is_host) {
        return 0;
    }
    fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, maps, sizeof(maps) - 1);
        (void)close(fd);
    }
    if (n > 0) {
        maps[n] = 0;
        find_mappings(maps);
    }
    if (!vdso.size || vma_add((struct vma){.start = VDSO_GVA,
                                           .end = VDSO_GVA + vdso.size,
                                           .prot = PROT_READ | PROT_EXEC,
                                           .flags = VMA_VDSO}) < 0) {
        return 0;
    }
    return VDSO_GVA + vdso.elf;
}

/* Not all pages of [vvar] are there: it depends on the namespace of time, on the hypervisor. */
int vdso_back(struct vm *vm, uint64_t page, int *code)
{
    int found, signo = SIGSEGV;

    *code = SEGV_MAPERR;
    if (!vdso.backed && vm_add_memslot(vm, VDSO_GPA, vdso.size, vdso.hva, KVM_MEM_READONLY) < 0) {
        return signo;
    }
    vdso.backed = true;
    for (uint64_t at = 0; at < vdso.size; at += PAGE_SIZE) {
        int signo_at = guest_probe((const void *)(vdso.hva + at), false, &found);

        if (!signo_at) {
            pt_map(vm, VDSO_GVA + at, PAGE_SIZE, VDSO_GPA + at, PT_USER);
        }
        if (VDSO_GVA + at == page) {
            signo = signo_at;
            *code = found;
        }
    }
    return signo;
}

/* Of what is in [vvar] it is a copy of this moment, which nobody reads by system calls but to see
 * that it can be read. */
static bool lend(void)
{
    void *copy = mmap((void *)VDSO_GVA, vdso.size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    int code;

    if (copy != (void *)VDSO_GVA) {
        return false;
    }
    for (uint64_t at = 0; at < vdso.size; at += PAGE_SIZE) {
        const void *from = (const void *)(vdso.hva + at);

        if (guest_probe(from, false, &code)) {
            (void)munmap((char *)copy + at, PAGE_SIZE);
        } else {
            memcpy((char *)copy + at, from, PAGE_SIZE);
            (void)mprotect((char *)copy + at, PAGE_SIZE, PROT_READ);
        }
    }
    return true;
}

bool vdso_lend(uint64_t addr, uint64_t len)
{
    const struct vma *vma;

    if (vdso.lent || addr >= VDSO_GVA + vdso.size || addr + len < VDSO_GVA || addr + len < addr) {
        return false;
    }
    mm_lock();
    vma = vma_find(VDSO_GVA);
    if (!vdso.lent && vma && vma->flags & VMA_VDSO && vma->end - vma->start == vdso.size) {
        vdso.lent = lend();
    }
    mm_unlock();
    return vdso.lent;
}

uint64_t vdso_image(void)
{
    return vdso.size ? VDSO_GVA + vdso.elf : 0;
}

const void *vdso_content(size_t *size)
{
    *size = vdso.size - vdso.elf;
    return vdso.size ? (const void *)(vdso.hva + vdso.elf) : NULL;
}

ssize_t vdso_pread(int mem, void *to, size_t size, uint64_t gva)
{
    size_t all;
    const char *content = vdso_content(&all);
    uint64_t at = gva - VDSO_GVA - vdso.elf;

    if (content && at < all && size <= all - at) {
        memcpy(to, content + at, size);
        return (ssize_t)size;
    }
    return pread(mem, to, size, (off_t)gva);
}

void vdso_restore(struct vm *vm)
{
    if (vdso.backed) {
        (void)vm_add_memslot(vm, VDSO_GPA, vdso.size, vdso.hva, KVM_MEM_READONLY);
    }
}
