// SPDX-License-Identifier: Apache-2.0
/*
 * island.c: the target of a payload's call site that jumps instead of executing SYSCALL.
 *
 * An island is a few bytes of code within the reach of such a jump, in a page of system memory that
 * the payload can read and execute. It says which call it is, and continues in the stub of
 * whichever vCPU runs it (stub_code.S), which each vCPU has at the same address. The SYSCALL stays
 * where it was. So an interruption of a vCPU on this way finds it before the SYSCALL, with all
 * registers as they are there.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <string.h>
#include <sys/mman.h>

#define ISLAND_SIZE 64UL
#define ISLANDS (PAGE_SIZE / ISLAND_SIZE) /* in a page; the first is where all of them lead */

/* Offsets of its instructions, and of the facts behind them. */
enum { LOAD_FACTS = 0, GO_ON = 7, FACTS = 32 };
enum { LOAD_NUMBER = 13, GO_BACK = 18 };                   /* where the site loads the number */
enum { CALL = 13, RETURNED = 15, GO_NEXT = 22, END = 27 }; /* elsewhere */

static struct {
    uint64_t at;   /* gva, or 0; read by all threads */
    uint8_t *page; /* the same in system memory */
    unsigned used;
} pages[ISLAND_PAGES];

static size_t page_of(uint64_t at)
{
    size_t i = 0;

    while (i < ISLAND_PAGES &&
           __atomic_load_n(&pages[i].at, __ATOMIC_ACQUIRE) != ROUND_DOWN(at, PAGE_SIZE)) {
        i++;
    }
    return i;
}

/* A page at `at`, or ISLAND_PAGES. */
static size_t page_make(struct vm *vm, uint64_t at)
{
    uint64_t entries[] = {stub_site(false), stub_site(true)}; /* by `loads` */
    size_t i = page_of(0);

    if (i < ISLAND_PAGES) {
        stub_site_begin(vm);
        if (!pages[i].page) {
            pages[i].page = system_page(vm);
        }
        memset(pages[i].page, 0xcc, PAGE_SIZE); /* int3 */
        memcpy(pages[i].page, entries, sizeof(entries));
        pages[i].used = 1;
        __atomic_store_n(&pages[i].at, at, __ATOMIC_RELEASE);
        pt_map(vm, at, PAGE_SIZE, system_gpa(pages[i].page), PT_USER);
    }
    return i;
}

static void put(uint8_t *code, size_t at, const char *opcode, size_t size, uint64_t operand)
{
    uint32_t last = (uint32_t)operand;

    memcpy(code + at, opcode, size);
    memcpy(code + at + size, &last, sizeof(last));
}

/* At `at`, where its page has it `offset` bytes from its start. */
static void write_code(uint8_t *code, uint64_t at, size_t offset, const struct island *island)
{
    /* jmp *entry(%rip) */
    put(code, GO_ON, "\xff\x25", 2, island->loads * sizeof(uint64_t) - (offset + GO_ON + 6));
    if (island->loads) {
        put(code, LOAD_FACTS, "\x48\x8d\x05", 3, FACTS - GO_ON); /* lea facts(%rip), %rax */
        put(code, LOAD_NUMBER, "\xb8", 1, island->number);       /* mov $number, %eax */
        put(code, GO_BACK, "\xe9", 1, island->next - 2 - (at + GO_BACK + 5)); /* jmp the SYSCALL */
    } else {
        put(code, LOAD_FACTS, "\x48\x8d\x0d", 3, FACTS - GO_ON); /* lea facts(%rip), %rcx */
        code[CALL] = 0x0f;                                       /* syscall */
        code[CALL + 1] = 0x05;
        put(code, RETURNED, "\x48\x8d\x0d", 3, island->next - (at + GO_NEXT)); /* lea next, %rcx */
        put(code, GO_NEXT, "\xe9", 1, island->next - (at + END));              /* jmp next */
    }
}

uint64_t island_make(struct vm *vm, uint64_t at, uint64_t next, uint32_t number)
{
    struct island island = {.next = next, .number = number, .loads = number != ANY_CALL};
    size_t i = page_of(at), offset;

    i = i < ISLAND_PAGES ? i : page_make(vm, at);
    if (i >= ISLAND_PAGES || pages[i].used == ISLANDS) {
        return 0;
    }
    offset = pages[i].used++ * ISLAND_SIZE;
    island.back = at + offset + (island.loads ? LOAD_NUMBER : CALL);
    memcpy(pages[i].page + offset + FACTS, &island, sizeof(island));
    write_code(pages[i].page + offset, at + offset, offset, &island);
    return at + offset;
}

bool island_is_at(uint64_t page)
{
    return page_of(page) < ISLAND_PAGES;
}

/* Freeing the host's memory makes KVM forget the page. */
void island_take_away(struct vm *vm, uint64_t page)
{
    size_t i = page_of(page);

    if (i < ISLAND_PAGES) {
        pt_unmap(vm, page, PAGE_SIZE);
        (void)madvise(pages[i].page, PAGE_SIZE, MADV_DONTNEED);
        __atomic_store_n(&pages[i].at, 0, __ATOMIC_RELEASE);
    }
}

const struct island *island_find(uint64_t at)
{
    size_t i = at ? page_of(at) : ISLAND_PAGES;
    size_t offset = at % PAGE_SIZE;

    if (i >= ISLAND_PAGES || offset / ISLAND_SIZE == 0 || offset / ISLAND_SIZE >= pages[i].used) {
        return NULL;
    }
    return (const struct island *)(pages[i].page + ROUND_DOWN(offset, ISLAND_SIZE) + FACTS);
}

/* Whether a vCPU stands at one of the instructions; where it goes on is in its registers then. */
static bool settle_loaded(struct kvm_regs *regs, const struct island *island)
{
    uint64_t offset = regs->rip % ISLAND_SIZE;

    if (offset != LOAD_FACTS && offset != GO_ON && offset != LOAD_NUMBER && offset != GO_BACK) {
        return false;
    }
    regs->rip = island->next - 2;
    regs->rax = island->number;
    return true;
}

/* RCX and R11 are what a SYSCALL makes of them: a call that is made again has begun before. */
static bool settle_any(struct kvm_regs *regs, const struct island *island)
{
    uint64_t offset = regs->rip % ISLAND_SIZE;
    bool made = offset == RETURNED || offset == GO_NEXT;

    if (offset != LOAD_FACTS && offset != GO_ON && offset != CALL && !made) {
        return false;
    }
    if (offset != LOAD_FACTS) {
        regs->rcx = island->next;
        regs->r11 = made ? regs->r11 : cpu_clean_flags(regs->rflags);
    }
    regs->rip = made ? island->next : island->next - 2;
    return true;
}

void island_settle(struct vcpu *vcpu)
{
    const struct island *island = island_find(vcpu->regs->rip);

    if (island &&
        (island->loads ? settle_loaded(vcpu->regs, island) : settle_any(vcpu->regs, island))) {
        vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    }
}

uint64_t island_next(uint64_t at)
{
    const struct island *island = island_find(at);

    return island && !island->loads && at % ISLAND_SIZE == RETURNED ? island->next : at;
}
