// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid_host.c: the CPU's own CPUID, and the size of an XSAVE image by it.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <cpuid.h>

static struct kvm_cpuid_entry2 *ask(struct cpuid_table *table, cpuid_source *source,
                                    uint32_t function, uint32_t index, bool indexed)
{
    struct kvm_cpuid_entry2 *entry = &table->entries[table->head.nent++];

    *entry = (struct kvm_cpuid_entry2){
        .function = function,
        .index = index,
        .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
    };
    source(entry);
    return entry;
}

/* Subleaves from 0 on, up to the first whose type, in `mask` of ECX or EAX, is zero. */
static void ask_list(struct cpuid_table *table, cpuid_source *source, uint32_t function,
                     uint32_t mask_eax, uint32_t mask_ecx)
{
    const struct kvm_cpuid_entry2 *entry;
    uint32_t index = 0;

    do {
        entry = ask(table, source, function, index++, true);
    } while (index < 8 && (entry->eax & mask_eax || entry->ecx & mask_ecx));
}

static void ask_xsave(struct cpuid_table *table, cpuid_source *source)
{
    uint32_t components = ask(table, source, 0xd, 0, true)->eax & XFEATURES;

    (void)ask(table, source, 0xd, 1, true);
    for (uint32_t i = 2; i < 8; i++) {
        if (components & 1U << i) {
            (void)ask(table, source, 0xd, i, true);
        }
    }
}

/* One function with its subleaves; which have some: Intel's and AMD's manuals of CPUID. */
static void ask_function(struct cpuid_table *table, cpuid_source *source, uint32_t function)
{
    switch (function) {
    case 4: /* caches */
    case 0x8000001d:
        ask_list(table, source, function, 0x1f, 0);
        break;
    case 0xb: /* topology */
    case 0x1f:
    case 0x80000026:
        ask_list(table, source, function, 0, 0xff00);
        break;
    case 7:
        if (ask(table, source, 7, 0, true)->eax) {
            (void)ask(table, source, 7, 1, true);
        }
        break;
    case 0xd:
        ask_xsave(table, source);
        break;
    default:
        (void)ask(table, source, function, 0, false);
    }
}

/*
 * Each CPUID takes microseconds where a hypervisor is below this host: so only the functions that
 * describe what a program may use, not those for kernels and performance counters.
 */
void cpuid_collect(struct cpuid_table *table, cpuid_source *source)
{
    static const uint32_t functions[] = {
        0,          1,          2,          4,          6,          7,          0xb,
        0xd,        0x15,       0x16,       0x1f,       0x80000000, 0x80000001, 0x80000002,
        0x80000003, 0x80000004, 0x80000005, 0x80000006, 0x80000007, 0x80000008, 0x8000001a,
        0x8000001d, 0x8000001e, 0x80000021, 0x80000026};
    uint32_t last = 0;

    table->head.nent = 0;
    for (unsigned i = 0; i < ARRAY_LEN(functions); i++) {
        if (!(functions[i] & 0x7fffffffU)) { /* the first of its range names the last */
            last = ask(table, source, functions[i], 0, false)->eax;
        } else if (functions[i] <= last) {
            ask_function(table, source, functions[i]);
        }
    }
}

static void execute(struct kvm_cpuid_entry2 *entry)
{
    __cpuid_count(entry->function, entry->index, entry->eax, entry->ebx, entry->ecx, entry->edx);
}

/* XCR0: the components that the host's kernel has enabled. */
__attribute__((target("xsave"))) static uint64_t enabled(const struct cpuid_table *table)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(table, 1, 0);
    bool in_use = entry && entry->ecx & 1U << 27; /* OSXSAVE */

    return in_use ? (uint64_t)__builtin_ia32_xgetbv(0) : 0;
}

void cpuid_ask_host(struct cpuid_table *table)
{
    cpuid_collect(table, execute);
}

void cpuid_read_host(struct cpuid_table *table)
{
    cpuid_ask_host(table);
    cpuid_filter(table, enabled(table));
}

/* ---- the size of an XSAVE image ---- */

static struct {
    uint64_t features;
    uint32_t size;
} image;

void xsave_take(const struct cpuid_table *table)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(table, 0xd, 0);

    bool xsave = entry && entry->eax;

    image.features = xsave ? entry->eax : XFEATURE_SSE | 1U;
    image.size = xsave ? entry->ebx : FXSAVE_SIZE;
}

uint32_t xsave_size(uint64_t *features)
{
    static const uint32_t functions[] = {1, 7, 0xd};
    static struct cpuid_table table;

    if (!image.size) { /* a program's first signal waits for this */
        for (unsigned i = 0; i < ARRAY_LEN(functions); i++) {
            ask_function(&table, execute, functions[i]);
        }
        cpuid_filter(&table, enabled(&table));
        xsave_take(&table);
    }
    *features = image.features;
    return image.size;
}
