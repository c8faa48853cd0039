// SPDX-License-Identifier: Apache-2.0
/*
 * Runs instructions that only a kernel may run, and jumps to where only the monitor is, as its
 * arguments say.
 */
#include "payload.h"

#include <sys/mman.h>

static unsigned char *code;

/* Run up to 15 bytes of code, with RAX and RDX set, then return. */
static void run(uint64_t rax, uint64_t rdx, const char *bytes, size_t size)
{
    memset(code, 0x90, 15);
    memcpy(code, bytes, size);
    code[15] = 0xc3;
    __asm__ volatile("call *%2"
                     : "+a"(rax), "+d"(rdx)
                     : "r"(code)
                     : "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    printf("went on\n");
}

#define RUN(rax, rdx, bytes) run(rax, rdx, bytes, sizeof(bytes) - 1)

static void jump(uint64_t to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rcx; movl $39, %%eax; movl $0x202, %%r11d; jmp *%0; 1:"
                     :
                     : "r"(to)
                     : "rax", "rcx", "rdx", "r11", "memory", "cc");
    printf("went on\n");
}

static const struct {
    const char *name, *bytes;
    size_t size;
} instructions[] = {
#define INSTRUCTION(name, bytes) {name, bytes, sizeof(bytes) - 1}
    INSTRUCTION("hlt", "\xf4"),
    INSTRUCTION("cli", "\xfa"),
    INSTRUCTION("sti", "\xfb"),
    INSTRUCTION("in", "\xec"),
    INSTRUCTION("insb", "\x6c"),
    INSTRUCTION("outsb", "\x6e"),
    INSTRUCTION("clts", "\x0f\x06"),
    INSTRUCTION("invd", "\x0f\x08"),
    INSTRUCTION("wbinvd", "\x0f\x09"),
    INSTRUCTION("rdmsr", "\x0f\x32"),
    INSTRUCTION("wrmsr", "\x0f\x30"),
    INSTRUCTION("rdpmc", "\x0f\x33"),
    INSTRUCTION("mov-from-cr0", "\x0f\x20\xc0"),
    INSTRUCTION("mov-to-cr3", "\x0f\x22\xd8"),
    INSTRUCTION("mov-from-dr7", "\x0f\x21\xf8"),
    INSTRUCTION("lgdt", "\x0f\x01\x10"),
    INSTRUCTION("lidt", "\x0f\x01\x18"),
    INSTRUCTION("lldt", "\x0f\x00\xd0"),
    INSTRUCTION("ltr", "\x0f\x00\xd8"),
    INSTRUCTION("invlpg", "\x0f\x01\x38"),
    INSTRUCTION("swapgs", "\x0f\x01\xf8"),
    INSTRUCTION("vmcall", "\x0f\x01\xc1"),
    INSTRUCTION("vmrun", "\x0f\x01\xd8"),
    INSTRUCTION("xsetbv", "\x0f\x01\xd1"),
    INSTRUCTION("sysret", "\x48\x0f\x07"),
    INSTRUCTION("sysexit", "\x0f\x35"),
    INSTRUCTION("mov-ss", "\x8e\xd0"),
    INSTRUCTION("lock-nop", "\xf0\x90"),
    INSTRUCTION("iret-to-ring-0", "\x6a\x10\x54\x9c\x6a\x08\xff\x35\x00\x00\x00\x00\x48\xcf"),
    INSTRUCTION("far-return", "\x6a\x08\x50\x48\xcb"),
    INSTRUCTION("vmmcall", "\x0f\x01\xd9"),
    INSTRUCTION("vmload", "\x0f\x01\xda"),
    INSTRUCTION("vmsave", "\x0f\x01\xdb"),
    INSTRUCTION("stgi", "\x0f\x01\xdc"),
    INSTRUCTION("clgi", "\x0f\x01\xdd"),
    INSTRUCTION("skinit", "\x0f\x01\xde"),
    INSTRUCTION("invlpga", "\x0f\x01\xdf"),
    INSTRUCTION("vmlaunch", "\x0f\x01\xc2"),
    INSTRUCTION("vmresume", "\x0f\x01\xc3"),
    INSTRUCTION("vmxoff", "\x0f\x01\xc4"),
    INSTRUCTION("vmread", "\x0f\x78\xc0"),
    INSTRUCTION("vmwrite", "\x0f\x79\xc0"),
    INSTRUCTION("vmptrld", "\x0f\xc7\x30"),
    INSTRUCTION("vmclear", "\x66\x0f\xc7\x30"),
    INSTRUCTION("vmxon", "\xf3\x0f\xc7\x30"),
    INSTRUCTION("invept", "\x66\x0f\x38\x80\x00"),
    INSTRUCTION("invvpid", "\x66\x0f\x38\x81\x00"),
    INSTRUCTION("vmfunc", "\x0f\x01\xd4"),
    INSTRUCTION("invpcid", "\x66\x0f\x38\x82\x00"),
    INSTRUCTION("pconfig", "\x0f\x01\xc5"),
    INSTRUCTION("wrmsrns", "\x0f\x01\xc6"),
    INSTRUCTION("enqcmd", "\xf2\x0f\x38\xf8\x00"),
    INSTRUCTION("xsaves", "\x48\x0f\xc7\x28"),
    INSTRUCTION("xrstors", "\x0f\xc7\x18"),
    INSTRUCTION("getsec", "\x0f\x37"),
    INSTRUCTION("encls", "\x0f\x01\xcf"),
    INSTRUCTION("enclu", "\x0f\x01\xd7"),
    INSTRUCTION("tdcall", "\x66\x0f\x01\xcc"),
    INSTRUCTION("monitor", "\x0f\x01\xc8"),
    INSTRUCTION("mwait", "\x0f\x01\xc9"),
    INSTRUCTION("clac", "\x0f\x01\xca"),
    INSTRUCTION("stac", "\x0f\x01\xcb"),
    INSTRUCTION("rsm", "\x0f\xaa"),
    INSTRUCTION("ud0", "\x0f\xff\xc0"),
    INSTRUCTION("ud1", "\x0f\xb9\xc0"),
    INSTRUCTION("ud2", "\x0f\x0b"),
    INSTRUCTION("rdtscp", "\x0f\x01\xf9"),
    INSTRUCTION("xgetbv", "\x31\xc9\x0f\x01\xd0"),
    INSTRUCTION("xgetbv-of-none", "\x31\xc9\xff\xc9\x0f\x01\xd0"),
    INSTRUCTION("lmsw", "\x0f\x01\xf0"),
    INSTRUCTION("smsw", "\x0f\x01\xe0"),
    INSTRUCTION("sldt", "\x0f\x00\xc0"),
    INSTRUCTION("str", "\x0f\x00\xc8"),
    INSTRUCTION("sgdt", "\x0f\x01\x44\x24\xc0"),
    INSTRUCTION("sidt", "\x0f\x01\x4c\x24\xc0"),
    INSTRUCTION("mov-from-cr8", "\x44\x0f\x20\xc0"),
    INSTRUCTION("wbnoinvd", "\xf3\x0f\x09"),
    INSTRUCTION("tpause", "\x31\xc0\x99\x66\x0f\xae\xf2"),
    INSTRUCTION("setssbsy", "\xf3\x0f\x01\xe8"),
    INSTRUCTION("senduipi", "\xf3\x0f\xc7\xf0"),
    INSTRUCTION("uiret", "\xf3\x0f\x01\xec"),
    INSTRUCTION("rdpru", "\x0f\x01\xfd"),
    INSTRUCTION("pvalidate", "\xf2\x0f\x01\xff"),
    INSTRUCTION("push-es", "\x06"),
    INSTRUCTION("into", "\xce"),
    INSTRUCTION("aam", "\xd4\x0a"),
    INSTRUCTION("far-call", "\x9a\x00\x00\x00\x00\x33\x00"),
    INSTRUCTION("far-jump", "\xea\x00\x00\x00\x00\x33\x00"),
    INSTRUCTION("sysenter", "\x0f\x34"),
    INSTRUCTION("undefined-0f", "\x0f\x04"),
    INSTRUCTION("llwpcb", "\x8f\xe9\x78\x12\xc0"),
    INSTRUCTION("release-tiles", "\xc4\xe2\x78\x49\xc0"),
    INSTRUCTION("far-return-to-tss", "\x6a\x38\x50\x48\xcb"),
};

int main(int argc, char **argv)
{
    uint64_t number = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

    code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (is_case(argv, "jump")) {
        jump(number);
    } else if (is_case(argv, "out")) {
        RUN(0xff, number, "\xee");
    } else if (is_case(argv, "int")) {
        const char bytes[] = {(char)0xcd, (char)number};

        run(0, 0, bytes, 2);
    } else {
        for (size_t i = 0; i < LEN(instructions); i++) {
            if (is_case(argv, instructions[i].name)) {
                run((uint64_t)code, 0, instructions[i].bytes, instructions[i].size);
            }
        }
    }
    return 0;
}
