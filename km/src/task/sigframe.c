// SPDX-License-Identifier: Apache-2.0
/*
 * sigframe.c: the frame that Linux leaves on the stack for a handler, and its way back. Its layout
 * is the kernel's ABI: arch/x86/include/uapi/asm/{sigcontext,ucontext}.h and asm/sigframe.h.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#define RED_ZONE 128
#define UC_FP_XSTATE 1UL
#define UC_SIGCONTEXT_SS 2UL
#define UC_STRICT_RESTORE_SS 4UL
#define FP_XSTATE_MAGIC1 0x46505853U
#define FP_XSTATE_MAGIC2 0x46505845U
#define MXCSR 24 /* offsets in an XSAVE image */
#define XMM 160
#define XMM_SIZE 256
#define XSTATE_BV 512
#define SW_RESERVED 464          /* of the legacy area: says how much more there is */
#define FLAGS_OF_FRAME 0x50dd5UL /* AC RF OF DF TF SF ZF AF PF CF: FIX_EFLAGS in the kernel */
#define USER_CS 0x33
#define USER_SS 0x2b

struct sigcontext_64 {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
        rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, vector, old_mask, cr2, fpstate, reserved[8];
};

struct sigframe {
    uint64_t restorer, uc_flags, uc_link;
    struct {
        uint64_t sp;
        uint32_t flags, padding;
        uint64_t size;
    } stack;
    struct sigcontext_64 context;
    uint64_t mask;
    uint8_t info[128];
};

struct sw_reserved {
    uint32_t magic1, extended_size;
    uint64_t xfeatures;
    uint32_t xstate_size, padding[7];
};

/* Where the image goes, below sp; written, where it fits. */
static bool push_fpu(struct vcpu *vcpu, uint64_t *sp)
{
    struct kvm_xsave *xsave = (struct kvm_xsave *)vcpu->scratch;
    uint64_t features;
    uint32_t size = xsave_size(&features), magic2 = FP_XSTATE_MAGIC2;
    struct sw_reserved reserved = {.magic1 = FP_XSTATE_MAGIC1,
                                   .extended_size = size + (uint32_t)sizeof(magic2),
                                   .xfeatures = features,
                                   .xstate_size = size};

    if (kvm_ioctl(vcpu->fd, KVM_GET_XSAVE, xsave) < 0) {
        die(STATUS_FAILED, FIX_CPU, "KVM_GET_XSAVE failed: %m");
    }
    if (size > FXSAVE_SIZE) {
        memcpy((uint8_t *)xsave + SW_RESERVED, &reserved, sizeof(reserved));
    }
    *sp = ROUND_DOWN(*sp - size - sizeof(magic2), 64);
    return guest_write(*sp, xsave, size) == 0 &&
           (size <= FXSAVE_SIZE || guest_write(*sp + size, &magic2, sizeof(magic2)) == 0);
}

/* The handler begins with the unit as a program finds it. */
static void reset_fpu(struct vcpu *vcpu)
{
    struct kvm_xsave *xsave = (struct kvm_xsave *)vcpu->scratch;

    memset(xsave, 0, sizeof(*xsave));
    xsave->region[0] = 0x37f;
    xsave->region[MXCSR / 4] = 0x1f80;
    xsave->region[XSTATE_BV / 4] = XFEATURE_SSE; /* KVM takes MXCSR only with it */
    if (kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, xsave) < 0) {
        die(STATUS_FAILED, FIX_CPU, "KVM takes no new state (KVM_SET_XSAVE): %m");
    }
}

static void save_context(const struct vcpu *vcpu, struct sigcontext_64 *to)
{
    const struct kvm_regs *r = vcpu->regs;

    *to = (struct sigcontext_64){
        .r8 = r->r8,
        .r9 = r->r9,
        .r10 = r->r10,
        .r11 = r->r11,
        .r12 = r->r12,
        .r13 = r->r13,
        .r14 = r->r14,
        .r15 = r->r15,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rax = r->rax,
        .rcx = r->rcx,
        .rsp = r->rsp,
        .rip = r->rip,
        .rflags = r->rflags,
        .cs = USER_CS,
        .ss = USER_SS,
        .error = vcpu->fault.error,
        .vector = vcpu->fault.vector,
        .cr2 = vcpu->fault.cr2,
    };
}

bool on_altstack(const struct vcpu *vcpu, uint64_t sp)
{
    return sp > vcpu->altstack.sp && sp - vcpu->altstack.sp <= vcpu->altstack.size;
}

/* The top of the stack that the handler's frame goes to. */
static uint64_t frame_top(const struct vcpu *vcpu, const struct action *action, bool *alternate)
{
    uint64_t sp = vcpu->regs->rsp;
    bool disarms = vcpu->altstack.flags & SS_AUTODISARM;

    *alternate = !disarms && on_altstack(vcpu, sp);
    if (action->flags & SA_ONSTACK && vcpu->altstack.size && !*alternate) {
        *alternate = true;
        return vcpu->altstack.sp + vcpu->altstack.size;
    }
    return sp - RED_ZONE;
}

bool sigframe_push(struct vcpu *vcpu, const struct action *action, int signo, uint64_t old_mask)
{
    struct kvm_regs *regs = vcpu->regs;
    uint64_t sp, features;
    struct sigframe frame = {.restorer = action->restorer,
                             .uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
                             .mask = old_mask};

    bool alternate;

    cpu_leave_stub(vcpu);
    sp = frame_top(vcpu, action, &alternate);
    if (!push_fpu(vcpu, &sp)) {
        return false;
    }
    frame.uc_flags |= xsave_size(&features) > FXSAVE_SIZE ? UC_FP_XSTATE : 0;
    save_context(vcpu, &frame.context);
    frame.context.fpstate = sp;
    frame.context.old_mask = old_mask;
    memcpy(&frame.stack, &vcpu->altstack, sizeof(frame.stack));
    memcpy(frame.info, vcpu->signal_info, sizeof(frame.info));
    sp = ROUND_DOWN(sp - sizeof(frame), 16) - 8;
    if ((alternate && !on_altstack(vcpu, sp)) || guest_write(sp, &frame, sizeof(frame)) < 0) {
        return false;
    }
    reset_fpu(vcpu);
    if (vcpu->altstack.flags & SS_AUTODISARM) {
        memset(&vcpu->altstack, 0, sizeof(vcpu->altstack));
        vcpu->altstack.flags = SS_DISABLE;
    }
    regs->rsp = sp;
    regs->rip = action->handler;
    regs->rflags = cpu_clean_flags(regs->rflags & ~0x10500UL); /* RF DF TF */
    regs->rdi = (unsigned)signo;
    regs->rsi = sp + offsetof(struct sigframe, info);
    regs->rdx = sp + offsetof(struct sigframe, uc_flags);
    regs->rax = 0;
    return true;
}

uint32_t mxcsr_mask(void)
{
    uint32_t legacy[512 / sizeof(uint32_t)] __attribute__((aligned(16)));

    __builtin_ia32_fxsave64(legacy);
    return legacy[7] ? legacy[7] : 0xffbf; /* SDM volume 1, 11.6.6 */
}

/*
 * MXCSR is the image's even where XSTATE_BV says that the SSE registers are as at the start; KVM
 * takes and judges it only with them.
 */
static bool take_mxcsr(uint8_t *xsave)
{
    uint32_t mxcsr;
    uint64_t in_use;

    memcpy(&mxcsr, xsave + MXCSR, sizeof(mxcsr));
    memcpy(&in_use, xsave + XSTATE_BV, sizeof(in_use));
    if (!(in_use & XFEATURE_SSE)) {
        memset(xsave + XMM, 0, XMM_SIZE);
        in_use |= XFEATURE_SSE;
        memcpy(xsave + XSTATE_BV, &in_use, sizeof(in_use));
    }
    return !(mxcsr & ~mxcsr_mask());
}

/* KVM itself refuses an image with bits that the guest does not have. */
static bool pop_fpu(struct vcpu *vcpu, uint64_t addr)
{
    struct kvm_xsave *xsave = (struct kvm_xsave *)vcpu->scratch;
    uint8_t *extended = (uint8_t *)xsave + FXSAVE_SIZE;
    struct sw_reserved reserved;
    uint64_t features, in_use = 3;
    uint32_t size = xsave_size(&features);

    memset(xsave, 0, sizeof(*xsave));
    if (guest_read(xsave, addr, FXSAVE_SIZE) < 0) {
        return false;
    }
    memcpy(&reserved, (uint8_t *)xsave + SW_RESERVED, sizeof(reserved));
    if (size > FXSAVE_SIZE && reserved.magic1 == FP_XSTATE_MAGIC1 && reserved.xstate_size == size) {
        if (guest_read(extended, addr + FXSAVE_SIZE, size - FXSAVE_SIZE) < 0) {
            return false;
        }
    } else { /* only the legacy part: of a CPU without XSAVE, or as a program may leave it */
        memcpy(extended, &in_use, sizeof(in_use));
    }
    memset((uint8_t *)xsave + SW_RESERVED, 0, 48);
    return take_mxcsr((uint8_t *)xsave) && kvm_ioctl(vcpu->fd, KVM_SET_XSAVE, xsave) == 0;
}

bool sigframe_pop(struct vcpu *vcpu, uint64_t *mask)
{
    struct kvm_regs *r = vcpu->regs;
    struct sigcontext_64 c;
    struct sigframe frame;

    /* The handler's return took the restorer's address off the stack. */
    if (guest_read(&frame, r->rsp - 8, sizeof(frame)) < 0 || frame.context.rip >= GUEST_TOP ||
        (frame.context.cs | 3) != USER_CS || (frame.context.ss | 3) != USER_SS ||
        (frame.context.fpstate && !pop_fpu(vcpu, frame.context.fpstate))) {
        return false;
    }
    cpu_leave_stub(vcpu);
    c = frame.context;
    c.rflags = (c.rflags & FLAGS_OF_FRAME) | (r->rflags & ~FLAGS_OF_FRAME);
    *r = (struct kvm_regs){
        .r8 = c.r8,
        .r9 = c.r9,
        .r10 = c.r10,
        .r11 = c.r11,
        .r12 = c.r12,
        .r13 = c.r13,
        .r14 = c.r14,
        .r15 = c.r15,
        .rdi = c.rdi,
        .rsi = c.rsi,
        .rbp = c.rbp,
        .rbx = c.rbx,
        .rdx = c.rdx,
        .rax = c.rax,
        .rcx = c.rcx,
        .rsp = c.rsp,
        .rip = c.rip,
        .rflags = cpu_clean_flags(c.rflags),
    };
    memcpy(&vcpu->altstack, &frame.stack, sizeof(frame.stack));
    *mask = frame.mask;
    return true;
}
