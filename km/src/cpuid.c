// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid.c: what the CPU can do, and what the guest's CPUID instruction answers.
 *
 * On hardware it answers what KVM was told. On PVM the payload has the host's features whatever KVM
 * says, and the instruction answers by itself, unless the CPU can let it fault: then KVM answers
 * there too, with zeros for what it was not told.
 */
#include "km.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <cpuid.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[256];
} cpuid;

bool cpuid_has_virtualization(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & (1U << 5)) { /* VMX */
        return true;
    }
    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & (1U << 2); /* SVM */
}

/* Whether the host can make CPUID fault outside its kernel: enabling what is enabled tells. */
static bool can_fault(void)
{
    return syscall(__NR_arch_prctl, ARCH_SET_CPUID, 1) == 0 || errno != ENODEV;
}

static struct kvm_cpuid_entry2 *add(uint32_t function, uint32_t index, bool indexed)
{
    struct kvm_cpuid_entry2 *entry = &cpuid.entries[cpuid.head.nent++];

    *entry = (struct kvm_cpuid_entry2){
        .function = function,
        .index = index,
        .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
    };
    __cpuid_count(function, index, entry->eax, entry->ebx, entry->ecx, entry->edx);
    return entry;
}

/* Subleaves from 0 on, up to the first whose type, in `mask` of ECX or EAX, is zero. */
static void add_list(uint32_t function, uint32_t mask_eax, uint32_t mask_ecx)
{
    const struct kvm_cpuid_entry2 *entry;
    uint32_t index = 0;

    do {
        entry = add(function, index++, true);
    } while (index < 16 && (entry->eax & mask_eax || entry->ecx & mask_ecx));
}

static void add_xsave(void)
{
    uint32_t features = add(0xd, 0, true)->eax;

    (void)add(0xd, 1, true);
    for (uint32_t i = 2; i < 32; i++) {
        if (features & 1U << i) {
            (void)add(0xd, i, true);
        }
    }
}

/* One function with its subleaves; which have some: Intel's and AMD's manuals of CPUID. */
static void add_function(uint32_t function)
{
    switch (function) {
    case 4: /* caches */
    case 0x8000001d:
        add_list(function, 0x1f, 0);
        break;
    case 0xb: /* topology */
    case 0x1f:
    case 0x80000026:
        add_list(function, 0, 0xff00);
        break;
    case 7:
        for (uint32_t i = 0, last = add(7, 0, true)->eax; i < last && i < 8; i++) {
            (void)add(7, i + 1, true);
        }
        break;
    case 0xd:
        add_xsave();
        break;
    default:
        (void)add(function, 0, false);
    }
}

/*
 * Each CPUID takes microseconds where a hypervisor is below this host: so only the functions that
 * describe what a program may use, not those for kernels and performance counters.
 */
static void read_host(void)
{
    static const uint32_t functions[] = {
        0,          1,          2,          4,          6,          7,          0xb,
        0xd,        0x15,       0x16,       0x19,       0x1f,       0x80000000, 0x80000001,
        0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006, 0x80000007, 0x80000008,
        0x8000001d, 0x8000001e, 0x80000021, 0x80000026};
    uint32_t last = 0;

    cpuid.head.nent = 0;
    for (unsigned i = 0; i < ARRAY_LEN(functions); i++) {
        if (!(functions[i] & 0x7fffffffU)) { /* the first of its range names the last */
            last = add(functions[i], 0, false)->eax;
        } else if (functions[i] <= last) {
            add_function(functions[i]);
        }
    }
}

struct kvm_cpuid2 *cpuid_read(const struct vm *vm)
{
    if (vm->hardware) {
        cpuid.head.nent = ARRAY_LEN(cpuid.entries);
        if (kvm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0) {
            die(STATUS_FAILED, FIX_KVM, "KVM_GET_SUPPORTED_CPUID failed: %m");
        }
    } else if (can_fault()) {
        read_host();
    } else { /* KVM wants to know of leaf 0xd alone, what XSAVE saves */
        cpuid.head.nent = 1;
        cpuid.entries[0] = (struct kvm_cpuid_entry2){
            .function = 0xd, .eax = XFEATURES, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
    }
    for (unsigned i = 0; i < cpuid.head.nent; i++) {
        if (cpuid.entries[i].function == 7 && cpuid.entries[i].index == 0) {
            cpuid.entries[i].ecx &= ~(1U << 3); /* PKU: CR4.PKE stays clear */
        }
    }
    return &cpuid.head;
}
