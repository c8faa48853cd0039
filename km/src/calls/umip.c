// SPDX-License-Identifier: Apache-2.0
/*
 * umip.c: emulate the instructions that reveal the addresses of the CPU's tables: SGDT, SIDT, SLDT,
 * STR, SMSW.
 *
 * In the guest these tables are the monitor's memory, whose place is not for a payload to know. So
 * CR4.UMIP makes the instructions #GP at CPL 3, as on a host, where Linux answers them with values
 * of its own (arch/x86/kernel/umip.c): here with the same ones.
 *
 * How an operand is encoded: Intel SDM volume 2A, chapter 2.
 */
#include "calls/exception.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <string.h>

#define INSTRUCTION_MAX 15
#define GDT_BASE 0xfffffffffffe0000UL
#define IDT_BASE 0xffffffffffff0000UL
#define CR0_VALUE 0x80050033UL
#define TSS_SELECTOR 0x40UL

struct decoded {
    uint8_t code[INSTRUCTION_MAX];
    size_t size, at;      /* bytes that are there, and that are decoded */
    uint8_t rex, segment; /* prefixes, or 0 */
    bool word, narrow;    /* operands of 16 bits, addresses of 32 */
    uint8_t mod, reg, rm;
};

/* A register by its number in an encoding. */
static uint64_t *reg_of(struct kvm_regs *r, unsigned number)
{
    __u64 *const regs[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
                             &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
                             &r->r12, &r->r13, &r->r14, &r->r15};

    return (uint64_t *)regs[number & 15];
}

static uint8_t next(struct decoded *d)
{
    return d->at < d->size ? d->code[d->at++] : 0;
}

static int64_t next_number(struct decoded *d, size_t bytes)
{
    int32_t value = 0;

    if (bytes == 1) {
        return (int8_t)next(d);
    }
    for (size_t i = 0; i < bytes; i++) {
        value = (int32_t)((uint32_t)value | (uint32_t)next(d) << 8 * i);
    }
    return value;
}

static bool take_prefix(struct decoded *d, uint8_t byte)
{
    switch (byte) {
    case 0x66:
        d->word = true;
        return true;
    case 0x67:
        d->narrow = true;
        return true;
    case 0x64:
    case 0x65:
        d->segment = byte;
        return true;
    default:
        return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0xf2 ||
               byte == 0xf3;
    }
}

/* Up to ModRM. False: it is none of the five. */
static bool decode(struct decoded *d, uint64_t rip)
{
    uint8_t group, modrm;

    while (d->size < INSTRUCTION_MAX && guest_read(d->code + d->size, rip + d->size, 1) == 0) {
        d->size++;
    }
    while (d->at < d->size && take_prefix(d, d->code[d->at])) {
        d->at++;
    }
    if (d->at < d->size && (d->code[d->at] & 0xf0) == 0x40) {
        d->rex = next(d);
    }
    if (next(d) != 0x0f) {
        return false;
    }
    group = next(d);
    modrm = next(d);
    d->mod = modrm >> 6;
    d->reg = modrm >> 3 & 7;
    d->rm = modrm & 7;
    return (group == 0 && d->reg <= 1) ||
           (group == 1 && (d->reg == 4 || (d->reg <= 1 && d->mod != 3)));
}

static uint64_t base_of(struct vcpu *vcpu, uint8_t segment)
{
    uint64_t fs, gs;

    if (!segment) {
        return 0;
    }
    cpu_get_bases(vcpu, &fs, &gs);
    return segment == 0x64 ? fs : gs;
}

/* Where the operand is in memory; the decoding is at the instruction's end then. */
static uint64_t address(struct vcpu *vcpu, struct decoded *d)
{
    struct kvm_regs *r = vcpu->regs;
    unsigned high = d->rex & 1 ? 8 : 0;
    uint64_t sum = 0;
    bool of_rip = d->mod == 0 && d->rm == 5, no_base = false;

    if (d->rm == 4) {
        uint8_t sib = next(d);
        unsigned index = (sib >> 3 & 7U) + (d->rex & 2 ? 8 : 0);

        no_base = d->mod == 0 && (sib & 7) == 5;
        sum += index == 4 ? 0 : *reg_of(r, index) << (sib >> 6);
        sum += no_base ? 0 : *reg_of(r, (sib & 7U) + high);
    } else if (!of_rip) {
        sum += *reg_of(r, d->rm + high);
    }
    sum += (uint64_t)next_number(d, d->mod == 1 ? 1 : d->mod == 2 || of_rip || no_base ? 4 : 0);
    sum += of_rip ? r->rip + d->at : 0;
    return (d->narrow ? (uint32_t)sum : sum) + base_of(vcpu, d->segment);
}

static bool store_table(struct vcpu *vcpu, struct decoded *d, uint64_t base)
{
    uint8_t bytes[10] = {0};

    memcpy(bytes + 2, &base, sizeof(base));
    return guest_write(address(vcpu, d), bytes, sizeof(bytes)) == 0;
}

static bool store_value(struct vcpu *vcpu, struct decoded *d, uint64_t value)
{
    uint16_t low = (uint16_t)value;
    uint64_t *reg;

    if (d->mod != 3) {
        return guest_write(address(vcpu, d), &low, sizeof(low)) == 0;
    }
    reg = reg_of(vcpu->regs, d->rm + (d->rex & 1 ? 8U : 0U));
    *reg = d->word && !(d->rex & 8) ? (*reg & ~0xffffUL) | low : value;
    return true;
}

bool umip_answer(struct vcpu *vcpu)
{
    struct decoded d = {.size = 0};
    bool stored;

    if (!decode(&d, vcpu->regs->rip)) {
        return false;
    }
    if (d.code[d.at - 2] == 0) {
        stored = store_value(vcpu, &d, d.reg == 0 ? 0 : TSS_SELECTOR);
    } else if (d.reg == 4) {
        stored = store_value(vcpu, &d, CR0_VALUE);
    } else {
        stored = store_table(vcpu, &d, d.reg == 0 ? GDT_BASE : IDT_BASE);
    }
    if (stored) {
        vcpu->regs->rip += d.at;
    }
    return stored;
}
