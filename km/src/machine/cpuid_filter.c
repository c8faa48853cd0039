// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid_filter.c: which answers of CPUID a payload may see. A pure function of what the CPU or KVM
 * offers, by allow-list: a bit, a register or a leaf that is not named here is zero for a payload,
 * since it may stand for state that km does not keep, or ask KVM for something that it refuses.
 *
 * Not here, and why: MPX, PKU, AMX, APX, CET (shadow stacks, IBT) and LWP have state of their own;
 * user interrupts, FRED, LAM, LA57, HRESET, PT, LBR, key locker, ENQCMD, SGX, USER_MSR, MONITORX
 * and RDPRU want a kernel that sets them up; AVX10 shows as its parts, which are those of AVX-512.
 *
 * Numbers of leaves and bits: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E. The names
 * are those of /proc/cpuinfo.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <string.h>

/* A register of a leaf, each bit of which tells of a feature. */
enum word {
    W_1C,
    W_1D,
    W_6A,
    W_7B,
    W_7C,
    W_7D,
    W_71A,
    W_71D,
    W_DA,
    W_X1C,
    W_X1D,
    W_X7D,
    W_X8B,
    W_X1AA,
    W_X21A,
    WORDS
};
_Static_assert(WORDS <= CPUID_WORDS, "a snapshot has a place for each");

enum { EAX, EBX, ECX, EDX };

static const struct {
    uint32_t function, index;
    unsigned reg;
} words[WORDS] = {
    [W_1C] = {1, 0, ECX},
    [W_1D] = {1, 0, EDX},
    [W_6A] = {6, 0, EAX},
    [W_7B] = {7, 0, EBX},
    [W_7C] = {7, 0, ECX},
    [W_7D] = {7, 0, EDX},
    [W_71A] = {7, 1, EAX},
    [W_71D] = {7, 1, EDX},
    [W_DA] = {0xd, 1, EAX},
    [W_X1C] = {0x80000001, 0, ECX},
    [W_X1D] = {0x80000001, 0, EDX},
    [W_X7D] = {0x80000007, 0, EDX},
    [W_X8B] = {0x80000008, 0, EBX},
    [W_X1AA] = {0x8000001a, 0, EAX},
    [W_X21A] = {0x80000021, 0, EAX},
};

/* The state that a feature works on. */
enum { S_NONE = 0, S_XSAVE = 3, S_AVX = 7, S_512 = 0xe7 };

static const struct feature {
    uint8_t word, bit, state;
    const char *name;
} features[] = {
    {W_1C, 0, S_NONE, "pni"},
    {W_1C, 1, S_NONE, "pclmulqdq"},
    {W_1C, 9, S_NONE, "ssse3"},
    {W_1C, 12, S_AVX, "fma"},
    {W_1C, 13, S_NONE, "cx16"},
    {W_1C, 17, S_NONE, "pcid"},
    {W_1C, 19, S_NONE, "sse4_1"},
    {W_1C, 20, S_NONE, "sse4_2"},
    {W_1C, 21, S_NONE, "x2apic"},
    {W_1C, 22, S_NONE, "movbe"},
    {W_1C, 23, S_NONE, "popcnt"},
    {W_1C, 25, S_NONE, "aes"},
    {W_1C, 26, S_XSAVE, "xsave"},
    {W_1C, 27, S_XSAVE, "osxsave"},
    {W_1C, 28, S_AVX, "avx"},
    {W_1C, 29, S_AVX, "f16c"},
    {W_1C, 30, S_NONE, "rdrand"},
    {W_1C, 31, S_NONE, "hypervisor"},
    {W_1D, 0, S_NONE, "fpu"},
    {W_1D, 1, S_NONE, "vme"},
    {W_1D, 2, S_NONE, "de"},
    {W_1D, 3, S_NONE, "pse"},
    {W_1D, 4, S_NONE, "tsc"},
    {W_1D, 5, S_NONE, "msr"},
    {W_1D, 6, S_NONE, "pae"},
    {W_1D, 7, S_NONE, "mce"},
    {W_1D, 8, S_NONE, "cx8"},
    {W_1D, 9, S_NONE, "apic"},
    {W_1D, 11, S_NONE, "sep"},
    {W_1D, 12, S_NONE, "mtrr"},
    {W_1D, 13, S_NONE, "pge"},
    {W_1D, 14, S_NONE, "mca"},
    {W_1D, 15, S_NONE, "cmov"},
    {W_1D, 16, S_NONE, "pat"},
    {W_1D, 17, S_NONE, "pse36"},
    {W_1D, 19, S_NONE, "clflush"},
    {W_1D, 23, S_NONE, "mmx"},
    {W_1D, 24, S_NONE, "fxsr"},
    {W_1D, 25, S_NONE, "sse"},
    {W_1D, 26, S_NONE, "sse2"},
    {W_1D, 27, S_NONE, "ss"},
    {W_1D, 28, S_NONE, "ht"},
    {W_6A, 2, S_NONE, "arat"},
    {W_7B, 0, S_NONE, "fsgsbase"},
    {W_7B, 1, S_NONE, "tsc_adjust"},
    {W_7B, 3, S_NONE, "bmi1"},
    {W_7B, 4, S_NONE, "hle"},
    {W_7B, 5, S_AVX, "avx2"},
    {W_7B, 6, S_NONE, "fdp_excptn_only"},
    {W_7B, 7, S_NONE, "smep"},
    {W_7B, 8, S_NONE, "bmi2"},
    {W_7B, 9, S_NONE, "erms"},
    {W_7B, 10, S_NONE, "invpcid"},
    {W_7B, 11, S_NONE, "rtm"},
    {W_7B, 13, S_NONE, "zero_fcs_fds"},
    {W_7B, 16, S_512, "avx512f"},
    {W_7B, 17, S_512, "avx512dq"},
    {W_7B, 18, S_NONE, "rdseed"},
    {W_7B, 19, S_NONE, "adx"},
    {W_7B, 20, S_NONE, "smap"},
    {W_7B, 21, S_512, "avx512ifma"},
    {W_7B, 23, S_NONE, "clflushopt"},
    {W_7B, 24, S_NONE, "clwb"},
    {W_7B, 26, S_512, "avx512pf"},
    {W_7B, 27, S_512, "avx512er"},
    {W_7B, 28, S_512, "avx512cd"},
    {W_7B, 29, S_NONE, "sha_ni"},
    {W_7B, 30, S_512, "avx512bw"},
    {W_7B, 31, S_512, "avx512vl"},
    {W_7C, 0, S_NONE, "prefetchwt1"},
    {W_7C, 1, S_512, "avx512vbmi"},
    {W_7C, 2, S_NONE, "umip"},
    {W_7C, 5, S_NONE, "waitpkg"},
    {W_7C, 6, S_512, "avx512_vbmi2"},
    {W_7C, 8, S_NONE, "gfni"},
    {W_7C, 9, S_AVX, "vaes"},
    {W_7C, 10, S_AVX, "vpclmulqdq"},
    {W_7C, 11, S_512, "avx512_vnni"},
    {W_7C, 12, S_512, "avx512_bitalg"},
    {W_7C, 14, S_512, "avx512_vpopcntdq"},
    {W_7C, 22, S_NONE, "rdpid"},
    {W_7C, 25, S_NONE, "cldemote"},
    {W_7C, 27, S_NONE, "movdiri"},
    {W_7C, 28, S_NONE, "movdir64b"},
    {W_7D, 2, S_512, "avx512_4vnniw"},
    {W_7D, 3, S_512, "avx512_4fmaps"},
    {W_7D, 4, S_NONE, "fsrm"},
    {W_7D, 8, S_512, "avx512_vp2intersect"},
    {W_7D, 10, S_NONE, "md_clear"},
    {W_7D, 11, S_NONE, "rtm_always_abort"},
    {W_7D, 14, S_NONE, "serialize"},
    {W_7D, 16, S_NONE, "tsxldtrk"},
    {W_7D, 23, S_512, "avx512_fp16"},
    {W_71A, 0, S_AVX, "sha512"},
    {W_71A, 1, S_AVX, "sm3"},
    {W_71A, 2, S_AVX, "sm4"},
    {W_71A, 3, S_NONE, "rao_int"},
    {W_71A, 4, S_AVX, "avx_vnni"},
    {W_71A, 5, S_512, "avx512_bf16"},
    {W_71A, 7, S_NONE, "cmpccxadd"},
    {W_71A, 10, S_NONE, "fzrm"},
    {W_71A, 11, S_NONE, "fsrs"},
    {W_71A, 12, S_NONE, "fsrc"},
    {W_71A, 23, S_AVX, "avx_ifma"},
    {W_71A, 31, S_NONE, "movrs"},
    {W_71D, 4, S_AVX, "avx_vnni_int8"},
    {W_71D, 5, S_AVX, "avx_ne_convert"},
    {W_71D, 10, S_AVX, "avx_vnni_int16"},
    {W_71D, 14, S_NONE, "prefetchi"},
    {W_DA, 0, S_XSAVE, "xsaveopt"},
    {W_DA, 1, S_XSAVE, "xsavec"},
    {W_DA, 2, S_XSAVE, "xgetbv1"},
    {W_DA, 3, S_XSAVE, "xsaves"},
    {W_X1C, 0, S_NONE, "lahf_lm"},
    {W_X1C, 1, S_NONE, "cmp_legacy"},
    {W_X1C, 4, S_NONE, "cr8_legacy"},
    {W_X1C, 5, S_NONE, "abm"},
    {W_X1C, 6, S_NONE, "sse4a"},
    {W_X1C, 7, S_NONE, "misalignsse"},
    {W_X1C, 8, S_NONE, "3dnowprefetch"},
    {W_X1C, 11, S_AVX, "xop"},
    {W_X1C, 16, S_AVX, "fma4"},
    {W_X1C, 21, S_NONE, "tbm"},
    {W_X1C, 22, S_NONE, "topoext"},
    {W_X1D, 11, S_NONE, "syscall"},
    {W_X1D, 20, S_NONE, "nx"},
    {W_X1D, 22, S_NONE, "mmxext"},
    {W_X1D, 25, S_NONE, "fxsr_opt"},
    {W_X1D, 26, S_NONE, "pdpe1gb"},
    {W_X1D, 27, S_NONE, "rdtscp"},
    {W_X1D, 29, S_NONE, "lm"},
    {W_X1D, 30, S_NONE, "3dnowext"},
    {W_X1D, 31, S_NONE, "3dnow"},
    {W_X7D, 8, S_NONE, "constant_tsc"},
    {W_X8B, 0, S_NONE, "clzero"},
    {W_X8B, 2, S_XSAVE, "xsaveerptr"},
    {W_X8B, 9, S_NONE, "wbnoinvd"},
    {W_X1AA, 0, S_NONE, "fp128"},
    {W_X1AA, 1, S_NONE, "movu"},
    {W_X1AA, 2, S_NONE, "fp256"},
    {W_X21A, 0, S_NONE, "no_nested_data_bp"},
    {W_X21A, 2, S_NONE, "lfence_rdtsc"},
    {W_X21A, 6, S_NONE, "null_sel_clr_base"},
    {W_X21A, 10, S_NONE, "amd_fsrs"},
    {W_X21A, 11, S_NONE, "amd_fsrc"},
    {W_X21A, 20, S_NONE, "amd_prefetchi"},
};

/*
 * Registers that hold numbers and text. The numbers of the CPU that was asked (its APIC ids) are
 * not among them: a vCPU runs on any, so that each says that it is the first.
 */
#define ALL 0xffffffffU
#define LIST_MAX 8U /* subleaves of a list */
static const struct value {
    uint32_t function, regs[4], subleaves;
} values[] = {
    {0, {ALL, ALL, ALL, ALL}, 1},                /* the last leaf, the vendor */
    {1, {ALL, 0x00ffffff, 0, 0}, 1},             /* family, model, stepping */
    {2, {ALL, ALL, ALL, ALL}, 1},                /* caches */
    {4, {ALL, ALL, ALL, 7}, LIST_MAX},           /* caches */
    {7, {ALL, 0, 0, 0}, 1},                      /* the last subleaf */
    {0xb, {0x1f, 0xffff, 0xffff, 0}, LIST_MAX},  /* topology */
    {0x15, {ALL, ALL, ALL, 0}, 1},               /* clocks */
    {0x16, {0xffff, 0xffff, 0xffff, 0}, 1},      /* clocks */
    {0x1f, {0x1f, 0xffff, 0xffff, 0}, LIST_MAX}, /* topology */
    {0x40000000, {ALL, ALL, ALL, ALL}, 1},       /* the hypervisor's name */
    {0x80000000, {ALL, ALL, ALL, ALL}, 1},       /* the last leaf, the vendor */
    {0x80000001, {ALL, ALL, 0, 0x183f3ff}, 1},   /* as leaf 1; AMD repeats its EDX */
    {0x80000002, {ALL, ALL, ALL, ALL}, 1},       /* the brand, in three leaves */
    {0x80000003, {ALL, ALL, ALL, ALL}, 1},
    {0x80000004, {ALL, ALL, ALL, ALL}, 1},
    {0x80000005, {ALL, ALL, ALL, ALL}, 1},             /* caches */
    {0x80000006, {ALL, ALL, ALL, ALL}, 1},             /* caches */
    {0x80000008, {0xffffff, 0, 0xf0ff, 0}, 1},         /* widths of addresses, number of threads */
    {0x8000001d, {ALL, ALL, ALL, 3}, LIST_MAX},        /* caches */
    {0x8000001e, {0, 0xff00, 0x700, 0}, 1},            /* topology */
    {0x80000026, {0x1f, 0xffff, 0xffff, 0}, LIST_MAX}, /* topology */
};

/* KVM's: leaves that it looks up with their subleaf. */
static bool has_subleaves(uint32_t function)
{
    return function == 4 || function == 7 || function == 0xb || function == 0xd ||
           function == 0x1f || function == 0x8000001d || function == 0x80000026;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *entry, unsigned reg)
{
    uint32_t *const regs[] = {&entry->eax, &entry->ebx, &entry->ecx, &entry->edx};

    return regs[reg];
}

const struct kvm_cpuid_entry2 *cpuid_find(const struct cpuid_table *table, uint32_t function,
                                          uint32_t index)
{
    for (uint32_t i = 0; i < table->head.nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &table->entries[i];

        if (entry->function == function &&
            (entry->index == index || !(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))) {
            return entry;
        }
    }
    return NULL;
}

/* ---- state ---- */

static const uint32_t component_sizes[] = {[2] = 256, [5] = 64, [6] = 512, [7] = 1024};

static bool component_fits(const struct cpuid_table *table, uint32_t i)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(table, 0xd, i);

    return entry && entry->index == i && entry->eax == component_sizes[i] && !(entry->ecx & 1) &&
           entry->ebx >= XSAVE_BASE && entry->ebx <= XSAVE_MAX - entry->eax;
}

static bool offers(const struct cpuid_table *table, enum word word, unsigned bit)
{
    const struct kvm_cpuid_entry2 *entry =
        cpuid_find(table, words[word].function, words[word].index);
    struct kvm_cpuid_entry2 copy;

    if (!entry || entry->index != words[word].index) {
        return false;
    }
    copy = *entry;
    return *reg_of(&copy, words[word].reg) & 1U << bit;
}

/* The components that a payload gets: whole, with the instructions that work on them, or none. */
static uint64_t choose_state(const struct cpuid_table *table, uint64_t xcr0)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(table, 0xd, 0);
    uint64_t state = entry ? entry->eax & xcr0 & XFEATURES : 0;

    for (uint32_t i = 2; i < ARRAY_LEN(component_sizes); i++) {
        if (component_sizes[i] && !component_fits(table, i)) {
            state &= ~(1UL << i);
        }
    }
    if ((state & S_XSAVE) != S_XSAVE || !offers(table, W_1C, 26)) {
        return 0;
    }
    if ((state & S_AVX) != S_AVX || !offers(table, W_1C, 28)) {
        return S_XSAVE;
    }
    return (state & S_512) != S_512 || !offers(table, W_7B, 16) ? S_AVX : S_512;
}

/* Bytes of an image of this state: in standard form, or compact. */
static uint32_t image_size(const struct cpuid_table *table, uint64_t state, bool compact)
{
    uint32_t size = XSAVE_BASE;

    for (uint32_t i = 2; i < ARRAY_LEN(component_sizes); i++) {
        const struct kvm_cpuid_entry2 *entry = state & 1UL << i ? cpuid_find(table, 0xd, i) : NULL;

        if (entry && compact) {
            size = (uint32_t)(entry->ecx & 2 ? ROUND_UP(size, 64) : size) + entry->eax;
        } else if (entry && entry->ebx + entry->eax > size) {
            size = entry->ebx + entry->eax;
        }
    }
    return size;
}

/* What a payload gets of XSAVE. */
struct state {
    uint64_t components;
    uint32_t standard, compact; /* bytes of an image */
};

/* Leaf 0xd tells of this state, and of its size in accord. False: not of this subleaf. */
static bool show_state(struct kvm_cpuid_entry2 *entry, const struct state *state)
{
    if (entry->index == 0) {
        entry->eax = (uint32_t)state->components;
        entry->ebx = entry->ecx = state->standard;
    } else if (entry->index == 1) { /* XSAVEC or XSAVES */
        entry->ebx = entry->eax & 0xa ? state->compact : 0;
        entry->ecx = 0;
    } else {
        entry->ecx &= 2;
    }
    entry->edx = 0;
    return state->components &&
           (entry->index < 2 || (entry->index < 32 && state->components & 1UL << entry->index));
}

/* ---- all leaves ---- */

/* The features whose state a payload has. */
static void allow_features(uint32_t allowed[WORDS], uint64_t state)
{
    memset(allowed, 0, WORDS * sizeof(*allowed));
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        if (!(features[i].state & ~state)) {
            allowed[features[i].word] |= 1U << features[i].bit;
        }
    }
}

/* Clear what is not for payloads. False: nothing of this entry is. */
static bool mask_entry(struct kvm_cpuid_entry2 *entry, const uint32_t allowed[WORDS])
{
    uint32_t masks[4] = {0};
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (values[i].function == entry->function && entry->index < values[i].subleaves) {
            memcpy(masks, values[i].regs, sizeof(masks));
            known = true;
        }
    }
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i].function == entry->function && words[i].index == entry->index) {
            masks[words[i].reg] |= allowed[i];
            known = true;
        }
    }
    for (unsigned reg = EAX; reg <= EDX; reg++) {
        *reg_of(entry, reg) &= masks[reg];
    }
    return known;
}

static void limit(uint32_t *value, uint32_t most)
{
    *value = *value < most ? *value : most;
}

/* Numbers that say how much more there is, and how wide an address is. */
static void limit_values(struct kvm_cpuid_entry2 *entry)
{
    uint32_t physical = entry->eax & 0xff;

    switch (entry->function) {
    case 0:
        limit(&entry->eax, 0x1f);
        break;
    case 7:
        limit(&entry->eax, 1);
        break;
    case 0x40000000:
        entry->eax = entry->function;
        break;
    case 0x80000000:
        limit(&entry->eax, 0x80000026);
        break;
    case 0x80000008: /* no LA57: KVM takes 48 and 57 */
        limit(&physical, 52);
        entry->eax = (entry->eax & 0xff0000) | 48U << 8 | physical;
        break;
    default:
        break;
    }
}

/* Make of an entry what a payload may see. False: nothing. */
static bool filter_entry(struct kvm_cpuid_entry2 *entry, const uint32_t allowed[WORDS],
                         const struct state *state)
{
    if (has_subleaves(entry->function)) {
        entry->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    }
    if (entry->function == 0xd) {
        entry->eax &= entry->index == 1 ? allowed[W_DA] : ALL;
        return show_state(entry, state);
    }
    if (!mask_entry(entry, allowed)) {
        return false;
    }
    if (!entry->index) {
        limit_values(entry);
    }
    return true;
}

void cpuid_filter(struct cpuid_table *table, uint64_t xcr0)
{
    struct state state = {.components = choose_state(table, xcr0)};
    uint32_t allowed[WORDS], kept = 0;

    state.standard = image_size(table, state.components, false);
    state.compact = image_size(table, state.components, true);
    allow_features(allowed, state.components);
    for (uint32_t i = 0; i < table->head.nent && kept < CPUID_TAKEN; i++) {
        struct kvm_cpuid_entry2 entry = table->entries[i];

        if (filter_entry(&entry, allowed, &state)) {
            table->entries[kept++] = entry;
        }
    }
    table->head.nent = kept;
}

/* ---- names ---- */

void cpuid_features(const struct cpuid_table *table, uint32_t set[CPUID_WORDS])
{
    memset(set, 0, CPUID_WORDS * sizeof(*set));
    for (size_t i = 0; i < ARRAY_LEN(features); i++) {
        if (offers(table, features[i].word, features[i].bit)) {
            set[features[i].word] |= 1U << features[i].bit;
        }
    }
}

void cpuid_feature_names(const uint32_t set[CPUID_WORDS], char *text, size_t size)
{
    size_t used = 0;

    *text = 0;
    for (size_t i = 0; i < ARRAY_LEN(features) && used < size; i++) {
        if (set[features[i].word] & 1U << features[i].bit) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
                                     features[i].name);
        }
    }
}
