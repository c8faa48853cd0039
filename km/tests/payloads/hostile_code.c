// SPDX-License-Identifier: Apache-2.0
/*
 * Runs instructions that only a kernel may run, and jumps to where only the monitor is: what its
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
