// SPDX-License-Identifier: Apache-2.0
/* Maps, unmaps and protects at random, and compares with a model of each page what is there. */
#include "payload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define PAGES 256
#define PLACED 200
#define ARENA ((void *)0x10000000000) /* far below where the kernel places mappings */
#define STEPS 6000

static int model[PAGES]; /* a page's protection, or -1 */
static unsigned char *arena;
static struct placed {
    unsigned char *at;
    size_t size;
    unsigned char tag;
} placed[PLACED];
static int faults;

static unsigned draw(unsigned below)
{
    static uint64_t state = 88172645463325252UL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % below);
}

/* In the arena, where every address is ours. */
static void change(void)
{
    static const int kinds[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    unsigned first = draw(PAGES), count = 1 + draw(PAGES - first), kind = draw(3);
    unsigned char *at = arena + first * PAGE;
    bool whole = true;

    for (unsigned i = first; i < first + count; i++) {
        whole = whole && model[i] >= 0;
    }
    switch (draw(3)) {
    case 0:
        faults += mmap(at, count * PAGE, kinds[kind], MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                       0) != at;
        break;
    case 1:
        faults += munmap(at, count * PAGE) != 0;
        kind = 3;
        break;
    default:
        if (!whole) {
            return; /* it ends somewhere in the middle, with ENOMEM */
        }
        faults += mprotect(at, count * PAGE, kinds[kind]) != 0;
    }
    for (unsigned i = first; i < first + count; i++) {
        model[i] = kind == 3 ? -1 : kinds[kind];
    }
}

/* Where the kernel wants: no two of these share a byte. */
static void place(void)
{
    struct placed *it = &placed[draw(PLACED)];

    if (it->at) {
        for (size_t i = 0; i < it->size; i += PAGE) {
            faults += it->at[i] != it->tag;
        }
        faults += munmap(it->at, it->size) != 0;
        it->at = NULL;
        return;
    }
    it->size = (1 + draw(8)) * PAGE;
    it->tag = (unsigned char)draw(256);
    it->at = mmap(NULL, it->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (it->at == MAP_FAILED) {
        abort();
    }
    memset(it->at, it->tag, it->size);
    if (draw(2)) {
        faults += mprotect(it->at, it->size, PROT_READ) != 0;
    }
}

int main(void)
{
    int ends[2], wrong = 0;
    char byte = 0;

    arena = mmap(ARENA, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(model, 0, sizeof(model));
    (void)pipe(ends);
    for (int i = 0; i < STEPS; i++) {
        change();
        place();
    }
    for (unsigned i = 0; i < PAGES; i++) { /* the kernel reads and writes for us, or says EFAULT */
        bool reads = write(ends[1], arena + i * PAGE, 1) == 1;
        bool writes;

        if (!reads) {
            (void)write(ends[1], &byte, 1);
        }
        writes = read(ends[0], arena + i * PAGE, 1) == 1;
        if (!writes) {
            (void)read(ends[0], &byte, 1);
        }
        wrong += reads != (model[i] > 0) || writes != (model[i] == (PROT_READ | PROT_WRITE));
    }
    printf("%d wrong pages, %d other faults\n", wrong, faults);
    return 0;
}
