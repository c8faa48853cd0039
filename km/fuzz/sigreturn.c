// SPDX-License-Identifier: Apache-2.0
/*
 * sigreturn.c: libFuzzer gives sigframe_pop() a frame and the memory around it: it is refused, or
 * what the vCPU gets is what a payload may have.
 */
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STACK 0x10000000UL
#define FLAGS_NEVER 0x1a3000UL /* IOPL, VM, VIF, VIP */

struct options options;
static const uint8_t *memory;
static size_t memory_size;

int64_t guest_read(void *to, uint64_t addr, uint64_t len)
{
    if (addr < STACK || addr - STACK > memory_size || len > memory_size - (addr - STACK)) {
        return -EFAULT;
    }
    memcpy(to, memory + (addr - STACK), len);
    return 0;
}

int64_t guest_write(uint64_t addr, const void *from, uint64_t len)
{
    (void)addr, (void)from, (void)len;
    return -EFAULT;
}

int ioctl(int fd, unsigned long request, ...) /* KVM takes every state */
{
    (void)fd, (void)request;
    return 0;
}

_Noreturn void die(int status, const char *fix, const char *what, ...)
{
    (void)status, (void)fix, (void)what;
    abort();
}

void cpu_leave_stub(struct vcpu *vcpu)
{
    (void)vcpu;
}

uint64_t cpu_clean_flags(uint64_t rflags)
{
    return (rflags & 0x254dd5UL) | 0x202UL; /* cpu.c */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t scratch[SCRATCH_SIZE];
    struct kvm_regs regs = {.rsp = STACK + 8, .rflags = 0x202};
    struct vcpu vcpu = {.regs = &regs, .scratch = scratch};
    uint64_t mask;

    memory = data;
    memory_size = size;
    if (sigframe_pop(&vcpu, &mask) &&
        (regs.rip >= GUEST_TOP || regs.rflags & FLAGS_NEVER || !(regs.rflags & 0x200))) {
        abort();
    }
    return 0;
}
