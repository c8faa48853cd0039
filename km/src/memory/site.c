// SPDX-License-Identifier: Apache-2.0
/*
 * site.c: call sites of the payload that jump to an island (island.c) instead of executing SYSCALL.
 *
 * A site is `mov $number, %eax; syscall`, seven bytes. The five of the first instruction become
 * `jmp island`; the SYSCALL stays, so that a thread that is set back to it, or jumps to it, finds
 * it. Only code of a file that the payload can neither write nor share is changed, in the private
 * copy of its page. While bytes are written the page is not in the guest's page tables: a thread
 * that comes there waits for mm_lock(), so that none meets half of a change.
 *
 * Every other change of the page comes here first: before it can be written or moves, the site
 * is put back; when it goes away, the site is forgotten.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <string.h>
#include <sys/mman.h>

#define SITE_SIZE 7UL
#define JUMP_SIZE 5UL
#define SITES_MAX 1024
#define REACH 0x7ff00000L /* of a jump, with room for its page */

/* Below what programs that are at a fixed address use: the islands of these. */
#define LOW_ISLANDS 0x100000UL

static struct vm *vm;

static struct site {
    uint64_t at, island; /* at: 0, or where its bytes are changed */
    uint32_t number;
} sites[SITES_MAX];
static unsigned count;           /* of sites[] that were ever used */
static uint64_t lowest, highest; /* all lie in [lowest, highest) */

void site_init(struct vm *the_vm)
{
    vm = the_vm;
}

/* ---- the bytes ---- */

static void original_bytes(const struct site *site, uint8_t bytes[JUMP_SIZE])
{
    bytes[0] = 0xb8; /* mov $imm32, %eax */
    memcpy(bytes + 1, &site->number, sizeof(site->number));
}

static void jump_bytes(const struct site *site, uint8_t bytes[JUMP_SIZE])
{
    int32_t to = (int32_t)(site->island - (site->at + JUMP_SIZE));

    bytes[0] = 0xe9; /* jmp rel32 */
    memcpy(bytes + 1, &to, sizeof(to));
}

static bool stands(uint64_t at, const uint8_t bytes[JUMP_SIZE])
{
    uint8_t there[JUMP_SIZE];

    return guest_read(there, at, JUMP_SIZE) == 0 && !memcmp(there, bytes, JUMP_SIZE);
}

/* Whether the bytes of a site are code as it may be changed. */
static bool is_code_of_file(uint64_t at)
{
    const struct vma *vma = vma_find(at);

    return vma && vma->start <= at && at + SITE_SIZE <= vma->end && vma->prot & PROT_EXEC &&
           !(vma->prot & PROT_WRITE) &&
           (vma->flags & (MAP_PRIVATE | MAP_ANONYMOUS | VMA_VDSO)) == MAP_PRIVATE;
}

/*
 * A prefix before the MOV would make it another instruction: `41 b8` loads R8D. An instruction that
 * ends with the byte of a prefix is taken for one, too.
 */
static bool is_prefix(uint8_t byte)
{
    return (byte & 0xf0) == 0x40 || byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 ||
           byte == 0xf3 || byte == 0x64 || byte == 0x65 || byte == 0x2e || byte == 0x36 ||
           byte == 0x3e || byte == 0x26;
}

static bool has_form(uint64_t at, uint32_t number)
{
    uint8_t bytes[1 + SITE_SIZE];
    uint32_t loaded;

    if (guest_read(bytes, at - 1, sizeof(bytes)) < 0) {
        return false;
    }
    memcpy(&loaded, bytes + 2, sizeof(loaded));
    return bytes[1] == 0xb8 && bytes[6] == 0x0f && bytes[7] == 0x05 && loaded == number &&
           !is_prefix(bytes[0]);
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

static uint64_t find_island(uint64_t at, uint32_t number)
{
    const uint64_t areas[] = {layout.islands, LOW_ISLANDS};
    uint64_t island = 0;

    for (size_t i = 0; i < 2 * ISLAND_PAGES && !island; i++) {
        uint64_t page = areas[i / ISLAND_PAGES] + i % ISLAND_PAGES * PAGE_SIZE;

        if (reaches(at, page) && is_free(page)) {
            island = island_make(vm, page, at + SITE_SIZE, number);
        }
    }
    return island;
}

/* ---- sites ---- */

/* An entry for the site, with its island: one that it had before is as good. */
static struct site *entry_for(uint64_t at, uint32_t number)
{
    struct site *site = sites;

    while (site < sites + count &&
           (site->at || !site->island || site->number != number || !island_find(site->island) ||
            island_find(site->island)->next != at + SITE_SIZE)) {
        site++;
    }
    if (site == sites + SITES_MAX) {
        return NULL;
    }
    if (site == sites + count) {
        *site = (struct site){.island = find_island(at, number), .number = number};
        if (!site->island) {
            return NULL;
        }
        count++;
    }
    site->at = at;
    lowest = lowest && lowest < at ? lowest : at;
    highest = highest > at + SITE_SIZE ? highest : at + SITE_SIZE;
    return site;
}

static bool jumps(uint64_t at)
{
    for (unsigned i = 0; i < count; i++) {
        if (sites[i].at == at) {
            return true;
        }
    }
    return false;
}

bool site_make(uint64_t next, uint32_t number)
{
    uint64_t at = next - SITE_SIZE;
    uint8_t bytes[JUMP_SIZE];
    struct site *site;

    if (jumps(at)) { /* a thread executes the SYSCALL that has no stub where it leads */
        return true;
    }
    if (number >= STUB_CALLS || next >= GUEST_TOP || at < GUEST_BOTTOM || !is_code_of_file(at) ||
        !has_form(at, number)) {
        return false;
    }
    site = entry_for(at, number);
    if (!site) {
        return false;
    }
    jump_bytes(site, bytes);
    if (!mm_write_code(at, bytes, sizeof(bytes))) {
        site->at = 0;
        return false;
    }
    return true;
}

static void put_back(struct site *site)
{
    uint8_t jump[JUMP_SIZE], original[JUMP_SIZE];

    jump_bytes(site, jump);
    original_bytes(site, original);
    if (stands(site->at, jump)) {
        (void)mm_write_code(site->at, original, sizeof(original));
    }
    site->at = 0;
}

static bool overlaps(const struct site *site, uint64_t from, uint64_t to)
{
    return site->at && site->at < to && site->at + SITE_SIZE > from;
}

void site_put_back(uint64_t from, uint64_t to)
{
    for (unsigned i = 0; from < highest && to > lowest && i < count; i++) {
        if (overlaps(&sites[i], from, to)) {
            put_back(&sites[i]);
        }
    }
}

void site_put_back_all(void)
{
    mm_lock();
    site_put_back(0, GUEST_TOP);
    mm_unlock();
}

void site_forget(uint64_t from, uint64_t to)
{
    for (unsigned i = 0; from < highest && to > lowest && i < count; i++) {
        if (overlaps(&sites[i], from, to)) {
            sites[i].at = 0;
        }
    }
}

/* The payload takes these addresses: no site may lead to an island there. */
static void leave_island(uint64_t page)
{
    for (unsigned i = 0; i < count; i++) {
        if (ROUND_DOWN(sites[i].island, PAGE_SIZE) == page) {
            if (sites[i].at) {
                put_back(&sites[i]);
            }
            sites[i].island = 0;
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
