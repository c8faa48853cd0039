// SPDX-License-Identifier: Apache-2.0
/*
 * kvm.c: the VM, its memslots and vCPUs, and the descriptors that they need.
 */
#include "km.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIX_KVM "run `kontain check`, which says what is wrong with KVM on this host"
#define PAYLOAD_GPA (4UL << 30) /* above all that Intel's KVM wants for itself below 4 GiB */
#define TSS_GPA 0xfffbd000UL    /* KVM_SET_TSS_ADDR: three pages that Intel's KVM may need */

/* ---- descriptors that the payload must not see ---- */

#define HIDDEN_MAX 4096
static int hidden[HIDDEN_MAX];
static size_t hidden_count;

bool fd_is_hidden(uint64_t fd)
{
    for (size_t i = 0; i < hidden_count; i++) {
        if (hidden[i] == (int)fd) {
            return true;
        }
    }
    return false;
}

uint64_t fd_next_hidden(uint64_t fd)
{
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; i < hidden_count; i++) {
        uint64_t candidate = (uint64_t)hidden[i];

        lowest = candidate >= fd && candidate < lowest ? candidate : lowest;
    }
    return lowest;
}

int fd_hide(int fd)
{
    static int lowest;
    struct rlimit limit;
    int moved;

    if (!lowest) { /* high, but not so high that the kernel's table of descriptors gets large */
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        lowest = limit.rlim_cur > 1024 ? 1024 - 64 : (int)limit.rlim_cur * 3 / 4;
    }
    moved = fcntl(fd, F_DUPFD_CLOEXEC, lowest);
    if (moved < 0 || hidden_count == HIDDEN_MAX) {
        die(STATUS_FAILED, "raise the limit on open files (ulimit -n)",
            "no free descriptor for the VM: %m");
    }
    (void)close(fd);
    hidden[hidden_count++] = moved;
    return moved;
}

/* ---- the VM ---- */

static int open_kvm(void)
{
    int fd = options.kvm_fd >= 0 ? options.kvm_fd : open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
        die(STATUS_FAILED, FIX_KVM, "this host has no usable KVM: cannot open /dev/kvm: %m");
    }
    if (fd < 0) {
        die(STATUS_FAILED, FIX_KVM, "this user cannot use KVM: cannot open /dev/kvm: %m");
    }
    return fd_hide(fd);
}

/* Whether the CPU itself can run VMs. Without that it is KVM in software (PVM), see cpu.c. */
static bool cpu_has_virtualization(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & (1U << 5)) { /* VMX */
        return true;
    }
    return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & (1U << 2); /* SVM */
}

/* What the guest's CPUID instruction answers: all that KVM supports, less what needs the monitor.
 */
static void vm_read_cpuid(struct vm *vm)
{
    static struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[256];
    } cpuid;

    cpuid.head.nent = ARRAY_LEN(cpuid.entries);
    if (kvm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, &cpuid) < 0) {
        die(STATUS_FAILED, FIX_KVM, "KVM_GET_SUPPORTED_CPUID failed: %m");
    }
    for (unsigned i = 0; i < cpuid.head.nent; i++) {
        if (cpuid.entries[i].function == 7 && cpuid.entries[i].index == 0) {
            cpuid.entries[i].ecx &= ~(1U << 3); /* PKU: CR4.PKE stays clear */
        }
    }
    vm->cpuid = &cpuid.head;
}

void vm_create(struct vm *vm)
{
    vm->kvm_fd = open_kvm();
    vm->hardware = cpu_has_virtualization();
    vm->next_gpa = PAYLOAD_GPA;
    vm->vm_fd = kvm_ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
    if (vm->vm_fd < 0) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no virtual machine: %m");
    }
    vm->vm_fd = fd_hide(vm->vm_fd);
    vm->run_size = (size_t)kvm_ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vm->hardware) {
        (void)kvm_ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA); /* AMD's KVM does not know it */
        vm_read_cpuid(vm);
    }
}

int vm_add_memslot(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t hva, uint32_t flags)
{
    struct kvm_userspace_memory_region region = {
        .slot = vm->slot_count,
        .flags = flags,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = hva,
    };

    if (kvm_ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        return -errno;
    }
    vm->slot_count++;
    return 0;
}

/* ---- vCPUs ---- */

static void *map_at(uint64_t where, size_t size, int flags, int fd)
{
    void *p = mmap((void *)where, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, fd, 0);

    if (p != (void *)where) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)",
            "no memory for a vCPU: %m");
    }
    return p;
}

struct vcpu *vcpu_create(struct vm *vm, unsigned id)
{
    static struct vcpu vcpus[1];
    struct vcpu *vcpu = &vcpus[id];

    vcpu->vm = vm;
    vcpu->id = id;
    vcpu->fd = kvm_ioctl(vm->vm_fd, KVM_CREATE_VCPU, id);
    if (vcpu->fd < 0) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no vCPU number %u: %m", id);
    }
    vcpu->fd = fd_hide(vcpu->fd);
    vcpu->run = map_at(RUN_HVA + id * ROUND_UP(vm->run_size, PAGE_SIZE), vm->run_size, MAP_SHARED,
                       vcpu->fd);
    vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
    vcpu->regs = &vcpu->run->s.regs.regs;
    vcpu->scratch =
        map_at(SCRATCH_HVA + id * SCRATCH_SIZE, SCRATCH_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    cpu_init(vcpu);
    return vcpu;
}
