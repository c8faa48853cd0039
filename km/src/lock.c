// SPDX-License-Identifier: Apache-2.0
/*
 * lock.c: the monitor locks itself in before the payload's first instruction, so that a payload
 * that has taken it over finds little to do with it:
 * - no program that it starts has more privileges than it has (no_new_privs);
 * - the host's kernel ends the process at any call but those that syscall_table.c can make and the
 *   few that the monitor itself needs (seccomp);
 * - the monitor's memory keeps its place and its rights (mseal, since Linux 6.10).
 *
 * The filter stays through fork and execve, so the monitor of the next program finds it there. It
 * must not add another, since each costs at every call: it asks the filter, see PROBE.
 */
#include "syscall.h"

#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <unistd.h>

#define MSEAL 462 /* its number, which older headers do not have */

/* ---- memory ---- */

void lock_memory(uint64_t addr, uint64_t size)
{
    (void)syscall(MSEAL, addr, size, 0); /* an older kernel does without */
}

/* The monitor's program: text, constants, variables. */
static void lock_image(void)
{
    const Elf64_Phdr *phdrs = (const Elf64_Phdr *)getauxval(AT_PHDR);

    for (size_t i = 0; phdrs && i < getauxval(AT_PHNUM); i++) {
        uint64_t start = ROUND_DOWN(phdrs[i].p_vaddr, PAGE_SIZE);

        if (phdrs[i].p_type == PT_LOAD) {
            lock_memory(start, ROUND_UP(phdrs[i].p_vaddr + phdrs[i].p_memsz, PAGE_SIZE) - start);
        }
    }
}

/* The first thread's stack: what the kernel maps at once, up to the name of the program. */
static void lock_stack(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    uint64_t start = ROUND_DOWN((uint64_t)&name, PAGE_SIZE) - (96UL << 10);

    if (name) {
        lock_memory(start, ROUND_UP((uint64_t)name + strlen(name) + 1, PAGE_SIZE) - start);
    }
}

/* ---- the filter ---- */

/*
 * A call that Linux does not have on x86-64. The filter answers it with an error that no kernel
 * gives.
 */
#define PROBE __NR_afs_syscall
#define PROBE_ANSWER 2965

#define RULES_MAX 1024

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
/* The next instruction, or so many later. */
#define IF(test, value, skip_true, skip_false)                                                     \
    BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, (uint32_t)(value), skip_true, skip_false)

static struct sock_filter rules[RULES_MAX];
static size_t rule_count;

static void add(const struct sock_filter *more, size_t count)
{
    if (rule_count + count > RULES_MAX) {
        die(STATUS_FAILED, FIX_REPORT, "the filter of system calls does not fit");
    }
    memcpy(&rules[rule_count], more, count * sizeof(*more));
    rule_count += count;
}

#define ADD(...)                                                                                   \
    do {                                                                                           \
        const struct sock_filter more_[] = {__VA_ARGS__};                                          \
        add(more_, ARRAY_LEN(more_));                                                              \
    } while (0)

/* Skip the `skip` instructions that follow when the value in the accumulator is at least `least`.
 */
static void set_fork(size_t at, uint32_t least)
{
    size_t skip = rule_count - at - 1;

    if (skip > UINT8_MAX) {
        die(STATUS_FAILED, FIX_REPORT, "the filter of system calls does not fit");
    }
    rules[at] = (struct sock_filter)IF(JGE, least, (uint8_t)skip, 0);
}

/* Where the next instruction goes, which is not known yet. */
static size_t add_later(void)
{
    ADD(BPF_STMT(BPF_JMP | BPF_JA, 0));
    return rule_count - 1;
}

static void jump_here(size_t from)
{
    rules[from].k = (uint32_t)(rule_count - from - 1);
}

/* ---- which calls ---- */

/* What the monitor calls beside what the payload can: mostly at the start of the next program. */
static const uint16_t own_calls[] = {
    __NR_rt_sigreturn, __NR_restart_syscall, __NR_arch_prctl, __NR_set_tid_address, __NR_tkill,
    __NR_exit,         __NR_exit_group,      MSEAL,
};

/* What is judged by its arguments, and what the monitor does for the payload in other ways. */
static const uint16_t judged_calls[] = {
    __NR_pkey_mprotect, __NR_mmap,   __NR_mprotect, __NR_shmat,  __NR_personality,
    __NR_execveat,      __NR_execve, __NR_vfork,    __NR_clone3, PROBE,
};

enum verdict { VERDICT_KILL, VERDICT_ALLOW, VERDICT_JUDGE };

/* A stretch of numbers, up to the next one's first. */
struct run {
    uint16_t first;
    uint8_t verdict;
};

static struct run runs[SYSCALL_COUNT + 1];
static size_t judged[ARRAY_LEN(judged_calls)], judged_count; /* jumps to where they are judged */

static enum verdict verdict_of(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(judged_calls); i++) {
        if (judged_calls[i] == number) {
            return VERDICT_JUDGE;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(own_calls); i++) {
        if (own_calls[i] == number) {
            return VERDICT_ALLOW;
        }
    }
    return number < SYSCALL_COUNT && syscall_table[number].name &&
                   syscall_table[number].handler != sys_refuse &&
                   syscall_table[number].handler != sys_seccomp /* which answers itself */
               ? VERDICT_ALLOW
               : VERDICT_KILL;
}

/* Find the run that the number in the accumulator is in, one of [low, high), and do as it says. */
static void add_runs(size_t low, size_t high) /* NOLINT(misc-no-recursion): a tree's depth */
{
    size_t middle = (low + high) / 2, fork;

    if (high - low > 1) {
        fork = add_later();
        add_runs(low, middle);
        set_fork(fork, runs[middle].first);
        add_runs(middle, high);
    } else if (runs[low].verdict == VERDICT_JUDGE) {
        judged[judged_count++] = add_later();
    } else if (runs[low].verdict == VERDICT_ALLOW) {
        ADD(ALLOW);
    } else {
        ADD(KILL);
    }
}

static void add_calls(void)
{
    size_t count = 0;

    for (uint32_t number = 0; number <= SYSCALL_COUNT; number++) {
        enum verdict verdict = verdict_of(number);

        if (!count || runs[count - 1].verdict != verdict || verdict == VERDICT_JUDGE) {
            runs[count++] = (struct run){(uint16_t)number, (uint8_t)verdict};
        }
    }
    add_runs(0, count);
}

/* ---- which ioctls ---- */

/*
 * A command's second byte is its type: KVM's own and those of what the payload can give. The list
 * itself, a few times as long, would cost more at each start than it closes.
 */
static void add_ioctls(void)
{
    uint32_t commands[256];
    size_t count = ioctl_commands(commands, ARRAY_LEN(commands));
    bool seen[256] = {[KVMIO] = true};

    ADD(LOAD(args[1]), IF(JEQ, KVM_RUN, 0, 1), ALLOW, BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff), IF(JEQ, KVMIO, 0, 1), ALLOW);
    for (size_t i = 0; i < count; i++) {
        uint32_t type = commands[i] >> 8 & 0xff;

        if (!seen[type]) {
            seen[type] = true;
            ADD(IF(JEQ, type, 0, 1), ALLOW);
        }
    }
    ADD(KILL);
}

/* ---- together ---- */

/*
 * Memory that the host would execute is never mapped; only payload memory gets the right for a
 * moment, in mm.c's zap().
 */
static void add_judgements(void)
{
    ADD(IF(JEQ, __NR_mmap, 0, 4), LOAD(args[2]), IF(JSET, PROT_EXEC, 0, 1), KILL, ALLOW);
    ADD(IF(JEQ, __NR_mprotect, 0, 6), LOAD(args[2]), IF(JSET, PROT_EXEC, 0, 3), LOAD_HIGH(args[0]),
        IF(JGE, GUEST_TOP >> 32, 0, 1), KILL, ALLOW);
    ADD(IF(JEQ, __NR_shmat, 0, 4), LOAD(args[2]), IF(JSET, SHM_EXEC, 0, 1), KILL, ALLOW);
    ADD(IF(JEQ, __NR_personality, 0, 5), LOAD(args[0]), IF(JEQ, 0xffffffff, 2, 0),
        IF(JSET, READ_IMPLIES_EXEC, 0, 1), KILL, ALLOW);
    ADD(IF(JEQ, __NR_execveat, 0, 4), LOAD(args[4]), IF(JEQ, 0x1000 /* AT_EMPTY_PATH */, 1, 0),
        KILL, ALLOW);
    ADD(IF(JEQ, PROBE, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | PROBE_ANSWER), KILL);
}

/* A call passes few instructions: the kernel tries each number once when it takes the filter. */
static void make_filter(void)
{
    size_t others;

    ADD(LOAD(arch), IF(JEQ, AUDIT_ARCH_X86_64, 1, 0), KILL);
    ADD(LOAD(nr), IF(JEQ, __NR_ioctl, 1, 0));
    others = add_later();
    add_ioctls();
    jump_here(others);
    add_calls();
    for (size_t i = 0; i < judged_count; i++) {
        jump_here(judged[i]);
    }
    add_judgements();
}

static void lock_calls(void)
{
    struct sock_fprog program = {.filter = rules};

    if (syscall(PROBE) < 0 && errno == PROBE_ANSWER) {
        return; /* the monitor of the program before put it there */
    }
    make_filter();
    program.len = (unsigned short)rule_count;
    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0 &&
        errno != ENOSYS && errno != EINVAL) {
        die(STATUS_FAILED, FIX_REPORT, "the host takes no filter of system calls: %m");
    }
}

void lock_in(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "the host does not know no_new_privs: %m");
    }
    lock_image();
    lock_stack();
    lock_calls();
}
