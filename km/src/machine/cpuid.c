// SPDX-License-Identifier: Apache-2.0
/*
 * cpuid.c: the CPU that every vCPU sees: the answers of the guest's CPUID instruction, and the
 * state that KVM keeps.
 *
 * On hardware the instruction answers as km told KVM. On PVM the payload has the host's features
 * whatever KVM says, and the instruction answers by itself, unless the CPU can let it fault: then
 * KVM answers there too, with zeros for the rest.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <cpuid.h>
#include <errno.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE 2UL /* not RING3MWAIT: MONITOR and MWAIT are the host's */

static struct cpuid_table table; /* leaf 0xd alone: the instruction answers by itself */

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

#define WIDTHS_LEAF 0x80000008 /* EAX: bits of addresses, and those that a guest can use */
#define WIDTH_UNKNOWN 36       /* as KVM has it: cpuid_query_maxphyaddr() in the kernel */
#define WIDTH_SOFTWARE 46      /* KVM's tables for the CPU are its own: any is good */

/* What KVM wants to know where the instruction answers by itself: what XSAVE saves, UMIP, and how
 * wide addresses are. */
static void list_for_kvm(void)
{
    unsigned eax, ebx, ecx = 0, edx;
    bool fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;

    (void)__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
    table.head.nent = 4;
    table.entries[0] = (struct kvm_cpuid_entry2){.function = 7,
                                                 .ebx = fsgsbase,
                                                 .ecx = ecx & 1U << 2,
                                                 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
    table.entries[1] = (struct kvm_cpuid_entry2){
        .function = 0xd, .eax = XFEATURES, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
    table.entries[2] = (struct kvm_cpuid_entry2){.function = 0x80000000, .eax = WIDTHS_LEAF};
    table.entries[3] =
        (struct kvm_cpuid_entry2){.function = WIDTHS_LEAF, .eax = 48U << 8 | WIDTH_SOFTWARE};
}

/* The guest's page tables want the bit that forbids execution, which a firmware may hide. */
static void want_nx(void)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(&table, 0x80000001, 0);

    if (!entry || !(entry->edx & 1U << 20)) {
        die(STATUS_FAILED,
            "enable it in the firmware, where it is called NX, XD, EVP or execute disable",
            "this CPU does not offer the no-execute bit");
    }
}

struct kvm_cpuid2 *cpuid_read(const struct vm *vm)
{
    if (vm->hardware) {
        table.head.nent = ARRAY_LEN(table.entries);
        if (kvm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, &table) < 0) {
            die(STATUS_FAILED, FIX_KVM, "KVM_GET_SUPPORTED_CPUID failed: %m");
        }
        cpuid_filter(&table, UINT64_MAX); /* KVM offers what is enabled */
        xsave_take(&table);
        want_nx();
    } else if (can_fault()) {
        cpuid_read_host(&table);
        xsave_take(&table);
        want_nx();
    } else {
        list_for_kvm();
    }
    return &table.head;
}

uint64_t cpuid_gpa_end(void)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(&table, WIDTHS_LEAF, 0);
    uint32_t width = entry ? entry->eax & 0xff : WIDTH_UNKNOWN;
    uint32_t usable = entry ? entry->eax >> 16 & 0xff : 0;

    return 1UL << (usable && usable < width ? usable : width);
}

uint64_t cpuid_hwcap(void)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(&table, 1, 0);

    return getauxval(AT_HWCAP) & (entry ? entry->edx : UINT32_MAX);
}

uint64_t cpuid_hwcap2(void)
{
    const struct kvm_cpuid_entry2 *entry = cpuid_find(&table, 7, 0);

    return !entry || entry->ebx & 1 ? getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE : 0;
}
