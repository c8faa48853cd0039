// SPDX-License-Identifier: Apache-2.0
/*
 * kvm.c: the VM, its memslots and vCPUs.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PAYLOAD_GPA (4UL << 30) /* above all that Intel's KVM wants for itself below 4 GiB */
#define TSS_GPA 0xfffbd000UL    /* KVM_SET_TSS_ADDR: three pages that Intel's KVM may need */

#define FIX_DESCRIPTORS "raise the limit on open files (ulimit -n)"
/* One of KVM's calls that make a descriptor. A signal that waits ends KVM_CREATE_VM (the kernel's
 * mm_take_all_locks), and SIGSTOP waits whatever the mask is: it stops the process on the way out.
 */
static int kvm_make(int fd, unsigned long request, unsigned long arg)
{
    int made;

    do {
        made = kvm_ioctl(fd, request, arg);
    } while (made < 0 && errno == EINTR);
    return made;
}

/* The same, hidden, whatever the payload's limit on descriptors is; or -1. */
static int fd_make(int fd, unsigned long request, unsigned long arg)
{
    int made = kvm_make(fd, request, arg);
    uint64_t old = made < 0 && errno == EMFILE ? fd_raise_limit() : 0;

    if (old) {
        made = kvm_make(fd, request, arg);
        fd_lower_limit(old);
    }
    return made < 0 ? -1 : fd_hide(made);
}

/* ---- the VM ---- */

static int open_kvm(void)
{
    int fd;

    hooks.step("open");
    fd = options.kvm_fd >= 0 ? options.kvm_fd : open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
        die(STATUS_FAILED, FIX_KVM, "this host has no usable KVM: cannot open /dev/kvm: %m");
    }
    if (fd < 0) {
        die(STATUS_FAILED, FIX_KVM, "this user cannot use KVM: cannot open /dev/kvm: %m");
    }
    hooks.step("KVM_GET_API_VERSION");
    if (kvm_ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
        die(STATUS_FAILED, FIX_KVM, "%s %d is not KVM of API version %d (KVM_GET_API_VERSION): %m",
            options.kvm_fd >= 0 ? "the descriptor" : "/dev/kvm, opened as descriptor", fd,
            KVM_API_VERSION);
    }
    fd = fd_hide(fd);
    if (fd < 0) {
        die(STATUS_FAILED, FIX_DESCRIPTORS, "no free descriptor for KVM: %m");
    }
    return fd;
}

/* What km cannot do without, and since when Linux has it. */
static void want_capabilities(struct vm *vm)
{
    static const struct {
        int number;
        const char *name, *since;
    } wanted[] = {
        {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "2.6.25"},
        {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "4.13"},
        {KVM_CAP_XSAVE, "KVM_CAP_XSAVE", "2.6.36"},
    };
    const int shared = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
    struct utsname host;
    int has;

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (kvm_ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, wanted[i].number) <= 0) {
            (void)uname(&host);
            die(STATUS_FAILED, "boot a newer kernel",
                "KVM has no %s: found Linux %s, wanted %s or newer", wanted[i].name, host.release,
                wanted[i].since);
        }
    }
    has = kvm_ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);
    vm->shares_registers = has > 0 && (has & shared) == shared;
    vm->shared_at_exit = !vm->shares_registers ? 0
                         : vm->hardware        ? KVM_SYNC_X86_REGS /* the others are slow to read */
                                               : (uint64_t)shared;
}

static void vm_open(struct vm *vm)
{
    vm->vm_fd = fd_make(vm->kvm_fd, KVM_CREATE_VM, 0);
    if (vm->vm_fd < 0) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no virtual machine (KVM_CREATE_VM): %m");
    }
    vm->has_run = false;
    if (vm->hardware) {
        (void)kvm_ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA); /* AMD's KVM does not know it */
    }
}

void vm_create(struct vm *vm)
{
    vm->kvm_fd = open_kvm();
    vm->hardware = cpuid_has_virtualization();
    vm->next_gpa = PAYLOAD_GPA;
    hooks.step("KVM_CHECK_EXTENSION");
    want_capabilities(vm);
    hooks.step("KVM_GET_VCPU_MMAP_SIZE");
    vm->run_size = (size_t)kvm_ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if ((ssize_t)vm->run_size < (ssize_t)sizeof(struct kvm_run)) {
        die(STATUS_FAILED, FIX_KVM,
            "KVM_GET_VCPU_MMAP_SIZE failed: found %zd bytes, wanted %zu: %m", (ssize_t)vm->run_size,
            sizeof(struct kvm_run));
    }
    hooks.step("KVM_CREATE_VM");
    vm_open(vm);
    hooks.step(vm->hardware ? "KVM_GET_SUPPORTED_CPUID" : "CPUID");
    vm->cpuid = cpuid_read(vm);
    vm->gpa_end = cpuid_gpa_end();
    hooks.step("KVM_SET_USER_MEMORY_REGION");
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

static struct vcpu *vcpus;
static unsigned vcpu_count;
static struct vcpu *parked;

/* Map the monitor's own memory at `where`; what may stand there is an older mapping of the same. */
static bool map_at(uint64_t where, size_t size, int flags, int fd)
{
    void *p = mmap((void *)where, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

    return p == (void *)where;
}

/* Where a vCPU stands that was never set up, as no other of this VM does: the reset vector. */
#define RESET_CS_BASE 0xffff0000

/* Whether a descriptor is a vCPU that was just made, and not what another thread put there. */
static bool is_new_vcpu(int fd, struct kvm_sregs *sregs)
{
    return kvm_ioctl(fd, KVM_GET_SREGS, sregs) == 0 && sregs->cs.base == RESET_CS_BASE;
}

/* Let KVM make the vCPU that `vcpu` describes. */
static bool vcpu_open(struct vm *vm, struct vcpu *vcpu)
{
    struct kvm_sregs sregs;

    hooks.step("KVM_CREATE_VCPU");
    vcpu->fd = fd_make(vm->vm_fd, KVM_CREATE_VCPU, vcpu->id);
    if (vcpu->fd < 0) {
        return false;
    }
    if (!is_new_vcpu(vcpu->fd, &sregs) ||
        !map_at((uint64_t)vcpu->run, vm->run_size, MAP_SHARED, vcpu->fd)) {
        fd_close_hidden(vcpu->fd);
        vcpu->fd = -1;
        return false;
    }
    if (madvise(vcpu->run, vm->run_size, MADV_DONTFORK) < 0) { /* the child maps its own */
        die(STATUS_FAILED, "boot a kernel that has CONFIG_ADVISE_SYSCALLS",
            "the host keeps no memory from a child (MADV_DONTFORK): %m");
    }
    seal_memory((uint64_t)vcpu->run, vm->run_size);
    vcpu->run->kvm_valid_regs = vm->shared_at_exit;
    vcpu->holds_back = false;
    cpu_init(vcpu, sregs);
    return true;
}

static struct vcpu *vcpu_new(struct vm *vm)
{
    unsigned id = vcpu_count;
    struct vcpu *vcpu;

    if (!id && !map_at(places.vcpus, VCPUS_MAX * sizeof(*vcpus),
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1)) {
        return NULL;
    }
    if (id == VCPUS_MAX || !map_at(places.scratch + id * SCRATCH_SIZE, SCRATCH_SIZE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1)) {
        errno = EAGAIN;
        return NULL;
    }
    if (!id) {
        vcpus = (struct vcpu *)places.vcpus;
        seal_memory(places.vcpus, ROUND_UP(VCPUS_MAX * sizeof(*vcpu), PAGE_SIZE));
    }
    seal_memory(places.scratch + id * SCRATCH_SIZE, SCRATCH_SIZE);
    vcpu = &vcpus[id];
    vcpu->vm = vm;
    vcpu->id = id;
    vcpu->fd = -1;
    vcpu->run = (struct kvm_run *)(places.runs + id * ROUND_UP(vm->run_size, PAGE_SIZE));
    vcpu->regs = &vcpu->run->s.regs.regs;
    vcpu->scratch = (unsigned char *)places.scratch + id * SCRATCH_SIZE;
    vcpu_count++;
    return vcpu;
}

struct vcpu *vcpu_acquire(struct vm *vm)
{
    struct vcpu *vcpu = parked;

    if (vcpu) {
        parked = vcpu->next_free;
    } else {
        vcpu = vcpu_new(vm);
    }
    if (vcpu && vcpu->fd < 0 && !vcpu_open(vm, vcpu)) {
        vcpu_release(vcpu);
        return NULL;
    }
    if (vcpu) {
        hooks.vcpu_acquired(vcpu);
    }
    return vcpu;
}

void vcpu_release(struct vcpu *vcpu)
{
    vcpu->next_free = parked;
    parked = vcpu;
}

bool vcpu_hold_back(const struct vcpu *vcpu, const uint64_t *mask)
{
    struct {
        struct kvm_signal_mask head;
        uint8_t set[sizeof(*mask)];
    } of_kvm = {.head.len = sizeof(*mask)};

    if (mask) {
        memcpy(of_kvm.head.sigset, mask, sizeof(*mask));
    }
    return kvm_ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, mask ? &of_kvm : NULL) == 0;
}

/* Whether the payload's limit on address space leaves room for a vCPU's kvm_run. */
static bool has_room(const struct vm *vm)
{
    struct rlimit limit;
    void *room;

    if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    room = mmap(NULL, vm->run_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, vm->run_size) == 0;
}

bool vm_can_restore(const struct vm *vm)
{
    struct rlimit limit;
    uint64_t old = fd_raise_limit(); /* as vm_restore() does */
    /* of nothing that another thread must not have by their numbers */
    int one = open("/", O_PATH | O_CLOEXEC), two = open("/", O_PATH | O_CLOEXEC);
    bool free = two >= 0;

    fd_lower_limit(old);
    if (one >= 0) {
        (void)close(one);
    }
    if (two >= 0) {
        (void)close(two);
    }
    if (!has_room(vm)) {
        return false;
    }
    return free || (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > (rlim_t)vm->vm_fd);
}

/* Let a vCPU run, for no instruction. */
static bool can_run(int vcpu_fd, size_t run_size)
{
    struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_fd, 0);
    bool can = true;

    if (run != MAP_FAILED) {
        run->immediate_exit = 1;
        can = kvm_ioctl(vcpu_fd, KVM_RUN, 0) == 0 || errno != EINVAL;
        (void)munmap(run, run_size);
    }
    return can;
}

bool vm_can_run(const struct vm *vm)
{
    uint64_t old = fd_raise_limit();
    int made = kvm_make(vm->kvm_fd, KVM_CREATE_VM, 0);
    int vcpu_fd = made < 0 ? -1 : kvm_make(made, KVM_CREATE_VCPU, 0);
    bool can = vcpu_fd < 0 || can_run(vcpu_fd, vm->run_size);

    if (vcpu_fd >= 0) {
        (void)close(vcpu_fd);
    }
    if (made >= 0) {
        (void)close(made);
    }
    fd_lower_limit(old);
    return can;
}

void vm_restore(struct vm *vm, struct vcpu *vcpu)
{
    fd_close_hidden(vm->vm_fd);
    parked = NULL;
    for (unsigned id = 0; id < vcpu_count; id++) {
        if (vcpus[id].fd >= 0) {
            fd_close_hidden(vcpus[id].fd);
            vcpus[id].fd = -1;
        }
        if (&vcpus[id] != vcpu) {
            vcpus[id].host_thread = NULL; /* it stayed with the parent */
            vcpu_release(&vcpus[id]);
        }
    }
    vm->slot_count = 0;
    vm_open(vm); /* now that the old one's descriptors are free */
    system_restore(vm);
    memslot_restore(vm);
    hooks.restore_vdso(vm);
    if (!vcpu_open(vm, vcpu)) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no vCPU for a forked process: %m");
    }
}
