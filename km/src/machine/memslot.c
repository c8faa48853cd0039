// SPDX-License-Identifier: Apache-2.0
/*
 * memslot.c: which guest-physical memory backs which part of the payload's address space.
 *
 * Payload memory is backed in aligned blocks of a power of two, BLOCK_MIN at least, one memslot
 * each. A block comes when one of its pages is first needed and stays for the life of the VM. Each
 * slot costs KVM a grace period, which is long on a busy host, and memory in proportion to its size
 * (10 bytes a page): so blocks are not too small at first and grow with what the payload uses, but
 * small mappings that stand alone get small ones; gpas are compact, and equal their gva modulo
 * 2 MiB so that huge pages stay huge. Some CPUs have few: 2^36 or 2^39 bytes.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <errno.h>
#include <string.h>

#define BLOCK_MIN LAYOUT_BLOCK
#define BLOCK_MAX (1UL << 30)
#define SLOTS_PER_SIZE 512
#define LONE_SIZE HUGE_SIZE /* of a block for a mapping that stands alone */
#define LONE_AFTER 4        /* blocks: those of the program and its libraries */
/* KVM has 32764 slots since Linux 4.x; older ones 509, and refuse the next. */
#define BLOCKS_MAX 8192

struct block {
    uint64_t gva, size, gpa;
};

static struct block blocks[BLOCKS_MAX]; /* sorted by gva; they do not overlap */
static size_t block_count;

/* The number of blocks that start at or below gva. */
static size_t blocks_below(uint64_t gva)
{
    size_t low = 0, high = block_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (blocks[middle].gva <= gva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The block that backs gva, or NULL. */
static const struct block *block_of(uint64_t gva)
{
    size_t n = blocks_below(gva);
    const struct block *block = &blocks[n ? n - 1 : 0];

    return n && gva < block->gva + block->size ? block : NULL;
}

/* Whether [start, start + size) is free of blocks; `n` blocks start at or below it. */
static bool block_fits(uint64_t start, uint64_t size)
{
    size_t n = blocks_below(start + size - 1);

    return !n || blocks[n - 1].gva + blocks[n - 1].size <= start;
}

/* The largest block: once half of the gpas are given away, the rest shall be enough for all blocks
 * that there may be. */
static uint64_t size_most(const struct vm *vm)
{
    uint64_t size = BLOCK_MAX, rest = vm->gpa_end - vm->next_gpa;

    while (size > LONE_SIZE && rest < vm->gpa_end / 2 && size * (BLOCKS_MAX - block_count) > rest) {
        size /= 2;
    }
    return size;
}

/*
 * The block to back gva with. Beside what is backed already it is twice as large as its neighbour,
 * so that memory used in a row needs few slots; elsewhere it is small, for what is touched here and
 * there, but larger the more slots there are. A program that puts small mappings of `extent` bytes
 * all over, as node does, takes least for each.
 */
static struct block block_choose(const struct vm *vm, uint64_t gva, uint64_t extent)
{
    uint64_t start = ROUND_DOWN(gva, BLOCK_MIN), size = BLOCK_MIN << block_count / SLOTS_PER_SIZE,
             most = size_most(vm);
    const struct block *below = block_of(start - 1), *above = block_of(start + BLOCK_MIN);

    if (!below && !above && extent <= LONE_SIZE && block_count >= LONE_AFTER &&
        block_count < SLOTS_PER_SIZE && block_fits(start, BLOCK_MIN)) {
        return (struct block){.gva = ROUND_DOWN(gva, LONE_SIZE), .size = LONE_SIZE};
    }
    if (below && 2 * below->size > size) {
        size = 2 * below->size;
    }
    if (above && 2 * above->size > size) {
        size = 2 * above->size;
    }
    size = size < most ? size : most;
    while (size > LONE_SIZE &&
           (size > vm->gpa_end - vm->next_gpa || !block_fits(ROUND_DOWN(gva, size), size))) {
        size /= 2;
    }
    return (struct block){.gva = ROUND_DOWN(gva, size), .size = size};
}

static const struct block *block_add(struct vm *vm, struct block block)
{
    size_t n = blocks_below(block.gva);

    block.gpa = vm->next_gpa;
    if (block_count == BLOCKS_MAX || block.size > vm->gpa_end - block.gpa ||
        vm_add_memslot(vm, block.gpa, block.size, block.gva, 0) < 0) {
        return NULL;
    }
    vm->next_gpa += block.size;
    memmove(&blocks[n + 1], &blocks[n], (block_count - n) * sizeof(block));
    blocks[n] = block;
    block_count++;
    return &blocks[n];
}

bool memslot_back(struct vm *vm, uint64_t gva, uint64_t extent, struct backing *backing)
{
    const struct block *block = block_of(gva);

    if (!block) {
        block = block_add(vm, block_choose(vm, gva, extent));
    }
    if (!block) {
        return false;
    }
    *backing = (struct backing){block->gva, block->gva + block->size, block->gpa};
    return true;
}

void memslot_restore(struct vm *vm)
{
    for (size_t i = 0; i < block_count; i++) {
        if (vm_add_memslot(vm, blocks[i].gpa, blocks[i].size, blocks[i].gva, 0) < 0) {
            die(STATUS_FAILED, "give the host more memory", "a forked VM gets no memory: %m");
        }
    }
}
