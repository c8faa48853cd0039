// SPDX-License-Identifier: Apache-2.0
/*
 * floor.c: the least that any monitor does on this host, as the floor that km is measured against.
 *
 *   floor           make a VM with one vCPU and a small memslot, let the guest exit once, and end
 *   floor exit N    also let it exit N times; print the nanoseconds of one
 *   floor sync N    likewise, and read and write the registers at each exit, through
 * KVM_CAP_SYNC_REGS
 *   floor call N    as sync, and the guest leaves by a SYSCALL, as a payload does
 *
 * The guest is a loop of one `out` at CPL 3 in 64-bit mode, where payloads run. Both ways that may
 * let it use the port are open, since kinds of KVM differ in which one they honour: IOPL 3, and the
 * bitmap of the TSS. Layouts: Intel SDM volume 3, chapters 3.4, 4.5 and 8.7. KVM in software enters
 * LSTAR at CPL 3 and wants no CPUID; hardware enters it at CPL 0, and takes 64-bit mode only from a
 * vCPU that has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define SIZE 0x5000UL /* of guest memory, at guest physical and virtual address 0 */
#define CODE 0x0UL
#define TABLES 0x1000UL /* one page each: PML4, PDPT, PD; every entry used is the first */
#define TSS 0x4000UL
#define IO_BITMAP 104 /* the offset of the bitmap in the TSS: right behind it */
#define PORT 0x10
#define CALL_CODE 0x40UL
#define CALL_STUB 0x50UL
#define PRESENT_WRITE_USER 0x7UL
#define LARGE 0x80UL
#define USER_CS 0x33
#define USER_SS 0x2b

struct guest {
    uint8_t *memory;
    struct kvm_run *run;
    int vcpu;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
    return result;
}

/* musl's ioctl takes its request as int. */
#define REQUEST(fd, request, argument)                                                             \
    check(ioctl(fd, (int)(request), argument), "floor: " #request)

static void *map(size_t size, int flags, int fd)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    check(memory == MAP_FAILED ? -1 : 0, "floor: mmap");
    return memory;
}

static void fill_memory(uint8_t *memory)
{
    static const uint8_t loop[] = {0xe6, PORT, 0xeb, 0xfc};      /* out %al, $PORT; jmp to it */
    static const uint8_t call_loop[] = {0x0f, 0x05, 0xeb, 0xfc}; /* syscall; jmp to it */
    static const uint8_t call_stub[] = {0xe6, PORT, 0xff, 0xe1}; /* out; jmp *%rcx */
    uint64_t *tables = (uint64_t *)(memory + TABLES);

    memcpy(memory + CODE, loop, sizeof(loop));
    memcpy(memory + CALL_CODE, call_loop, sizeof(call_loop));
    memcpy(memory + CALL_STUB, call_stub, sizeof(call_stub));
    tables[0] = (TABLES + 0x1000) | PRESENT_WRITE_USER;
    tables[512] = (TABLES + 0x2000) | PRESENT_WRITE_USER;
    tables[1024] = PRESENT_WRITE_USER | LARGE;
    memory[TSS + 102] = IO_BITMAP; /* the rest of the TSS, the bitmap included, is 0: allowed */
}

/* The least that a CPU of 64-bit mode says of itself; AMD APM volume 3, appendix E. */
static void set_cpuid(int vcpu)
{
    struct {
        struct kvm_cpuid2 head;
        struct kvm_cpuid_entry2 entries[4];
    } cpuid = {.head.nent = 4,
               .entries = {{.function = 0, .eax = 1},
                           {.function = 1, .edx = 0x0783fbff}, /* up to SSE2 */
                           {.function = 0x80000000, .eax = 0x80000001},
                           {.function = 0x80000001, .edx = 0x20100800}}}; /* LM NX SYSCALL */

    REQUEST(vcpu, KVM_SET_CPUID2, &cpuid);
}

static void set_registers(int vcpu)
{
    struct kvm_regs regs = {.rip = CODE, .rflags = 0x3002}; /* IOPL 3 */
    struct kvm_sregs sregs;

    REQUEST(vcpu, KVM_GET_SREGS, &sregs);
    sregs.cr0 = 0x80010033; /* PG WP NE ET MP PE */
    sregs.cr3 = TABLES;
    sregs.cr4 = 0x620;  /* OSXMMEXCPT OSFXSR PAE */
    sregs.efer = 0x501; /* LMA LME SCE */
    sregs.cs = (struct kvm_segment){.limit = ~0U,
                                    .selector = USER_CS,
                                    .type = 11,
                                    .present = 1,
                                    .dpl = 3,
                                    .s = 1,
                                    .l = 1,
                                    .g = 1};
    sregs.ss = (struct kvm_segment){.limit = ~0U,
                                    .selector = USER_SS,
                                    .type = 3,
                                    .present = 1,
                                    .dpl = 3,
                                    .s = 1,
                                    .db = 1,
                                    .g = 1};
    sregs.ds = sregs.es = sregs.ss;
    sregs.tr = (struct kvm_segment){
        .base = TSS, .limit = IO_BITMAP + PORT / 8 + 1, .selector = 0x40, .type = 11, .present = 1};
    if (ioctl(vcpu, (int)KVM_SET_SREGS, &sregs) < 0 && errno == EINVAL) {
        set_cpuid(vcpu);
        REQUEST(vcpu, KVM_SET_SREGS, &sregs);
    }
    REQUEST(vcpu, KVM_SET_REGS, &regs);
}

static struct guest guest_create(void)
{
    int kvm = check(open("/dev/kvm", O_RDWR | O_CLOEXEC), "floor: /dev/kvm");
    int vm = REQUEST(kvm, KVM_CREATE_VM, 0);
    int run_size = REQUEST(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct guest guest = {.memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1)};
    struct kvm_userspace_memory_region slot = {.memory_size = SIZE,
                                               .userspace_addr = (uint64_t)guest.memory};

    fill_memory(guest.memory);
    REQUEST(vm, KVM_SET_USER_MEMORY_REGION, &slot);
    guest.vcpu = REQUEST(vm, KVM_CREATE_VCPU, 0);
    guest.run = map((size_t)run_size, MAP_SHARED, guest.vcpu);
    set_registers(guest.vcpu);
    return guest;
}

static void run_to_exit(const struct guest *guest)
{
    REQUEST(guest->vcpu, KVM_RUN, 0);
    if (guest->run->exit_reason != KVM_EXIT_IO || guest->run->io.port != PORT) {
        (void)fprintf(stderr, "floor: exit reason %u, not the guest's out\n",
                      guest->run->exit_reason);
        exit(1);
    }
}

/* The guest goes on in the loop of SYSCALL, and comes back to it from wherever that leads. */
static void leave_by_call(const struct guest *guest)
{
    static const uint8_t sysret[] = {0x48, 0x0f, 0x07};
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entries[2];
    } msrs = {.head.nmsrs = 2,
              .entries = {{.index = 0xc0000081, .data = 0x23UL << 48 | 0x10UL << 32}, /* STAR */
                          {.index = 0xc0000082, .data = CALL_STUB}}};                 /* LSTAR */
    struct kvm_regs regs = {.rip = CALL_CODE, .rflags = 0x3002};
    struct kvm_sregs sregs;

    REQUEST(guest->vcpu, KVM_SET_MSRS, &msrs);
    REQUEST(guest->vcpu, KVM_SET_REGS, &regs);
    run_to_exit(guest);
    REQUEST(guest->vcpu, KVM_GET_SREGS, &sregs);
    if (sregs.ss.dpl == 0) {
        memcpy(guest->memory + CALL_STUB + 2, sysret, sizeof(sysret)); /* after its out */
    }
}

static double time_exits(const struct guest *guest, long count, int sync)
{
    struct timespec start, end;

    guest->run->kvm_valid_regs = sync ? KVM_SYNC_X86_REGS : 0;
    run_to_exit(guest);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long i = 0; i < count; i++) {
        if (sync) { /* what answering a system call takes: a result, and on past the instruction */
            guest->run->s.regs.regs.rax = (uint64_t)i;
            guest->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
        }
        run_to_exit(guest);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) /
           (double)count;
}

int main(int argc, char **argv)
{
    struct guest guest = guest_create();
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;

    run_to_exit(&guest);
    if (count > 0) {
        int call = strcmp(argv[1], "call") == 0;

        if (call) {
            leave_by_call(&guest);
        }
        printf("%.0f\n", time_exits(&guest, count, call || strcmp(argv[1], "sync") == 0));
    }
    return 0;
}
