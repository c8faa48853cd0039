// SPDX-License-Identifier: Apache-2.0
/*
 * pagetable.c: the guest's page tables, in system memory that only the guest's CPU and the monitor
 * reach.
 *
 * With shadow paging (PVM) KVM does not see an edit of an entry that is present. The rule that is
 * right everywhere: edit the entry first, then zap the host memory behind it (munmap, mprotect,
 * madvise), which makes KVM drop what it knew; the next touch walks these tables again.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PT_PRESENT 1UL
/*
 * Accessed and dirty from the start: nobody asks for them, and shadow paging then neither faults a
 * second time at the first write nor leaves a page's neighbours out when it fills its own tables.
 */
#define PT_ACCESSED (1UL << 5)
#define PT_USED (PT_ACCESSED | 1UL << 6)
#define PT_HUGE (1UL << 7)
#define PT_ADDRESS 0x000ffffffffff000UL
#define PT_RIGHTS (PT_PRESENT | PT_WRITE | PT_USER | PT_NX)

/* System memory gets slots of these sizes: little at first, since a slot costs by its size. */
#define SYSTEM_FIRST (256UL << 10)
#define SYSTEM_MORE (1UL << 20)
#define SYSTEM_MAX (1UL << 30)

static uint64_t system_used, system_backed;

uint64_t system_gpa(const void *page)
{
    return (uint64_t)page - places.system;
}

static uint64_t *table_at(uint64_t gpa)
{
    return (uint64_t *)(places.system + gpa);
}

/*
 * No memory for page tables. A payload that has brought that about, by its limits or by what it
 * maps, is killed as it would be for want of memory natively.
 */
static _Noreturn void die_without_memory(uint64_t have)
{
    if (!have) {
        die(STATUS_FAILED, "give the host more memory",
            "no memory for page tables (KVM_SET_USER_MEMORY_REGION): %m");
    }
    (void)kill(getpid(), SIGKILL);
    _exit(STATUS_FAILED);
}

/* The chunk of system memory that starts at `offset`, as a memslot. */
static uint64_t system_add_slot(struct vm *vm, uint64_t offset)
{
    uint64_t size = offset ? SYSTEM_MORE : SYSTEM_FIRST;

    if (vm_add_memslot(vm, offset, size, places.system + offset, 0) < 0) {
        die_without_memory(offset);
    }
    return offset + size;
}

static void system_grow(struct vm *vm)
{
    uint64_t size = system_backed ? SYSTEM_MORE : SYSTEM_FIRST;
    void *wanted = (void *)(places.system + system_backed);

    if (system_backed + size > SYSTEM_MAX ||
        mmap(wanted, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != wanted) {
        die_without_memory(system_backed);
    }
    seal_memory(places.system + system_backed, size);
    system_backed = system_add_slot(vm, system_backed);
}

void system_restore(struct vm *vm)
{
    for (uint64_t offset = 0; offset < system_backed;) {
        offset = system_add_slot(vm, offset);
    }
}

void *system_page(struct vm *vm)
{
    if (system_used == system_backed) {
        system_grow(vm);
    }
    system_used += PAGE_SIZE;
    return (void *)(places.system + system_used - PAGE_SIZE);
}

/* ---- the roots ---- */

#define OWN_ENTRY (OWN_GVA >> 39 & 511)

static uint64_t roots[OWN_MAX]; /* gpa, of vCPUs that have one of their own */
static size_t root_count;

/* The VM's root has got an entry that all share. */
static void roots_follow(const struct vm *vm, size_t entry)
{
    for (size_t i = 0; i < root_count; i++) {
        table_at(roots[i])[entry] = table_at(vm->root_gpa)[entry];
    }
}

bool pt_root_make(struct vcpu *vcpu)
{
    uint64_t *root;

    if (root_count == OWN_MAX) {
        return false;
    }
    root = system_page(vcpu->vm);
    memcpy(root, table_at(vcpu->vm->root_gpa), PAGE_SIZE);
    root[OWN_ENTRY] = 0;
    roots[root_count++] = system_gpa(root);
    cpu_set_root(vcpu, system_gpa(root));
    return true;
}

/* ---- entries ---- */

/*
 * The entry for gva at `level` (1: 4 KiB pages, 2: 2 MiB), making tables on the way when `vm` is
 * given. NULL when there is none, with *level set to the one where the way ends; a huge page on the
 * way is returned itself, with *level set to 2.
 */
static uint64_t *entry_of(struct vm *vm, uint64_t root_gpa, uint64_t gva, int *level)
{
    uint64_t *table = table_at(root_gpa);

    for (int at = 4;; at--) {
        uint64_t *entry = &table[(gva >> (12 + 9 * (at - 1))) & 511];

        if (at == *level || (*entry & PT_HUGE && *entry & PT_PRESENT)) {
            *level = at;
            return entry;
        }
        if (!(*entry & PT_PRESENT)) {
            if (!vm) {
                *level = at;
                return NULL;
            }
            *entry = system_gpa(system_page(vm)) | PT_PRESENT | PT_WRITE | PT_USER | PT_ACCESSED;
            if (at == 4 && root_gpa == vm->root_gpa && gva < OWN_GVA) {
                roots_follow(vm, gva >> 39);
            }
        }
        table = table_at(*entry & PT_ADDRESS);
    }
}

/* Turn a huge entry into a table of 512 small ones that say the same. */
static void entry_split(struct vm *vm, uint64_t *huge)
{
    uint64_t *table = system_page(vm);
    uint64_t gpa = *huge & PT_ADDRESS, rights = (*huge & PT_RIGHTS) | PT_USED;

    for (size_t i = 0; i < 512; i++) {
        table[i] = (gpa + i * PAGE_SIZE) | rights;
    }
    *huge = system_gpa(table) | PT_PRESENT | PT_WRITE | PT_USER | PT_ACCESSED;
}

void pt_map(struct vm *vm, uint64_t gva, uint64_t size, uint64_t gpa, uint64_t rights)
{
    for (uint64_t step, end = gva + size; gva < end; gva += step, gpa += step) {
        bool huge = !((gva | gpa) % HUGE_SIZE) && end - gva >= HUGE_SIZE;
        int level = huge ? 2 : 1;
        uint64_t *entry = entry_of(vm, vm->root_gpa, gva, &level);

        step = PAGE_SIZE;
        if (huge && !(*entry & PT_PRESENT)) {
            step = HUGE_SIZE;
            *entry = gpa | rights | PT_PRESENT | PT_USED | PT_HUGE;
            continue;
        }
        if (level == 2 && *entry & PT_HUGE) {
            step = HUGE_SIZE - gva % HUGE_SIZE; /* mapped already, by a neighbour's fault */
            continue;
        }
        if (level == 2) { /* a table stands where a huge page would fit: fill it */
            level = 1;
            entry = entry_of(vm, vm->root_gpa, gva, &level);
        }
        *entry = gpa | rights | PT_PRESENT | PT_USED;
    }
}

void pt_map_own(struct vcpu *vcpu, uint64_t gva, uint64_t gpa, uint64_t rights)
{
    int level = 1;

    *entry_of(vcpu->vm, vcpu->root_gpa, gva, &level) = gpa | rights | PT_PRESENT | PT_USED;
}

/* Visit the entries of [gva, gva + size): set to absent when `clear`, else to `rights`. */
static void pt_change(struct vm *vm, uint64_t gva, uint64_t size, bool clear, uint64_t rights)
{
    for (uint64_t step, end = gva + size; gva < end; gva += step) {
        int level = 1;
        uint64_t *entry = entry_of(NULL, vm->root_gpa, gva, &level);

        if (!entry) { /* nothing below this entry */
            uint64_t span = PAGE_SIZE << 9 * (level - 1);

            step = span - gva % span;
            continue;
        }
        if (level == 2 && (gva % HUGE_SIZE || end - gva < HUGE_SIZE)) {
            entry_split(vm, entry);
            step = 0;
            continue;
        }
        step = level == 2 ? HUGE_SIZE : PAGE_SIZE;
        if (clear) {
            *entry = 0;
        } else if (*entry & PT_PRESENT) {
            *entry = (*entry & ~PT_RIGHTS) | PT_PRESENT | rights;
        }
    }
}

void pt_unmap(struct vm *vm, uint64_t gva, uint64_t size)
{
    pt_change(vm, gva, size, true, 0);
}

void pt_protect(struct vm *vm, uint64_t gva, uint64_t size, uint64_t rights)
{
    pt_change(vm, gva, size, false, rights);
}

bool pt_allows(struct vm *vm, uint64_t gva, uint64_t rights, bool fetch)
{
    int level = 1;
    const uint64_t *entry = entry_of(NULL, vm->root_gpa, gva, &level);

    return entry && *entry & PT_PRESENT && (*entry & rights) == rights &&
           !(fetch && *entry & PT_NX);
}
