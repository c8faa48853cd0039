// SPDX-License-Identifier: Apache-2.0
/*
 * registers.c: a thread's state as gdb numbers registers: by the order in the target
 * description that the stub gives it. Names and types are those of gdb's manual, "i386 Features";
 * the layout of the XSAVE image is that of the Intel SDM, volume 1, chapter 13.
 */
#include "base/base.h"
#include "gdb/gdb.h"
#include "machine/machine.h"
#include "task/task.h"

#include <string.h>

#define REGISTERS_MAX 96

/* Offsets in the XSAVE image. */
enum {
    FCW = 0,
    FSW = 2,
    FTW = 4,
    FOP = 6,
    FIP = 8,
    FDP = 16,
    MXCSR = 24,
    ST = 32,
    XMM = 160,
    XSTATE_BV = 512,
    YMMH = 576
};

#define IN_REGS(name) (offsetof(struct cpu_state, regs) + offsetof(struct kvm_regs, name))
#define IN_STATE(name) offsetof(struct cpu_state, name)
#define IN_XSAVE(offset) (offsetof(struct cpu_state, xsave) + (offset))
#define FIXED SIZE_MAX

/* Registers of one kind, one after the other in `names`. */
static const struct group {
    const char *feature, *names, *type;
    size_t bytes;  /* as gdb sees one */
    size_t at;     /* of the first in struct cpu_state, or FIXED */
    size_t stored; /* bytes there; where it is FIXED, the value */
    size_t step;   /* from one to the next */
} groups[] = {
    {"core", "rax rbx rcx rdx rsi rdi", "int64", 8, IN_REGS(rax), 8, 8},
    {"core", "rbp", "data_ptr", 8, IN_REGS(rbp), 8, 0},
    {"core", "rsp", "data_ptr", 8, IN_REGS(rsp), 8, 0},
    {"core", "r8 r9 r10 r11 r12 r13 r14 r15", "int64", 8, IN_REGS(r8), 8, 8},
    {"core", "rip", "code_ptr", 8, IN_REGS(rip), 8, 0},
    {"core", "eflags", "i386_eflags", 4, IN_REGS(rflags), 4, 0},
    {"core", "cs", "int32", 4, FIXED, 0x33, 0},
    {"core", "ss", "int32", 4, FIXED, 0x2b, 0},
    {"core", "ds es fs gs", "int32", 4, FIXED, 0, 0},
    {"core", "st0 st1 st2 st3 st4 st5 st6 st7", "i387_ext", 10, IN_XSAVE(ST), 10, 16},
    {"core", "fctrl", "int", 4, IN_XSAVE(FCW), 2, 0},
    {"core", "fstat", "int", 4, IN_XSAVE(FSW), 2, 0},
    {"core", "ftag", "int", 4, IN_XSAVE(FTW), 1, 0},
    {"core", "fiseg", "int", 4, IN_XSAVE(FIP + 4), 2, 0},
    {"core", "fioff", "int", 4, IN_XSAVE(FIP), 4, 0},
    {"core", "foseg", "int", 4, IN_XSAVE(FDP + 4), 2, 0},
    {"core", "fooff", "int", 4, IN_XSAVE(FDP), 4, 0},
    {"core", "fop", "int", 4, IN_XSAVE(FOP), 2, 0},
    {"sse", "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15",
     "vec128", 16, IN_XSAVE(XMM), 16, 16},
    {"sse", "mxcsr", "i386_mxcsr", 4, IN_XSAVE(MXCSR), 4, 0},
    {"linux", "orig_rax", "int", 8, FIXED, SIZE_MAX, 0},
    {"segments", "fs_base", "int", 8, IN_STATE(fs_base), 8, 0},
    {"segments", "gs_base", "int", 8, IN_STATE(gs_base), 8, 0},
    {"avx",
     "ymm0h ymm1h ymm2h ymm3h ymm4h ymm5h ymm6h ymm7h ymm8h ymm9h ymm10h ymm11h ymm12h ymm13h "
     "ymm14h ymm15h",
     "uint128", 16, IN_XSAVE(YMMH), 16, 16},
};

static struct reg {
    const struct group *group;
    char name[12];
    size_t at;
} regs[REGISTERS_MAX];
static unsigned reg_count;

static bool has_avx(void)
{
    uint64_t features;

    (void)xsave_size(&features);
    return features & XFEATURE_AVX;
}

/* The groups, register by register. */
static void list_registers(void)
{
    for (size_t i = 0; i < ARRAY_LEN(groups) && (i + 1 < ARRAY_LEN(groups) || has_avx()); i++) {
        const char *name = groups[i].names;

        for (size_t n = 0; *name; n++) {
            size_t length = strcspn(name, " ");
            struct reg *reg = &regs[reg_count++];

            *reg = (struct reg){.group = &groups[i], .at = groups[i].at};
            reg->at += groups[i].at == FIXED ? 0 : n * groups[i].step;
            memcpy(reg->name, name, length);
            name += length + strspn(name + length, " ");
        }
    }
}

static const struct reg *reg_of(unsigned number)
{
    if (!reg_count) {
        list_registers();
    }
    return number < reg_count ? &regs[number] : NULL;
}

/* ---- the description ---- */

static const char types_core[] =
    "<flags id=\"i386_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/>"
    "<field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
    "<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
    "<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
    "<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
    "<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
    "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char types_sse[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
    "<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
    "<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
    "<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
    "<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
    "<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
    "<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
    "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";

static const char *types_of(const char *feature)
{
    return !strcmp(feature, "core") ? types_core : !strcmp(feature, "sse") ? types_sse : "";
}

const char *registers_description(size_t *size)
{
    static struct packet text; /* large enough, and what packet_put() writes to */
    const char *feature = NULL;
    const struct reg *reg;

    if (!text.size) {
        packet_put(&text, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                          "<target><architecture>i386:x86-64</architecture>"
                          "<osabi>GNU/Linux</osabi>");
        for (unsigned i = 0; (reg = reg_of(i)); i++) {
            if (!feature || strcmp(feature, reg->group->feature) != 0) {
                packet_put(&text, "%s<feature name=\"org.gnu.gdb.i386.%s\">%s",
                           feature ? "</feature>" : "", reg->group->feature,
                           types_of(reg->group->feature));
            }
            feature = reg->group->feature;
            packet_put(&text, "<reg name=\"%s\" bitsize=\"%zu\" type=\"%s\"/>", reg->name,
                       8 * reg->group->bytes, reg->group->type);
        }
        packet_put(&text, "</feature></target>");
    }
    *size = text.size;
    return text.data;
}

/* ---- values ---- */

/* The XSAVE image has a bit for each register that is in use, gdb two: 0 is valid, 3 empty. */
static uint32_t full_tags(uint8_t in_use)
{
    uint32_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        tags |= (in_use & 1U << i ? 0U : 3U) << 2 * i;
    }
    return tags;
}

static uint8_t short_tags(uint32_t tags)
{
    uint8_t in_use = 0;

    for (unsigned i = 0; i < 8; i++) {
        in_use |= (uint8_t)((tags >> 2 * i & 3) != 3 ? 1U << i : 0);
    }
    return in_use;
}

static void read_one(const struct cpu_state *state, const struct reg *reg, struct packet *to)
{
    const struct group *group = reg->group;
    const uint8_t *at = (const uint8_t *)state + reg->at;
    uint8_t bytes[16] = {0};
    uint32_t tags;

    if (reg->at == FIXED) {
        memcpy(bytes, &group->stored, sizeof(group->stored));
    } else if (reg->at == IN_XSAVE(FTW)) {
        tags = full_tags(*at);
        memcpy(bytes, &tags, sizeof(tags));
    } else {
        memcpy(bytes, at, group->stored);
    }
    packet_put_hex(to, bytes, group->bytes);
}

bool registers_read(const struct cpu_state *state, unsigned number, struct packet *to)
{
    const struct reg *reg = reg_of(number);

    if (reg) {
        read_one(state, reg, to);
    }
    return reg;
}

void registers_read_all(const struct cpu_state *state, struct packet *to)
{
    const struct reg *reg;

    for (unsigned i = 0; (reg = reg_of(i)); i++) {
        read_one(state, reg, to);
    }
}

/* Whether a payload may have this value: its addresses are its own. */
static bool is_allowed(const struct reg *reg, const uint8_t bytes[16])
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return (reg->at != IN_REGS(rip) && reg->at != IN_STATE(fs_base) &&
            reg->at != IN_STATE(gs_base)) ||
           value < GUEST_TOP;
}

/* What the CPU would refuse does not get there; what is written is marked as in use. */
static void make_valid(struct cpu_state *state)
{
    uint8_t *xsave = (uint8_t *)&state->xsave;
    uint32_t mxcsr;
    uint64_t used;

    state->regs.rflags = cpu_clean_flags(state->regs.rflags);
    memcpy(&mxcsr, xsave + MXCSR, sizeof(mxcsr));
    mxcsr &= mxcsr_mask();
    memcpy(xsave + MXCSR, &mxcsr, sizeof(mxcsr));
    memcpy(&used, xsave + XSTATE_BV, sizeof(used));
    used |= has_avx() ? 7 : 3;
    memcpy(xsave + XSTATE_BV, &used, sizeof(used));
}

static bool write_one(struct cpu_state *state, const struct reg *reg, const char *from)
{
    uint8_t bytes[16] = {0}, *at = (uint8_t *)state + reg->at;
    uint32_t tags;

    if (hex_decode(from, bytes, reg->group->bytes) != reg->group->bytes ||
        !is_allowed(reg, bytes)) {
        return false;
    }
    if (reg->at == IN_XSAVE(FTW)) {
        memcpy(&tags, bytes, sizeof(tags));
        *at = short_tags(tags);
    } else if (reg->at != FIXED) { /* what cannot be changed stays, as for a process */
        memcpy(at, bytes, reg->group->stored);
    }
    return true;
}

bool registers_write(struct cpu_state *state, unsigned number, const char *from)
{
    const struct reg *reg = reg_of(number);

    if (!reg || !write_one(state, reg, from)) {
        return false;
    }
    make_valid(state);
    return true;
}

bool registers_write_all(struct cpu_state *state, const char *from)
{
    const struct reg *reg;

    for (unsigned i = 0; (reg = reg_of(i)); i++) {
        if (!write_one(state, reg, from)) {
            return false;
        }
        from += 2 * reg->group->bytes;
    }
    make_valid(state);
    return true;
}
