// SPDX-License-Identifier: Apache-2.0
/*
 * padding.c: room in code that is never executed: the NOPs or INT3s by which compilers fill up what
 * an instruction that goes elsewhere leaves before the next label.
 *
 * Bytes are an instruction only for a reader that comes from the one before them. So the search
 * begins at one that is executed, and goes by the lengths of instructions, of those that compilers
 * make around system calls; at any other one it ends. Intel SDM volume 2, appendix A: "Opcode Map".
 */
#include "base/base.h"
#include "memory/memory.h"

#include <string.h>

#define ALIGNED 16UL /* what a label is at that could be jumped to behind other code */
#define OPERAND 0x66

/* What follows an opcode: a byte ModRM and what that says, so many bytes; and the code goes on. */
enum { MODRM = 0x10, SIZES = 0x0f, ENDS = 0x20, KNOWN = 0x40, WORD = 0x80 };

static uint8_t form_of_two(uint8_t opcode)
{
    switch (opcode) {
    case 0x05: /* SYSCALL */
    case 0xa2: /* CPUID */
        return KNOWN;
    case 0x0b: /* UD2 */
        return KNOWN | ENDS;
    case 0xba: /* BT and its kin */
        return KNOWN | MODRM | 1;
    default:
        break;
    }
    if (opcode >= 0x80 && opcode <= 0x8f) { /* Jcc */
        return KNOWN | 4;
    }
    return (opcode >= 0x10 && opcode <= 0x1f) || (opcode >= 0x28 && opcode <= 0x2f) ||
                   (opcode >= 0x40 && opcode <= 0x6f) || (opcode >= 0x90 && opcode <= 0x9f) ||
                   opcode == 0x7e || opcode == 0x7f || opcode == 0xa3 || opcode == 0xab ||
                   (opcode >= 0xaf && opcode <= 0xb1) || opcode == 0xb6 || opcode == 0xb7 ||
                   (opcode >= 0xbc && opcode <= 0xc1) || opcode == 0xd6 || opcode == 0xef
               ? KNOWN | MODRM
               : 0;
}

static uint8_t form_of_arithmetic(uint8_t opcode)
{
    uint8_t way = opcode & 7;

    return way < 4 ? KNOWN | MODRM : way == 4 ? KNOWN | 1 : way == 5 ? KNOWN | WORD : 0;
}

static uint8_t form_of_one(uint8_t opcode, uint8_t modrm)
{
    uint8_t reg = modrm >> 3 & 7;

    if (opcode < 0x40) {
        return form_of_arithmetic(opcode);
    }
    if ((opcode >= 0x50 && opcode <= 0x5f) || (opcode >= 0x90 && opcode <= 0x99) ||
        opcode == 0x9c || opcode == 0x9d || opcode == 0xc9) {
        return KNOWN;
    }
    if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xb0 && opcode <= 0xb7) ||
        opcode == 0x6a || opcode == 0xa8) {
        return KNOWN | 1;
    }
    if ((opcode >= 0x84 && opcode <= 0x8b) || opcode == 0x8d || opcode == 0x8f || opcode == 0x63 ||
        (opcode >= 0xd0 && opcode <= 0xd3) || opcode == 0xfe) {
        return KNOWN | MODRM;
    }
    switch (opcode) {
    case 0x68: /* PUSH */
    case 0xa9: /* TEST */
        return KNOWN | WORD;
    case 0x69: /* IMUL */
    case 0x81:
    case 0xc7:
        return KNOWN | MODRM | WORD;
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
        return KNOWN | MODRM | 1;
    case 0xf6: /* TEST has an operand, the others of the group have not */
        return KNOWN | MODRM | (reg < 2);
    case 0xf7:
        return reg < 2 ? KNOWN | MODRM | WORD : KNOWN | MODRM;
    case 0xe8: /* CALL */
        return KNOWN | 4;
    case 0xe9: /* JMP */
        return KNOWN | ENDS | 4;
    case 0xeb:
        return KNOWN | ENDS | 1;
    case 0xc3: /* RET */
        return KNOWN | ENDS;
    case 0xff:
        return reg == 4 ? KNOWN | ENDS | MODRM : KNOWN | MODRM;
    default:
        return 0;
    }
}

/* The length of a ModRM byte with what it makes follow. */
static size_t modrm_length(const uint8_t *code)
{
    uint8_t mode = code[0] >> 6, base = code[0] & 7;
    size_t length = 1;

    if (mode == 3) {
        return length;
    }
    if (base == 4) {
        base = code[1] & 7;
        length++;
    }
    return length + (mode == 1 ? 1U : mode == 2 || base == 5 ? 4U : 0U);
}

/* The length of the instruction, of which 16 bytes can be read; 0: not known. */
static size_t length_of(const uint8_t *code, bool *ends)
{
    bool small = false, wide = false;
    size_t at = 0;
    uint8_t form;

    while (at < 4 && (code[at] == OPERAND || code[at] == 0x2e || code[at] == 0x64 ||
                      code[at] == 0xf2 || code[at] == 0xf3)) {
        small |= code[at++] == OPERAND;
    }
    if ((code[at] & 0xf0) == 0x40) {
        wide = code[at++] & 8;
    }
    if (code[at] == 0x0f) {
        form = form_of_two(code[++at]);
    } else if (code[at] >= 0xb8 && code[at] <= 0xbf) { /* MOV: the only one with eight bytes */
        form = wide ? KNOWN | 8 : KNOWN | WORD;
    } else {
        form = form_of_one(code[at], code[at + 1]);
    }
    *ends = form & ENDS;
    at++;
    if (form & MODRM) {
        at += modrm_length(code + at);
    }
    at += (form & SIZES) + (form & WORD ? small && !wide ? 2U : 4U : 0U);
    return form & KNOWN ? at : 0;
}

/* The length of an instruction that does nothing: a NOP of more than a byte, or INT3; else 0. */
static size_t filler_length(const uint8_t *code)
{
    size_t at = 0;

    if (code[0] == 0xcc) {
        return 1;
    }
    while (at < 10 && (code[at] == OPERAND || code[at] == 0x2e)) {
        at++;
    }
    if (at && code[at] == 0x90) {
        return at + 1;
    }
    return code[at] == 0x0f && code[at + 1] == 0x1f ? at + 2 + modrm_length(code + at + 2) : 0;
}

static size_t fillers(const uint8_t *code, size_t size)
{
    size_t at = 0, length = 1;

    while (at < size && length) {
        length = filler_length(code + at);
        at += length;
    }
    return at;
}

size_t padding_find(const uint8_t *code, size_t size, uint64_t addr, size_t wanted,
                    bool (*is_free)(uint64_t addr))
{
    bool ends = false;
    size_t at = 0, length = 1;

    while (length && at + wanted <= size) {
        uint64_t in_line = (addr + at) % ALIGNED, rest = ALIGNED - in_line;

        ends = ends && in_line; /* what is aligned may be jumped to */
        /* All of the rest: a probe's NOP, at a label behind a jump, has code behind it. */
        if (ends && wanted <= rest && fillers(code + at, rest) >= rest && is_free(addr + at)) {
            return at;
        }
        length = ends ? filler_length(code + at) : 0;
        if (!length) {
            length = length_of(code + at, &ends);
        }
        at += length;
    }
    return 0;
}
