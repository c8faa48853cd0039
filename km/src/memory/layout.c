// SPDX-License-Identifier: Apache-2.0
/*
 * layout.c: choose the places of the payload's image, stack and mappings.
 *
 * They stand side by side, so that at the start one memslot backs what a program uses of all three:
 *
 *     ... mappings, downwards | stack, downwards | image | break, upwards ...
 *
 * The block around them is anywhere between LOW and HIGH, and each of the three at another distance
 * from it: 29 bits at random for the image, as Linux has 28.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <sys/random.h>
#include <sys/resource.h>

/* Below are the fixed addresses of sanitizers and of Go, above those of their allocators. */
#define LOW 0x200000000000UL
#define HIGH 0x400000000000UL
#define STACK_MAX (1UL << 30)   /* where there is no limit */
#define STACK_GUARD (1UL << 20) /* below the stack, as Linux leaves it by default; with islands */

struct layout layout;

static uint64_t pages(uint64_t random, unsigned bits)
{
    return (random & ((1UL << bits) - 1)) * PAGE_SIZE;
}

void layout_choose(void)
{
    uint64_t random[2] = {0};
    uint64_t block;
    struct rlimit limit;

    (void)getrandom(random, sizeof(random), 0);
    (void)getrlimit(RLIMIT_STACK, &limit);
    block = LOW + random[0] % ((HIGH - LOW) / LAYOUT_BLOCK) * LAYOUT_BLOCK;
    layout.stack_size =
        limit.rlim_cur < STACK_MAX ? ROUND_UP(limit.rlim_cur, PAGE_SIZE) : STACK_MAX;
    if (layout.stack_size < LAYOUT_STACK_MIN) {
        layout.stack_size = LAYOUT_STACK_MIN;
    }
    layout.stack_top = block + LAYOUT_BLOCK / 2 + pages(random[1], 9);
    layout.image = layout.stack_top + PAGE_SIZE + pages(random[1] >> 9, 8);
    layout.islands = layout.stack_top - layout.stack_size - STACK_GUARD;
    layout.mmap_top = layout.islands - pages(random[1] >> 17, 8);
}
