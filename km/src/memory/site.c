// SPDX-License-Identifier: Apache-2.0
/*
 * site.c: call sites of the payload that jump to an island (island.c) instead of executing SYSCALL.
 *
 * Most are `mov $number, %eax; syscall`: the five bytes of the first instruction become
 * `jmp island`, and the SYSCALL stays, so that a thread that is set back to it, or jumps to it,
 * finds it. Of others the two bytes of the SYSCALL become a short jump to room in padding
 * (padding.c), and a jump to the island is put there; a thread that is set back to the SYSCALL
 * jumps again.
 *
 * Only code of a file that the payload can neither write nor share is changed, in the private copy
 * of its page. While bytes are written the page is not in the guest's page tables: a thread that
 * comes there waits for mm_lock(), so that none meets half of a change.
 *
 * Every other change of the page comes here first: before it can be written or moves, the site
 * is put back; when it goes away, the site is forgotten. A jump in padding stays while other
 * threads are in the guest, of which one may just be there: nothing else executes it.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <string.h>
#include <sys/mman.h>

#define JUMP_SIZE 5UL
#define CALL_SIZE 2UL /* of SYSCALL, and of a short jump */
#define SITE_SIZE (JUMP_SIZE + CALL_SIZE)
#define SHORT_REACH 127UL
#define SITES_MAX 1024
#define REACH 0x7ff00000L /* of a jump, with room for its page */

/* Below what programs that are at a fixed address use: the islands of these. */
#define LOW_ISLANDS 0x100000UL

static struct vm *vm;

static struct site {
    uint64_t next; /* behind its SYSCALL, or 0: the entry is free */
    uint64_t island;
    uint64_t at;   /* of the jump to the island */
    bool is_short; /* that is in padding */
    bool jumps;    /* the program gets there */
    bool stands;   /* the jump to the island is there; it may be so when it is put back */
    uint8_t original[JUMP_SIZE]; /* instead of it */
} sites[SITES_MAX];
static unsigned count;           /* of sites[] that were ever used */
static uint64_t lowest, highest; /* all lie in [lowest, highest) */

void site_init(struct vm *the_vm)
{
    vm = the_vm;
}

/* ---- the bytes ---- */

static const uint8_t call_bytes[CALL_SIZE] = {0x0f, 0x05}; /* syscall */

static void jump_bytes(const struct site *site, uint8_t bytes[JUMP_SIZE])
{
    int32_t to = (int32_t)(site->island - (site->at + JUMP_SIZE));

    bytes[0] = 0xe9; /* jmp rel32 */
    memcpy(bytes + 1, &to, sizeof(to));
}

static void short_bytes(const struct site *site, uint8_t bytes[CALL_SIZE])
{
    bytes[0] = 0xeb; /* jmp rel8 */
    bytes[1] = (uint8_t)(site->at - site->next);
}

static bool stands(uint64_t at, const uint8_t *bytes, size_t size)
{
    uint8_t there[JUMP_SIZE];

    return guest_read(there, at, size) == 0 && !memcmp(there, bytes, size);
}

static bool jump_stands(const struct site *site)
{
    uint8_t bytes[JUMP_SIZE];

    jump_bytes(site, bytes);
    return stands(site->at, bytes, sizeof(bytes));
}

/* Whether these bytes are code as it may be changed. */
static bool is_code_of_file(uint64_t at, size_t size)
{
    const struct vma *vma = vma_find(at);

    return vma && vma->start <= at && at + size <= vma->end && vma->prot & PROT_EXEC &&
           !(vma->prot & PROT_WRITE) &&
           (vma->flags & (MAP_PRIVATE | MAP_ANONYMOUS | VMA_VDSO)) == MAP_PRIVATE;
}

/*
 * A prefix before an instruction makes it another: `41 b8` loads R8D. An instruction that ends with
 * the byte of a prefix is taken for one, too. Before SYSCALL, REX means nothing.
 */
static bool is_prefix(uint8_t byte, bool rex_counts)
{
    return (rex_counts && (byte & 0xf0) == 0x40) || byte == 0x66 || byte == 0x67 || byte == 0xf0 ||
           byte == 0xf2 || byte == 0xf3 || byte == 0x64 || byte == 0x65 || byte == 0x2e ||
           byte == 0x36 || byte == 0x3e || byte == 0x26;
}

/* Whether the instruction before the SYSCALL loads the number. */
static bool loads(uint64_t next, uint32_t number)
{
    uint8_t bytes[1 + SITE_SIZE];
    uint32_t loaded;

    if (number >= STUB_CALLS || guest_read(bytes, next - sizeof(bytes), sizeof(bytes)) < 0) {
        return false;
    }
    memcpy(&loaded, bytes + 2, sizeof(loaded));
    return bytes[1] == 0xb8 && !memcmp(bytes + 1 + JUMP_SIZE, call_bytes, CALL_SIZE) &&
           loaded == number && !is_prefix(bytes[0], true);
}

/* ---- padding ---- */

static bool is_room(uint64_t at)
{
    for (unsigned i = 0; i < count; i++) {
        if (sites[i].next && sites[i].at < at + JUMP_SIZE && at < sites[i].at + JUMP_SIZE) {
            return false;
        }
    }
    return is_code_of_file(at, JUMP_SIZE);
}

/* What of [at, + size) the buffer has. */
static void overlay(uint8_t *buffer, uint64_t from, size_t size, uint64_t at, const uint8_t *bytes,
                    size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (at + i - from < size) {
            buffer[at + i - from] = bytes[i];
        }
    }
}

/* Room for a jump within the reach of a short one, or 0. */
static uint64_t find_room(uint64_t next)
{
    uint8_t code[SHORT_REACH + JUMP_SIZE + PADDING_READ], before[1 + CALL_SIZE];
    size_t offset;

    if (guest_read(before, next - sizeof(before), sizeof(before)) < 0 ||
        memcmp(before + 1, call_bytes, CALL_SIZE) != 0 || is_prefix(before[0], false) ||
        !is_code_of_file(next - CALL_SIZE, CALL_SIZE + sizeof(code)) ||
        guest_read(code, next, sizeof(code)) < 0) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) { /* as the file has it */
        if (sites[i].next && sites[i].stands) {
            overlay(code, next, sizeof(code), sites[i].at, sites[i].original, JUMP_SIZE);
        }
        if (sites[i].next && sites[i].jumps && sites[i].is_short) {
            overlay(code, next, sizeof(code), sites[i].next - CALL_SIZE, call_bytes, CALL_SIZE);
        }
    }
    offset = padding_find(code, SHORT_REACH + JUMP_SIZE, next, JUMP_SIZE, is_room);
    return offset ? next + offset : 0;
}

/* ---- islands ---- */

static bool reaches(uint64_t at, uint64_t island)
{
    int64_t distance = (int64_t)(island - at);

    return distance < REACH && distance > -REACH;
}

/* Whether a page of the payload's address space is an island's already, or nobody's. */
static bool is_free(uint64_t page)
{
    const struct vma *next = vma_find(page);

    return island_is_at(page) || !next || next->start >= page + PAGE_SIZE;
}

static uint64_t find_island(const struct site *site, uint32_t number)
{
    const uint64_t areas[] = {layout.islands, LOW_ISLANDS};
    uint64_t island = 0;

    for (size_t i = 0; i < 2 * ISLAND_PAGES && !island; i++) {
        uint64_t page = areas[i / ISLAND_PAGES] + i % ISLAND_PAGES * PAGE_SIZE;

        if (reaches(site->at, page) && is_free(page)) {
            island = island_make(vm, page, site->next, number);
        }
    }
    return island;
}

/* ---- sites ---- */

static void note_range(uint64_t from, uint64_t to)
{
    __atomic_store_n(&lowest, lowest && lowest < from ? lowest : from, __ATOMIC_RELAXED);
    __atomic_store_n(&highest, highest > to ? highest : to, __ATOMIC_RELAXED);
}

static struct site *find(uint64_t next)
{
    for (unsigned i = 0; i < count; i++) {
        if (sites[i].next == next) {
            return &sites[i];
        }
    }
    return NULL;
}

/* A new entry for the site, or NULL. */
static struct site *add(uint64_t next, uint32_t number)
{
    struct site *site = count < SITES_MAX ? &sites[count] : find(0);
    struct site new = {.next = next, .is_short = !loads(next, number)};

    new.at = new.is_short ? find_room(next) : next - SITE_SIZE;
    if (!site || !new.at || guest_read(new.original, new.at, JUMP_SIZE) < 0) {
        return NULL;
    }
    new.island = find_island(&new, new.is_short ? ANY_CALL : number);
    if (!new.island) {
        return NULL;
    }
    *site = new;
    count += count < SITES_MAX;
    note_range(new.is_short ? next - CALL_SIZE : new.at, new.at + SITE_SIZE);
    return site;
}

/* Whether its jump, or what was there before, is there. */
static bool is_whole(const struct site *site)
{
    return stands(site->at, site->original, JUMP_SIZE) || (site->stands && jump_stands(site));
}

/* Likewise, and its SYSCALL: it can be as it was before it was put back. */
static bool is_as_it_was(const struct site *site)
{
    return stands(site->next - CALL_SIZE, call_bytes, CALL_SIZE) && is_whole(site);
}

static bool write_jumps(struct site *site)
{
    uint8_t bytes[JUMP_SIZE];

    jump_bytes(site, bytes);
    site->stands = mm_write_code(site->at, bytes, JUMP_SIZE);
    site->jumps = site->stands;
    if (site->stands && site->is_short) {
        short_bytes(site, bytes);
        site->jumps = mm_write_code(site->next - CALL_SIZE, bytes, CALL_SIZE);
    }
    return site->jumps;
}

bool site_make(uint64_t next, uint32_t number)
{
    struct site *site;

    if (next >= GUEST_TOP || next < GUEST_BOTTOM + SITE_SIZE ||
        !is_code_of_file(next - SITE_SIZE, SITE_SIZE)) {
        return false;
    }
    site = find(next);
    if (site && site->jumps) { /* a thread executes the SYSCALL that has no stub where it leads */
        return true;
    }
    if (site && !is_as_it_was(site)) {
        site->next = 0;
        site = NULL;
    }
    site = site ? site : add(next, number);
    return site && write_jumps(site);
}

/* `alone`: no other thread can be at the jump in padding. */
static void put_back(struct site *site, bool alone)
{
    uint8_t bytes[CALL_SIZE];

    short_bytes(site, bytes);
    if (site->jumps && site->is_short && stands(site->next - CALL_SIZE, bytes, CALL_SIZE)) {
        (void)mm_write_code(site->next - CALL_SIZE, call_bytes, CALL_SIZE);
    }
    site->jumps = false;
    if (site->stands && (alone || !site->is_short)) {
        if (jump_stands(site)) {
            (void)mm_write_code(site->at, site->original, JUMP_SIZE);
        }
        site->stands = false;
    }
}

static bool overlaps(const struct site *site, uint64_t from, uint64_t to)
{
    return site->next && ((site->at < to && site->at + JUMP_SIZE > from) ||
                          (site->next - CALL_SIZE < to && site->next > from));
}

static void put_all_back(uint64_t from, uint64_t to, bool alone)
{
    for (unsigned i = 0; from < highest && to > lowest && i < count; i++) {
        if (overlaps(&sites[i], from, to)) {
            put_back(&sites[i], alone);
        }
    }
}

void site_put_back(uint64_t from, uint64_t to)
{
    put_all_back(from, to, !hooks.has_threads());
}

void site_put_back_all(bool stopped)
{
    mm_lock();
    put_all_back(0, GUEST_TOP, stopped || !hooks.has_threads());
    mm_unlock();
}

void site_forget(uint64_t from, uint64_t to)
{
    for (unsigned i = 0; from < highest && to > lowest && i < count; i++) {
        if (overlaps(&sites[i], from, to)) {
            sites[i].jumps = false;
            sites[i].stands = false;
            sites[i].next = sites[i].is_short ? 0 : sites[i].next;
        }
    }
}

bool site_settle(struct vcpu *vcpu)
{
    uint64_t rip = vcpu->regs->rip;
    bool settled = false;

    if (rip < __atomic_load_n(&lowest, __ATOMIC_RELAXED) ||
        rip >= __atomic_load_n(&highest, __ATOMIC_RELAXED)) {
        return false;
    }
    mm_lock();
    for (unsigned i = 0; i < count && !settled; i++) {
        const struct site *site = &sites[i];

        if (site->next && site->is_short && site->at == rip && is_whole(site)) {
            vcpu->regs->rip = site->next - CALL_SIZE;
            vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
            settled = true;
        }
    }
    mm_unlock();
    return settled;
}

/* The payload takes these addresses: no site may lead to an island there. */
static void leave_island(uint64_t page)
{
    for (unsigned i = 0; i < count; i++) {
        if (sites[i].next && ROUND_DOWN(sites[i].island, PAGE_SIZE) == page) {
            put_back(&sites[i], !hooks.has_threads());
            sites[i].next = 0;
        }
    }
    island_take_away(vm, page);
}

void site_leave_islands(uint64_t from, uint64_t to)
{
    const uint64_t areas[] = {layout.islands, LOW_ISLANDS};

    for (size_t i = 0; count && i < 2 * ISLAND_PAGES; i++) {
        uint64_t page = areas[i / ISLAND_PAGES] + i % ISLAND_PAGES * PAGE_SIZE;

        if (page < to && page + PAGE_SIZE > from && island_is_at(page)) {
            leave_island(page);
        }
    }
}
