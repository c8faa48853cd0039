// SPDX-License-Identifier: Apache-2.0
/*
 * Asks the CPU where its tables are, by each form of operand: where CPUID shows UMIP, it gets
 * Linux's answers, and not the place of the monitor's memory.
 */
#include "payload.h"

#include <cpuid.h>
#include <sys/mman.h>

#define GDT 0xfffffffffffe0000UL
#define IDT 0xffffffffffff0000UL

struct place {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct place here;

static bool is(const struct place *place, uint64_t base)
{
    return place->limit == 0 && place->base == base;
}

static void ask_in_memory(void)
{
    static struct place table[4];
    struct place local = {1, 1};
    uint64_t one = 1;
    uint16_t word = 1;

    __asm__ volatile("sgdt %0" : "=m"(local));
    CHECK(is(&local, GDT));
    __asm__ volatile("sidt %0" : "=m"(here));
    CHECK(is(&here, IDT));
    __asm__ volatile("movq %0, %%r13; sgdt 10(%%r13)" ::"r"(table) : "r13", "memory");
    CHECK(is(&table[1], GDT));
    __asm__ volatile("movq %0, %%r12; movq %1, %%r9; sidt 18(%%r12, %%r9, 2)" ::"r"(table), "r"(one)
                     : "r9", "r12", "memory");
    CHECK(is(&table[2], IDT));
    __asm__ volatile(
        "movq %%rsp, %%rbx; leaq -4096(%%rsp), %%rsp; sgdt (%%rsp); movq 2(%%rsp), %0; "
        "movq %%rbx, %%rsp"
        : "=r"(one)
        :
        : "rbx", "memory");
    CHECK(one == GDT);
    __asm__ volatile("str %0" : "=m"(word));
    CHECK(word == 0x40);
    __asm__ volatile("sldt %0" : "=m"(word));
    CHECK(word == 0);
}

static void ask_in_registers(void)
{
    uint64_t value = 0x1234567812345678, other = value;

    __asm__ volatile("smsw %0" : "+r"(value));
    CHECK((value & 0xffffffff) == 0x80050033);
    __asm__ volatile("movq %0, %%r11; smsw %%r11w; movq %%r11, %0" : "+r"(other) : : "r11");
    CHECK(other == 0x1234567812340033);
    __asm__ volatile("str %0" : "=r"(value));
    CHECK((value & 0xffff) == 0x40);
}

/* An operand that cannot be written is a fault as any other: the program goes on elsewhere. */
static void ask_near_the_end(void)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct place *last = (struct place *)(pages + PAGE - sizeof(*last));

    (void)munmap(pages + PAGE, PAGE);
    __asm__ volatile("sgdt (%0)" ::"r"(last) : "memory");
    CHECK(is(last, GDT));
}

int main(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ecx & 1U << 2) {
        ask_in_memory();
        ask_in_registers();
        ask_near_the_end();
    }
    return 0;
}
