// SPDX-License-Identifier: Apache-2.0
/*
 * stub.c: the target of SYSCALL in the guest: each vCPU's own code, which answers a few calls
 * itself, from values that the monitor keeps in the page after it, asks the helper for some
 * (helper.c), and leaves to the monitor for the others.
 *
 * An answer depends on nothing but these values and has no effect. So a vCPU that is interrupted in
 * the middle is set back to where it leaves, and the monitor answers: nothing is lost, and a signal
 * is delivered after the call as after any other. A call that the helper has made by then is not
 * made again: it has returned.
 *
 * On PVM the payload can execute the code and write the data. That gives it nothing: it would
 * deceive its own thread.
 */
#include "base/base.h"
#include "machine/machine.h"

#include <asm/unistd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* stub_code.S */
extern const uint8_t pvm_stub_code[], pvm_stub_saved[], pvm_stub_out[], pvm_stub_taken[],
    pvm_stub_end[];
#define SITE_LABELS(name)                                                                          \
    name[], name##_saved[], name##_switched[], name##_back[], name##_answered[], name##_asks[],    \
        name##_taken[], name##_end[]
extern const uint8_t SITE_LABELS(pvm_stub_site);
extern const uint8_t SITE_LABELS(pvm_stub_any);
extern const uint8_t pvm_stub_mask[], pvm_stub_mask_changed[], pvm_stub_mask_given[],
    pvm_stub_mask_switched[], pvm_stub_mask_back[], pvm_stub_mask_end[];
extern const uint8_t hardware_stub_code[], hardware_stub_saved[], hardware_stub_out[],
    hardware_stub_taken[], hardware_stub_end[];

/* The calls that are answered, in the order of their values. */
static const uint16_t answered[STUB_ANSWERS] = {__NR_getpid,  __NR_gettid, __NR_getuid,
                                                __NR_geteuid, __NR_getgid, __NR_getegid};
#define FIRST_OF_USER 2 /* in `answered`: from here on it is by user namespace */

_Static_assert(offsetof(struct stub_data, request) == 896, "stub_code.S says so");
_Static_assert(offsetof(struct stub_data, flags) == 880, "stub_code.S says so");
_Static_assert(offsetof(struct stub_data, budget) == 888, "stub_code.S says so");
_Static_assert(offsetof(struct stub_data, mask) == 960, "stub_code.S says so");
_Static_assert(offsetof(struct stub_data, by_site) == 1000, "stub_code.S says so");
_Static_assert(offsetof(struct stub_data, robust_next) == 1008, "stub_code.S says so");

#define OUT_SIZE 2          /* bytes of the instruction */
#define FLAGS_SPECIAL 0x45U /* TF, DF, NT in the second byte of RFLAGS */
#define OVERFLOW_ID 65534   /* what a user namespace shows that has no map yet */

static bool ids_may_change; /* from outside: a user namespace whose map may still be written */

static const struct stub {
    const uint8_t *code, *saved, *out, *taken, *end, *all_end;
} stubs[] = {
    {pvm_stub_code, pvm_stub_saved, pvm_stub_out, pvm_stub_taken, pvm_stub_end, pvm_stub_mask_end},
    {hardware_stub_code, hardware_stub_saved, hardware_stub_out, hardware_stub_taken,
     hardware_stub_end, hardware_stub_end}};

/* What islands lead to on PVM, by whether the site loads the number of its call. */
#define SITE_CODE(name)                                                                            \
    {name,        name##_saved, name##_switched, name##_back, name##_answered,                     \
     name##_asks, name##_taken, name##_end}
static const struct site_code {
    const uint8_t *start, *saved, *switched, *back, *answered, *asks, *taken, *end;
} site_codes[] = {SITE_CODE(pvm_stub_any), SITE_CODE(pvm_stub_site)};

static uint64_t offset_of(const uint8_t *label)
{
    return (uint64_t)label - (uint64_t)pvm_stub_code;
}

uint64_t stub_site(bool loads)
{
    return OWN_GVA + offset_of(site_codes[loads].start);
}

void stub_site_begin(struct vm *vm)
{
    static const uint8_t back[][3] = {{0xff, 0x61, offsetof(struct island, back)},  /* (%rcx) */
                                      {0xff, 0x60, offsetof(struct island, back)}}; /* (%rax) */
    static uint8_t *page;

    if (!page) {
        page = system_page(vm);
        memset(page, 0xf4, PAGE_SIZE);                             /* hlt */
        for (size_t loads = 0; loads < ARRAY_LEN(back); loads++) { /* jmp *back */
            memcpy(page + offset_of(site_codes[loads].start), back[loads], sizeof(back[loads]));
        }
        pt_map(vm, OWN_GVA, PAGE_SIZE, system_gpa(page), PT_USER);
    }
}

/* The second address of a stub, which is the same for each vCPU's. */
bool stub_share(struct vcpu *vcpu)
{
    if (vcpu->vm->hardware || (vcpu->root_gpa == vcpu->vm->root_gpa && !pt_root_make(vcpu))) {
        return false;
    }
    pt_map_own(vcpu, OWN_GVA, system_gpa(vcpu->stub), PT_USER);
    pt_map_own(vcpu, OWN_GVA + PAGE_SIZE, system_gpa(stub_data(vcpu)), PT_USER | PT_WRITE | PT_NX);
    return true;
}

/* Where in its stub a vCPU stands; a page or more when elsewhere. */
static uint64_t place_in_stub(const struct vcpu *vcpu)
{
    uint64_t rip = vcpu->regs->rip;

    return rip - OWN_GVA < PAGE_SIZE && !vcpu->vm->hardware ? rip - OWN_GVA
                                                            : rip - (uint64_t)vcpu->stub;
}

uint64_t stub_create(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    const struct stub *stub = &stubs[vm->hardware];
    uint64_t user = vm->hardware ? 0 : PT_USER;
    struct stub_data *data;

    if (!vcpu->stub) {
        vcpu->stub = system_page(vm);
        data = system_page(vm);              /* the next page, always */
        memset(vcpu->stub, 0xf4, PAGE_SIZE); /* hlt */
        memcpy(vcpu->stub, stub->code, (size_t)(stub->all_end - stub->code));
        data->budget = BUDGET_ENDLESS;
        for (unsigned flags = 0; flags < ARRAY_LEN(data->special); flags++) {
            data->special[flags] = flags & FLAGS_SPECIAL;
        }
        pt_map(vm, (uint64_t)vcpu->stub, PAGE_SIZE, system_gpa(vcpu->stub), user);
        pt_map(vm, (uint64_t)data, PAGE_SIZE, system_gpa(data), user | PT_WRITE | PT_NX);
    }
    return (uint64_t)vcpu->stub;
}

void stub_set_answers(struct vcpu *vcpu)
{
    struct stub_data *data = stub_data(vcpu);

    if (calls_are_watched()) {
        return;
    }
    for (size_t i = 0; seccomp_is_off(vcpu) && i < ARRAY_LEN(answered); i++) {
        bool of_user = i >= FIRST_OF_USER;
        uint64_t value = (uint64_t)hooks.shown_result(answered[i], syscall(answered[i]));

        data->value[i] = value;
        data->kind[answered[i]] =
            of_user && (ids_may_change || value == OVERFLOW_ID) ? 0 : (uint8_t)(i + 1);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!seccomp_is_off(vcpu)) { /* another thread may just have set it: filters see all, too */
        memset(data->kind, 0, sizeof(data->kind));
    }
}

void stub_after_call(struct vcpu *vcpu, uint64_t number)
{
    switch (number) {
    case __NR_unshare:
    case __NR_setns:
        ids_may_change = true;
        break;
    case __NR_setuid:
    case __NR_setgid:
    case __NR_setreuid:
    case __NR_setregid:
    case __NR_setresuid:
    case __NR_setresgid:
        break;
    default:
        return;
    }
    stub_set_answers(vcpu);
}

void stub_after_fork(struct vcpu *vcpu, bool new_user_namespace)
{
    ids_may_change |= new_user_namespace;
    stub_set_answers(vcpu);
}

/* Whether the vCPU stands in [from, to) of the code that sites lead to. */
static bool is_between(uint64_t at, const uint8_t *from, const uint8_t *to)
{
    return at >= offset_of(from) && at < offset_of(to);
}

/* The call of a site is yet to be made: all is as before it, or as when it begins again. */
static void set_before_call(struct vcpu *vcpu, const struct island *island, bool saved)
{
    const struct stub_data *data = stub_data(vcpu);
    struct kvm_regs *regs = vcpu->regs;

    if (island->loads) {
        regs->rax = island->number;
        regs->rcx = saved ? data->rcx : regs->rcx;
        regs->r11 = saved ? data->r11 : regs->r11;
    } else {
        regs->rax = saved ? data->rax : regs->rax;
        regs->rcx = island->next;
        regs->r11 = cpu_clean_flags(regs->rflags);
    }
    regs->rip = island->next - 2;
}

/* An interrupted call of a site was made, by the helper or the stub, or it is yet to be made. */
static void settle_at_site(struct vcpu *vcpu, uint64_t at, bool loads)
{
    const struct site_code *code = &site_codes[loads];
    bool saved = !is_between(at, code->start, code->saved);
    bool taken = is_between(at, code->taken, code->end);
    const struct stub_data *data = stub_data(vcpu);
    struct kvm_regs *regs = vcpu->regs;
    const struct island *island = island_find(saved ? data->island : loads ? regs->rax : regs->rcx);
    int64_t result = (int64_t)regs->rax;

    if (!island || island->loads != loads) { /* the payload has come by itself */
        return;
    }
    if (is_between(at, code->answered, code->asks) ||
        (saved && hooks.helper_has_made(vcpu, taken, &result))) {
        regs->rax = (uint64_t)result;
        regs->rcx = island->next;
        regs->rip = island->next;
    } else {
        regs->rsp = is_between(at, code->switched, code->back) ? data->rsp : regs->rsp;
        set_before_call(vcpu, island, saved);
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

/* The call is made, and returns. */
static void return_mask(struct vcpu *vcpu, uint64_t next)
{
    vcpu->regs->rax = 0;
    vcpu->regs->rcx = next;
    vcpu->regs->r11 = vcpu->regs->rflags;
    vcpu->regs->rip = next;
}

/* It is yet to be made: as a call that is made again, which has left RCX and R11 behind. */
static void set_before_mask(struct vcpu *vcpu, uint64_t next)
{
    const struct stub_data *data = stub_data(vcpu);

    vcpu->regs->rax = data->rax;
    vcpu->regs->rcx = next;
    vcpu->regs->r11 = vcpu->regs->rflags;
    vcpu->regs->rip = next - 2;
}

bool stub_settle_mask(struct vcpu *vcpu)
{
    struct stub_data *data = stub_data(vcpu);
    const struct island *island = data->by_site ? island_find(data->island) : NULL;
    uint64_t at = place_in_stub(vcpu), next = island ? island->next : island_next(data->next);
    struct kvm_regs *regs = vcpu->regs;

    if (vcpu->vm->hardware || !is_between(at, pvm_stub_mask, pvm_stub_mask_end)) {
        return false;
    }
    next = next < GUEST_TOP ? next : 0; /* the payload has come by itself */
    regs->rsp = is_between(at, pvm_stub_mask_switched, pvm_stub_mask_back) ? data->rsp : regs->rsp;
    regs->rflags = cpu_clean_flags(data->kept_flags);
    if (is_between(at, pvm_stub_mask_given, pvm_stub_mask_end)) {
        return_mask(vcpu, next);
    } else {
        if (is_between(at, pvm_stub_mask_changed, pvm_stub_mask_given)) {
            data->mask = data->old_mask;
        }
        if (island) {
            set_before_call(vcpu, island, true);
        } else {
            set_before_mask(vcpu, next);
        }
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    return true;
}

bool stub_settle(struct vcpu *vcpu)
{
    const struct stub *stub = &stubs[vcpu->vm->hardware];
    uint64_t at = place_in_stub(vcpu);
    uint64_t out = (uint64_t)(stub->out - stub->code);
    const struct stub_data *data = stub_data(vcpu);
    int64_t result;

    if (stub_settle_mask(vcpu)) {
        return false;
    }
    for (size_t loads = 0; !vcpu->vm->hardware && loads < ARRAY_LEN(site_codes); loads++) {
        if (is_between(at, site_codes[loads].start, site_codes[loads].end)) {
            settle_at_site(vcpu, at, loads);
            return false;
        }
    }
    if (at >= (uint64_t)(stub->end - stub->code) || at == out + OUT_SIZE) {
        return false; /* or the monitor has answered */
    }
    /* At `out` they are as they came; who was set back there may not even have saved them. */
    if (at >= (uint64_t)(stub->saved - stub->code) && at != out) {
        vcpu->regs->rcx = data->rcx;
        vcpu->regs->r11 = data->r11;
        vcpu->regs->rax = data->rax;
    }
    vcpu->regs->rip = (uint64_t)vcpu->stub + out;
    if (hooks.helper_has_made(vcpu, at >= (uint64_t)(stub->taken - stub->code), &result)) {
        vcpu->regs->rip += OUT_SIZE;
        stub_return(vcpu);
        vcpu->regs->rax = (uint64_t)result;
        return false;
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    return true;
}

/*
 * SYSCALL saved the return address in RCX and the flags in R11, as the instruction is defined. On
 * hardware the stub's SYSRET takes them from there; on PVM they are put where they belong here.
 */
void stub_return(struct vcpu *vcpu)
{
    struct kvm_regs *regs = vcpu->regs;

    regs->r11 = cpu_clean_flags(regs->r11);
    if (!vcpu->vm->hardware) {
        regs->rip = regs->rcx;
        regs->rflags = regs->r11;
    }
    vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

bool stub_has_left(const struct vcpu *vcpu)
{
    return vcpu->regs->rip - (uint64_t)vcpu->stub < PAGE_SIZE;
}
