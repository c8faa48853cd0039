// SPDX-License-Identifier: Apache-2.0
/*
 * bpf.c: check and run a program of classic BPF, as the kernel's seccomp does: with 32-bit words,
 * loads from `struct seccomp_data` only, and jumps that go forward only, so that it ends.
 */
#include "calls/filters.h"

#include <string.h>

/* ---- check ---- */

static bool is_allowed(uint16_t code)
{
    unsigned size_and_mode = code & ~0x07U, operation = code & ~0x0fU; /* without BPF_X */

    switch (BPF_CLASS(code)) {
    case BPF_LD:
        return size_and_mode == BPF_ABS || size_and_mode == BPF_LEN || size_and_mode == BPF_IMM ||
               size_and_mode == BPF_MEM;
    case BPF_LDX:
        return size_and_mode == BPF_LEN || size_and_mode == BPF_IMM || size_and_mode == BPF_MEM;
    case BPF_ALU:
        return operation < BPF_NEG || operation == BPF_XOR || size_and_mode == BPF_NEG;
    case BPF_JMP:
        return size_and_mode == BPF_JA || (operation && operation <= BPF_JSET);
    case BPF_RET:
        return size_and_mode == BPF_K || size_and_mode == BPF_A;
    case BPF_MISC:
        return size_and_mode == BPF_TAX || size_and_mode == BPF_TXA;
    default: /* BPF_ST, BPF_STX */
        return !size_and_mode;
    }
}

static bool is_memory(uint16_t code)
{
    return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) || code == BPF_ST ||
           code == BPF_STX;
}

/* Whether the instruction's number is one that it can have, with `left` instructions after it. */
static bool is_operand(const struct sock_filter *at, size_t left)
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return at->k < sizeof(struct seccomp_data) && at->k % 4 == 0;
    case BPF_ALU | BPF_DIV | BPF_K:
        return at->k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return at->k < 32;
    case BPF_JMP | BPF_JA:
        return at->k < left;
    default:
        break;
    }
    if (is_memory(at->code)) {
        return at->k < BPF_MEMWORDS;
    }
    return BPF_CLASS(at->code) != BPF_JMP || (at->jt < left && at->jf < left);
}

/* Whether each word of memory has been written, on each way to where it is read. */
static bool writes_first(const struct sock_filter *code, size_t count)
{
    uint16_t lacking[BPF_MAXINSNS] = {
        0}; /* bits, by instruction: words that some way to it lacks */
    uint16_t lacks = 0xffff;

    for (size_t i = 0; i < count; i++) {
        const struct sock_filter *at = &code[i];

        lacks |= lacking[i];
        if (at->code == BPF_ST || at->code == BPF_STX) {
            lacks &= (uint16_t)~(1U << at->k);
        } else if (is_memory(at->code)) {
            if (lacks & 1U << at->k) {
                return false;
            }
        } else if (at->code == (BPF_JMP | BPF_JA)) {
            lacking[i + 1 + at->k] |= lacks;
            lacks = 0;
        } else if (BPF_CLASS(at->code) == BPF_JMP) {
            lacking[i + 1 + at->jt] |= lacks;
            lacking[i + 1 + at->jf] |= lacks;
            lacks = 0;
        }
    }
    return true;
}

bool bpf_check(const struct sock_filter *code, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_allowed(code[i].code) || !is_operand(&code[i], count - i - 1)) {
            return false;
        }
    }
    return count && BPF_CLASS(code[count - 1].code) == BPF_RET && writes_first(code, count);
}

/* ---- run ---- */

static uint32_t calculate(uint16_t code, uint32_t a, uint32_t by)
{
    switch (BPF_OP(code)) {
    case BPF_ADD:
        return a + by;
    case BPF_SUB:
        return a - by;
    case BPF_MUL:
        return a * by;
    case BPF_DIV:
        return a / by;
    case BPF_AND:
        return a & by;
    case BPF_OR:
        return a | by;
    case BPF_XOR:
        return a ^ by;
    case BPF_LSH:
        return a << (by & 31);
    case BPF_RSH:
        return a >> (by & 31);
    default: /* BPF_NEG */
        return -a;
    }
}

static bool holds(uint16_t code, uint32_t a, uint32_t than)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return a == than;
    case BPF_JGE:
        return a >= than;
    case BPF_JGT:
        return a > than;
    default: /* BPF_JSET */
        return a & than;
    }
}

static uint32_t load(const struct sock_filter *at, const struct seccomp_data *data,
                     const uint32_t memory[BPF_MEMWORDS])
{
    uint32_t word;

    switch (BPF_MODE(at->code)) {
    case BPF_ABS:
        memcpy(&word, (const char *)data + at->k, sizeof(word));
        return word;
    case BPF_LEN:
        return sizeof(*data);
    case BPF_MEM:
        return memory[at->k];
    default: /* BPF_IMM */
        return at->k;
    }
}

uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data)
{
    uint32_t memory[BPF_MEMWORDS] = {0}, a = 0, x = 0;

    for (const struct sock_filter *at = code;; at++) {
        uint32_t operand = BPF_SRC(at->code) == BPF_X ? x : at->k;

        switch (BPF_CLASS(at->code)) {
        case BPF_LD:
            a = load(at, data, memory);
            break;
        case BPF_LDX:
            x = load(at, data, memory);
            break;
        case BPF_ST:
            memory[at->k] = a;
            break;
        case BPF_STX:
            memory[at->k] = x;
            break;
        case BPF_ALU:
            if (BPF_OP(at->code) == BPF_DIV && !operand) {
                return 0;
            }
            a = calculate(at->code, a, operand);
            break;
        case BPF_JMP:
            if (BPF_OP(at->code) == BPF_JA) {
                at += at->k;
            } else {
                at += holds(at->code, a, operand) ? at->jt : at->jf;
            }
            break;
        case BPF_RET:
            return BPF_RVAL(at->code) == BPF_A ? a : at->k;
        default: /* BPF_MISC */
            if (BPF_MISCOP(at->code) == BPF_TAX) {
                x = a;
            } else {
                a = x;
            }
            break;
        }
    }
}
