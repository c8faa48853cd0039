// SPDX-License-Identifier: Apache-2.0
/*
 * instruction.c: the CPU's own exception at an instruction that no program may execute: that there
 * is none such (#UD), or that it is for kernels (#GP). On PVM, KVM's emulator looks at both, and
 * raises the one for the other where it does not go by the CPU that it is on.
 *
 * Intel SDM volume 2 and AMD APM volume 3, the instructions' sections "Exceptions".
 */
#include "base/base.h"
#include "calls/exception.h"
#include "memory/memory.h"

#include <cpuid.h>
#include <string.h>

#define UD 6U
#define GP 13U
#define INSTRUCTION_MAX 15
#define AUTHENTIC_AMD 0x68747541U /* the first four letters of each */
#define HYGON_GENUINE 0x6f677948U
#define ANY_REG 8 /* no ModRM byte that tells */

/* Which CPUs have it: there it is #GP at CPL 3. */
enum having { NOBODY, AMD, BIT }; /* BIT: of a register of CPUID */
enum { EAX, EBX, ECX, EDX };

static const struct opcode {
    uint8_t prefix, size, bytes[3], first, last; /* of the next byte, which is one of a range */
    uint8_t reg;                                 /* in ModRM, or ANY_REG */
    enum having having;
    uint8_t leaf, subleaf, word, bit;
} opcodes[] = {
    {0, 2, {0x0f, 0x01}, 0xc5, 0xc5, ANY_REG, BIT, 7, 0, EDX, 18},       /* PCONFIG */
    {0, 2, {0x0f, 0x01}, 0xc6, 0xc6, ANY_REG, BIT, 7, 1, EAX, 19},       /* WRMSRNS */
    {0xf2, 2, {0x0f, 0x01}, 0xc6, 0xc6, ANY_REG, BIT, 7, 1, EAX, 27},    /* RDMSRLIST */
    {0xf3, 2, {0x0f, 0x01}, 0xc6, 0xc6, ANY_REG, BIT, 7, 1, EAX, 27},    /* WRMSRLIST */
    {0, 2, {0x0f, 0x01}, 0xc8, 0xc9, ANY_REG, NOBODY, 0, 0, 0, 0},       /* MONITOR MWAIT */
    {0, 2, {0x0f, 0x01}, 0xd8, 0xd8, ANY_REG, AMD, 0, 0, 0, 0},          /* VMRUN */
    {0, 2, {0x0f, 0x01}, 0xda, 0xdf, ANY_REG, AMD, 0, 0, 0, 0},          /* VMLOAD to INVLPGA */
    {0x66, 3, {0x0f, 0x38, 0x82}, 0, 0xbf, ANY_REG, BIT, 7, 0, EBX, 10}, /* INVPCID */
    {0xf2, 3, {0x0f, 0x38, 0xf8}, 0, 0xbf, ANY_REG, BIT, 7, 0, ECX, 29}, /* ENQCMD */
    {0xf3, 3, {0x0f, 0x38, 0xf8}, 0, 0xbf, ANY_REG, BIT, 7, 0, ECX, 29}, /* ENQCMDS */
    {0, 2, {0x0f, 0xc7}, 0, 0xbf, 3, BIT, 0xd, 1, EAX, 3},               /* XRSTORS */
    {0, 2, {0x0f, 0xc7}, 0, 0xbf, 5, BIT, 0xd, 1, EAX, 3},               /* XSAVES */
};

static bool cpu_has(const struct opcode *opcode)
{
    unsigned regs[4] = {0};

    (void)__get_cpuid_count(opcode->leaf, opcode->subleaf, &regs[EAX], &regs[EBX], &regs[ECX],
                            &regs[EDX]);
    switch (opcode->having) {
    case AMD: /* leaf 0: the vendor */
        return regs[EBX] == AUTHENTIC_AMD || regs[EBX] == HYGON_GENUINE;
    case BIT:
        return regs[opcode->word] & 1U << opcode->bit;
    default:
        return false;
    }
}

/* The length of its prefixes, REX included; *prefix is the one that is part of an opcode, or 0. */
static size_t skip_prefixes(const uint8_t *code, size_t size, uint8_t *prefix)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
    size_t at = 0;

    *prefix = 0;
    while (at < size && memchr(prefixes, code[at], sizeof(prefixes))) {
        if (code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0xf3) {
            *prefix = code[at];
        }
        at++;
    }
    return at + (at < size && (code[at] & 0xf0) == 0x40);
}

static bool matches(const struct opcode *opcode, uint8_t prefix, const uint8_t *code, size_t size)
{
    uint8_t last = size > opcode->size ? code[opcode->size] : 0;

    return size > opcode->size && prefix == opcode->prefix &&
           !memcmp(code, opcode->bytes, opcode->size) && last >= opcode->first &&
           last <= opcode->last && (opcode->reg == ANY_REG || (last >> 3 & 7) == opcode->reg);
}

/* INT with a number whose gate is not for programs. */
static bool is_interrupt(const uint8_t *code, size_t size, uint64_t *error)
{
    if (size < 2 || code[0] != 0xcd) {
        return false;
    }
    *error = (uint64_t)code[1] << 3 | 2; /* of the IDT; SDM volume 3, 6.13 */
    return true;
}

unsigned instruction_vector(uint64_t rip, unsigned vector, uint64_t *error)
{
    uint8_t code[INSTRUCTION_MAX], prefix;
    size_t size = 0, at;

    while (size < sizeof(code) && guest_read(code + size, rip + size, 1) == 0) {
        size++;
    }
    at = skip_prefixes(code, size, &prefix);
    if (is_interrupt(code + at, size - at, error)) {
        return GP;
    }
    for (size_t i = 0; at < size && i < ARRAY_LEN(opcodes); i++) {
        if (matches(&opcodes[i], prefix, code + at, size - at)) {
            return cpu_has(&opcodes[i]) ? GP : UD;
        }
    }
    return vector;
}
