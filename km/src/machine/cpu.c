// SPDX-License-Identifier: Apache-2.0
/*
 * cpu.c: the x86-64 state that makes a vCPU run the payload at CPL 3 and stop in the monitor.
 *
 * There is no code in the guest but the payload's and two kinds of stubs, which end in an `out`:
 * - the syscall stub, where the SYSCALL instruction leads, see stub.c;
 * - one exception stub per vector, at CPL 0 behind the IDT.
 * Everything here but the syscall stub of PVM is for the supervisor only, so that the payload can
 * neither read nor forge it.
 *
 * Two kinds of KVM differ here. On hardware (SVM, VMX) SYSCALL raises to CPL 0, and SYSRET goes
 * back. On PVM, KVM in software, the CPU stays at CPL 3: the stub must be the payload's to execute,
 * the TSS must allow it the one port, and the monitor goes back by setting RIP.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_TSC_AUX 0xc0000103

/* Selectors. SYSRET wants user data and user code 8 and 16 above STAR's upper half. */
enum { KERNEL_CS = 0x10, KERNEL_SS = 0x18, SYSRET_BASE = 0x23, USER_SS = 0x2b, USER_CS = 0x33 };

/* Cleared by SYSCALL: TF DF IF IOPL NT AC. */
#define FLAGS_CLEARED 0x47700UL

struct gate { /* of the IDT; Intel SDM volume 3, 6.14.1 */
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct tss { /* one a vCPU; Intel SDM volume 3, 8.7 */
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_bitmap;
    uint8_t io_allowed[PORT_EXCEPTION / 8 + 1]; /* a 0 bit: the port is CPL 3's to use */
    uint8_t end;
} __attribute__((packed));

/* What the CPU pushes for an exception, with an error code pushed by the stub where there is none.
 */
struct frame {
    uint64_t error, rip, cs, rflags, rsp, ss;
};

static struct {
    uint64_t *gdt;
    struct gate *idt;
    uint8_t *stubs; /* STUB_SIZE each */
} sys;

#define STUB_SIZE 8UL
#define GDT_ENTRIES 16
#define GDT_NUMBER 15    /* its limit is the number of the CPU: Linux's GDT_ENTRY_CPUNODE */
#define GDT_IN_TSS 0x100 /* on hardware each vCPU has one of its own, behind its TSS */

#define DR6_BS 0x4000UL /* a single step; no CPU clears it: Intel SDM volume 3, register DR6 */

/* The vectors for which the CPU pushes an error code: DF TS NP SS GP PF AC CP. */
#define VECTORS_WITH_ERROR                                                                         \
    (1U << 8 | 1U << 10 | 1U << 11 | 1U << 12 | 1U << 13 | 1U << 14 | 1U << 17 | 1U << 21)

static void gdt_fill(uint64_t *gdt)
{
    gdt[KERNEL_CS / 8] = 0x00af9b000000ffff;
    gdt[KERNEL_SS / 8] = 0x00cf93000000ffff;
    gdt[USER_SS / 8] = 0x00cff3000000ffff;
    gdt[USER_CS / 8] = 0x00affb000000ffff; /* no 32-bit code segment: the payload is 64-bit only */
}

static uint64_t *own_gdt(const struct vcpu *vcpu)
{
    return (uint64_t *)((char *)vcpu->tss + GDT_IN_TSS);
}

static void idt_fill(struct gate *idt, uint8_t *stubs)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint8_t *stub = stubs + vector * STUB_SIZE;
        uint64_t at = (uint64_t)stub;
        bool from_payload = vector == 3 || vector == 4; /* int3, into: as Linux allows */

        if (!(VECTORS_WITH_ERROR & 1U << vector)) {
            *stub++ = 0x6a; /* push $0 */
            *stub++ = 0;
        }
        *stub++ = 0xe6; /* out %al, $port */
        *stub++ = (uint8_t)(PORT_EXCEPTION + vector);
        *stub = 0xf4; /* hlt: never reached */
        idt[vector] = (struct gate){
            .offset_low = (uint16_t)at,
            .offset_middle = (uint16_t)(at >> 16),
            .offset_high = (uint32_t)(at >> 32),
            .selector = KERNEL_CS,
            .ist = 1,
            .type = from_payload ? 0xee : 0x8e,
        };
    }
}

void cpu_system_create(struct vm *vm)
{
    uint64_t rights = PT_WRITE;

    sys.gdt = system_page(vm);
    sys.idt = system_page(vm);
    sys.stubs = system_page(vm);
    vm->root_gpa = system_gpa(system_page(vm));
    gdt_fill(sys.gdt);
    idt_fill(sys.idt, sys.stubs);
    pt_map(vm, (uint64_t)sys.gdt, 2 * PAGE_SIZE, system_gpa(sys.gdt), rights | PT_NX);
    pt_map(vm, (uint64_t)sys.stubs, PAGE_SIZE, system_gpa(sys.stubs), 0);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, uint8_t dpl, bool code)
{
    return (struct kvm_segment){
        .selector = selector,
        .limit = 0xffffffff,
        .type = type,
        .present = 1,
        .dpl = dpl,
        .s = 1,
        .l = code,
        .db = !code,
        .g = 1,
    };
}

static struct tss *tss_create(struct vm *vm)
{
    struct tss *tss = system_page(vm);

    tss->ist[0] = (uint64_t)tss + PAGE_SIZE; /* the rest of the page is the exception stack */
    tss->rsp[0] = tss->ist[0];
    tss->io_bitmap = offsetof(struct tss, io_allowed);
    memset(tss->io_allowed, 0xff, sizeof(tss->io_allowed) + 1);
    tss->io_allowed[PORT_SYSCALL / 8] &= (uint8_t)~(1U << PORT_SYSCALL % 8);
    pt_map(vm, (uint64_t)tss, PAGE_SIZE, system_gpa(tss), PT_WRITE | PT_NX);
    return tss;
}

static void set_msrs(struct vcpu *vcpu)
{
    uint64_t stub = stub_create(vcpu);
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entries[4];
    } msrs = {
        .head.nmsrs = 4,
        .entries = {{.index = MSR_STAR,
                     .data = (uint64_t)SYSRET_BASE << 48 | (uint64_t)KERNEL_CS << 32},
                    {.index = MSR_LSTAR, .data = stub},
                    {.index = MSR_CSTAR, .data = stub},
                    {.index = MSR_FMASK, .data = FLAGS_CLEARED}},
    };

    if (kvm_ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 4) {
        die(STATUS_FAILED, FIX_REPORT, "KVM refuses the system call registers (KVM_SET_MSRS): %m");
    }
}

#define CR4_TSD (1UL << 2)
#define CR4_UMIP (1UL << 11)
#define CR4_FSGSBASE (1UL << 16)
#define CR4_OSXSAVE (1UL << 18)

/* Enable the state that CPUID shows, which KVM keeps. */
static void set_state(struct vcpu *vcpu, uint64_t xcr0)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = xcr0};

    if (xcr0 && kvm_ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0) {
        die(STATUS_FAILED, FIX_CPU, "KVM refuses this CPU's state (KVM_SET_XCRS of 0x%lx): %m",
            xcr0);
    }
}

/* The features that CPUID shows: the bits of CR4 for the guest's instructions. */
static uint64_t set_features(struct vcpu *vcpu)
{
    uint64_t cr4 = 0, xcr0 = 0;

    hooks.step("KVM_SET_CPUID2");
    if (kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, vcpu->vm->cpuid) < 0) {
        die(STATUS_FAILED, FIX_CPU, "KVM refuses this CPU's features (KVM_SET_CPUID2): %m");
    }
    for (unsigned i = 0; i < vcpu->vm->cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &vcpu->vm->cpuid->entries[i];

        if (entry->function == 1 && entry->ecx & (1U << 26)) {
            cr4 |= CR4_OSXSAVE;
        }
        if (entry->function == 7 && entry->index == 0) {
            cr4 |= (entry->ebx & 1 ? CR4_FSGSBASE : 0) | (entry->ecx & 4 ? CR4_UMIP : 0);
        }
        if (entry->function == 0xd && entry->index == 0) {
            xcr0 = entry->eax;
        }
    }
    if (cr4 & CR4_OSXSAVE) {
        hooks.step("KVM_SET_XCRS");
        set_state(vcpu, xcr0);
    }
    return cr4;
}

/* On PVM RDTSC is the host's as it is. On hardware KVM adds an offset, made for migration. */
static bool share_tsc(struct vcpu *vcpu)
{
    uint64_t offset = 0;
    struct kvm_device_attr attr = {
        .group = KVM_VCPU_TSC_CTRL,
        .attr = KVM_VCPU_TSC_OFFSET,
        .addr = (uint64_t)&offset,
    };

    return !vcpu->vm->hardware || kvm_ioctl(vcpu->fd, KVM_SET_DEVICE_ATTR, &attr) == 0;
}

void cpu_init(struct vcpu *vcpu, struct kvm_sregs sregs)
{
    if (!vcpu->tss) {
        vcpu->root_gpa = vcpu->vm->root_gpa;
        vcpu->tss = tss_create(vcpu->vm);
    }
    sregs.cr4 = 0x620 | set_features(vcpu); /* PAE OSFXSR OSXMMEXCPT */
    sregs.cr0 = 0x80050033;                 /* PE MP ET NE WP AM PG */
    sregs.cr3 = vcpu->root_gpa;
    sregs.efer = 0xd01; /* SCE LME LMA NXE */
    sregs.cs = segment(USER_CS, 0xb, 3, true);
    sregs.ss = segment(USER_SS, 0x3, 3, false);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = (struct kvm_segment){.unusable = 1};
    sregs.tr = (struct kvm_segment){
        .selector = 0x38,
        .base = (uint64_t)vcpu->tss,
        .limit = vcpu->vm->hardware ? 0x67 : sizeof(struct tss) - 1, /* no I/O bitmap on hardware */
        .type = 0xb,
        .present = 1,
    };
    /* A CPU that is reset has a table of segments at address 0, where it would take the payload's
     * memory for descriptors. */
    sregs.ldt = (struct kvm_segment){.unusable = 1};
    sregs.gdt = (struct kvm_dtable){.base = (uint64_t)sys.gdt, .limit = 0x3f};
    if (vcpu->vm->hardware) {
        memcpy(own_gdt(vcpu), sys.gdt, 8 * sizeof(*sys.gdt));
        sregs.gdt = (struct kvm_dtable){.base = (uint64_t)own_gdt(vcpu),
                                        .limit = GDT_ENTRIES * sizeof(*sys.gdt) - 1};
    }
    vcpu->shown_number = UINT32_MAX;
    sregs.idt = (struct kvm_dtable){.base = (uint64_t)sys.idt,
                                    .limit = VECTOR_COUNT * sizeof(struct gate) - 1};
    hooks.step("KVM_SET_SREGS");
    if (kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM refuses 64-bit mode (KVM_SET_SREGS): %m");
    }
    vcpu->run->s.regs.sregs = sregs;
    hooks.step("KVM_SET_MSRS");
    set_msrs(vcpu);
    vcpu->tsc_is_host = share_tsc(vcpu);
}

bool cpu_take_single_step(struct vcpu *vcpu)
{
    struct kvm_debugregs debug;
    bool stepped;

    if (kvm_ioctl(vcpu->fd, KVM_GET_DEBUGREGS, &debug) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM_GET_DEBUGREGS failed: %m");
    }
    stepped = debug.dr6 & DR6_BS;
    debug.dr6 &= ~DR6_BS;
    if (stepped && kvm_ioctl(vcpu->fd, KVM_SET_DEBUGREGS, &debug) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM_SET_DEBUGREGS failed: %m");
    }
    return stepped;
}

int cpu_fpe_code(struct vcpu *vcpu, unsigned vector)
{
    const struct kvm_xsave *xsave = (const struct kvm_xsave *)vcpu->scratch;
    unsigned raised, fcw, fsw, mxcsr;

    if (kvm_ioctl(vcpu->fd, KVM_GET_XSAVE, xsave) < 0) { /* KVM_GET_FPU leaves MXCSR out */
        return FPE_FLTINV;
    }
    fcw = xsave->region[0] & 0xffff;
    fsw = xsave->region[0] >> 16;
    mxcsr = xsave->region[6];
    /* As the kernel's fpu__exception_code(): raised and not masked. */
    raised = vector == 16 ? fsw & ~fcw : mxcsr & ~(mxcsr >> 7);
    return raised & 0x01   ? FPE_FLTINV
           : raised & 0x04 ? FPE_FLTDIV
           : raised & 0x08 ? FPE_FLTOVF
           : raised & 0x12 ? FPE_FLTUND
           : raised & 0x20 ? FPE_FLTRES
                           : 0;
}

#define FLAGS_OF_PAYLOAD 0x254dd5UL /* CF PF AF ZF SF TF DF OF NT RF AC ID */
#define FLAGS_ALWAYS 0x202UL        /* IF and the bit that is always 1 */

uint64_t cpu_clean_flags(uint64_t rflags)
{
    return (rflags & FLAGS_OF_PAYLOAD) | FLAGS_ALWAYS;
}

/* Let kvm_run have the system registers, unless they came with the exit or wait to be loaded. */
static bool has_system(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    return (run->kvm_valid_regs | run->kvm_dirty_regs) & KVM_SYNC_X86_SREGS ||
           kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &run->s.regs.sregs) == 0;
}

static struct kvm_sregs *take_system(struct vcpu *vcpu)
{
    if (!has_system(vcpu)) {
        die(STATUS_FAILED, FIX_REPORT, "KVM_GET_SREGS failed: %m");
    }
    return &vcpu->run->s.regs.sregs;
}

static void set_user_segments(struct vcpu *vcpu)
{
    struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;

    sregs->cs = segment(USER_CS, 0xb, 3, true);
    sregs->ss = segment(USER_SS, 0x3, 3, false);
    vcpu->run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
}

void cpu_leave_stub(struct vcpu *vcpu)
{
    if (vcpu->vm->hardware && stub_has_left(vcpu)) {
        (void)take_system(vcpu);
        vcpu->regs->rip = vcpu->regs->rcx;
        vcpu->regs->rflags = cpu_clean_flags(vcpu->regs->r11);
        set_user_segments(vcpu);
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

bool cpu_leave_exception(struct vcpu *vcpu, unsigned vector, struct exception *exception)
{
    struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
    struct kvm_regs *regs = vcpu->regs;
    const struct tss *tss;
    struct frame frame;

    if (!has_system(vcpu)) {
        return false;
    }
    tss = (const struct tss *)sregs->tr.base;
    if (sregs->cs.dpl != 0 || regs->rsp != tss->ist[0] - sizeof(frame)) {
        return false;
    }
    memcpy(&frame, (const void *)regs->rsp, sizeof(frame));
    *exception = (struct exception){.vector = vector, .error = frame.error, .cr2 = sregs->cr2};
    regs->rip = frame.rip;
    regs->rflags = frame.rflags;
    regs->rsp = frame.rsp;
    if ((frame.cs & 3) == 0) { /* SYSRET itself failed: the payload is where it wanted to go */
        regs->rip = regs->rcx;
        regs->rflags = regs->r11;
    }
    set_user_segments(vcpu);
    return true;
}

/* KVM was about to enter the guest with an exception when it left: it does so the next time,
 * wherever the registers lead by then. */
static bool has_exception(const struct vcpu *vcpu)
{
    struct kvm_vcpu_events events;

    return kvm_ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) == 0 && events.exception.injected;
}

bool cpu_in_stub(struct vcpu *vcpu)
{
    island_settle(vcpu);
    (void)hooks.site_settle(vcpu);
    return vcpu->regs->rip - (uint64_t)sys.stubs < VECTOR_COUNT * STUB_SIZE || stub_settle(vcpu) ||
           has_exception(vcpu);
}

/* KVM for SVM knows these two as MSRs only in newer kernels: not in Linux 5.10. */
static bool set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};

    return kvm_ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) == 1;
}

/* A data segment that CPL 3 may only ask for its limit, by LSL. */
#define NUMBER_SEGMENT 0x0040f50000000000UL

uint32_t host_number(void); /* host_number.S */

void cpu_show_number(struct vcpu *vcpu)
{
    uint64_t number = vcpu->vm->hardware ? host_number() : vcpu->shown_number;

    if (number != vcpu->shown_number) {
        own_gdt(vcpu)[GDT_NUMBER] = NUMBER_SEGMENT | (number & 0xffff) | (number >> 16 & 0xf) << 48;
        (void)set_msr(vcpu, MSR_TSC_AUX, number); /* a CPU that has neither instruction refuses */
        vcpu->shown_number = (uint32_t)number;
    }
}

void cpu_set_root(struct vcpu *vcpu, uint64_t root_gpa)
{
    bool wait = vcpu->run->kvm_dirty_regs & KVM_SYNC_X86_SREGS;
    struct kvm_sregs *sregs = take_system(vcpu);

    vcpu->root_gpa = root_gpa;
    sregs->cr3 = root_gpa;
    if (!wait && kvm_ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM refuses the page tables' root 0x%lx: %m", root_gpa);
    }
}

/* By its MSR, or all of the system registers, those that wait to be loaded or KVM's. */
static void set_segment_base(struct vcpu *vcpu, uint32_t msr, size_t segment, uint64_t base)
{
    const struct kvm_run *run = vcpu->run;
    bool set = set_msr(vcpu, msr, base), wait = run->kvm_dirty_regs & KVM_SYNC_X86_SREGS;
    struct kvm_sregs *sregs;

    if (set && !wait && !(run->kvm_valid_regs & KVM_SYNC_X86_SREGS)) {
        return;
    }
    sregs = take_system(vcpu);
    ((struct kvm_segment *)((char *)sregs + segment))->base = base;
    if (!set && !wait && kvm_ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM refuses the segment base 0x%lx: %m", base);
    }
}

void cpu_forbid_tsc(struct vcpu *vcpu, bool forbidden)
{
    struct kvm_sregs *sregs = take_system(vcpu);

    sregs->cr4 = forbidden ? sregs->cr4 | CR4_TSD : sregs->cr4 & ~CR4_TSD;
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
    vcpu->tsc_forbidden = forbidden;
}

void cpu_set_fs_base(struct vcpu *vcpu, uint64_t base)
{
    set_segment_base(vcpu, MSR_FS_BASE, offsetof(struct kvm_sregs, fs), base);
}

void cpu_set_gs_base(struct vcpu *vcpu, uint64_t base)
{
    set_segment_base(vcpu, MSR_GS_BASE, offsetof(struct kvm_sregs, gs), base);
}

void cpu_get_bases(struct vcpu *vcpu, uint64_t *fs, uint64_t *gs)
{
    const struct kvm_sregs *sregs = take_system(vcpu);

    *fs = sregs->fs.base;
    *gs = sregs->gs.base;
}

bool cpu_give_registers(struct vcpu *vcpu)
{
    struct kvm_run *run = vcpu->run;

    if ((run->kvm_dirty_regs & KVM_SYNC_X86_REGS &&
         kvm_ioctl(vcpu->fd, KVM_SET_REGS, vcpu->regs) < 0) ||
        (run->kvm_dirty_regs & KVM_SYNC_X86_SREGS &&
         kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &run->s.regs.sregs) < 0)) {
        return false;
    }
    run->kvm_dirty_regs = 0;
    return true;
}

bool cpu_take_registers(struct vcpu *vcpu)
{
    return kvm_ioctl(vcpu->fd, KVM_GET_REGS, vcpu->regs) == 0;
}

void cpu_save(struct vcpu *vcpu, struct cpu_state *state)
{
    cpu_save_registers(vcpu, state);
    cpu_save_fpu(vcpu, state);
}

void cpu_save_registers(struct vcpu *vcpu, struct cpu_state *state)
{
    cpu_leave_stub(vcpu);
    state->regs = *vcpu->regs;
    cpu_get_bases(vcpu, &state->fs_base, &state->gs_base);
}

void cpu_save_fpu(const struct vcpu *vcpu, struct cpu_state *state)
{
    if (kvm_ioctl(vcpu->fd, KVM_GET_XSAVE, &state->xsave) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM_GET_XSAVE failed: %m");
    }
}

void cpu_load(struct vcpu *vcpu, const struct cpu_state *state)
{
    struct kvm_sregs *sregs = take_system(vcpu);

    if (kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, &state->xsave) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "KVM takes no state for a vCPU (KVM_SET_XSAVE): %m");
    }
    *vcpu->regs = state->regs;
    sregs->fs.base = state->fs_base;
    sregs->gs.base = state->gs_base;
    set_user_segments(vcpu);
}
