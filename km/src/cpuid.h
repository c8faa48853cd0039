// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid.h: the answers of the CPUID instruction as data, and which of them a payload may see.
 */
#ifndef KM_CPUID_H
#define KM_CPUID_H

#include "base.h"

#define CPUID_MAX 256  /* entries that KVM may offer */
#define CPUID_TAKEN 80 /* that a KVM before Linux 5.11 takes: KVM_MAX_CPUID_ENTRIES there */

struct cpuid_table {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[CPUID_MAX];
};

/* The state components of XSAVE that a payload may have, those that km keeps for it over signals,
 * snapshots and cores: x87 SSE AVX, and AVX-512's three. */
#define XFEATURES 0xe7U
enum { XFEATURE_SSE = 2, XFEATURE_AVX = 4, XFEATURE_AVX512 = 0xe0 };

#define FXSAVE_SIZE 512  /* bytes of the legacy area, which is all where there is no XSAVE */
#define XSAVE_BASE 576   /* bytes of an XSAVE image: legacy area and header */
#define XSAVE_MAX 4096UL /* of KVM_GET_XSAVE's */

/* ---- cpuid_filter.c: a pure function of what is offered ---- */

/*
 * Leave of `table` what a payload may see, and make what is left consistent: at most CPUID_TAKEN
 * entries, leaf 0xd with the sizes of its components. `xcr0` are the components that the host's
 * kernel has enabled. Needs nothing but its arguments.
 */
void cpuid_filter(struct cpuid_table *table, uint64_t xcr0);

/* The entry of a leaf, or NULL. */
const struct kvm_cpuid_entry2 *cpuid_find(const struct cpuid_table *table, uint32_t function,
                                          uint32_t index);

/* Bits of features, a word for each register that tells of some. */
#define CPUID_WORDS 16

/* Those that a filtered table has. */
void cpuid_features(const struct cpuid_table *table, uint32_t set[CPUID_WORDS]);

/* The names of those in `set`, separated by spaces, as far as they fit `text`. */
void cpuid_feature_names(const uint32_t set[CPUID_WORDS], char *text, size_t size);

/* ---- cpuid_host.c: what the CPU says ---- */

/* Answers the CPUID instruction: fill in entry->eax to edx for its function and index. */
typedef void cpuid_source(struct kvm_cpuid_entry2 *entry);

/* Ask `source` for all that cpuid_filter() may leave. */
void cpuid_collect(struct cpuid_table *table, cpuid_source *source);

/* Ask this CPU. */
void cpuid_ask_host(struct cpuid_table *table);

/* The same, filtered. */
void cpuid_read_host(struct cpuid_table *table);

/*
 * Bytes of an XSAVE image of the components that a payload has here, in standard form; FXSAVE_SIZE
 * where it has no XSAVE.
 */
uint32_t xsave_size(uint64_t *features);

/* Take both from what the VM is told. */
void xsave_take(const struct cpuid_table *table);

#endif /* KM_CPUID_H */
