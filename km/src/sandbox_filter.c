// SPDX-License-Identifier: Apache-2.0
/*
 * sandbox_filter.c: the seccomp filter that the monitor puts on itself. The host's kernel ends the
 * process at any call but those that syscall_list.inc has and the few that the monitor itself
 * needs, and at arguments that neither has.
 *
 * It is also the second lock on the monitor's memory: should a payload come by a descriptor of its
 * own /proc/PID/mem, then no call takes an offset where the monitor is; see sys_offset.c.
 *
 * The filter stays through fork and execve, so the monitor of the next program finds it there. It
 * must not add another, since each costs at every call: it asks the filter, see PROBE.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "top.h"

#include <asm/termbits.h>
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <unistd.h>

/*
 * A call that Linux does not have on x86-64. The filter answers it with an error that no kernel
 * gives, from PROBE_ANSWER on: one more than the descriptor that may be executed.
 */
#define PROBE __NR_afs_syscall
#define PROBE_ANSWER 2000
#define PROBE_ANSWER_MAX 4095 /* MAX_ERRNO */

#define RULES_MAX 1024

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ANSWER(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)(error))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(field)                                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
/* The next instruction, or so many later. */
#define IF(test, value, skip_true, skip_false)                                                     \
    BPF_JUMP(BPF_JMP | BPF_##test | BPF_K, (uint32_t)(value), skip_true, skip_false)

static struct sock_filter rules[RULES_MAX];
static size_t rule_count;
static bool is_there; /* the filter: the monitor of the program before put it there */

static _Noreturn void die_of_size(void)
{
    die(STATUS_FAILED, FIX_REPORT, "the seccomp filter is too long");
}

static void add(const struct sock_filter *more, size_t count)
{
    if (rule_count + count > RULES_MAX) {
        die_of_size();
    }
    memcpy(&rules[rule_count], more, count * sizeof(*more));
    rule_count += count;
}

#define ADD(...)                                                                                   \
    do {                                                                                           \
        const struct sock_filter more_[] = {__VA_ARGS__};                                          \
        add(more_, ARRAY_LEN(more_));                                                              \
    } while (0)

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

/* What the monitor does for the payload in other ways. */
static const uint16_t never_made[] = {__NR_pkey_mprotect, __NR_execve, __NR_vfork, __NR_clone3,
                                      __NR_seccomp};

/* What is judged by its arguments; ioctl is before all others. */
static const uint16_t judged_calls[] = {
    __NR_pread64, __NR_pwrite64, __NR_preadv,   __NR_pwritev,     __NR_preadv2,
    __NR_lseek,   __NR_pwritev2, __NR_sendfile, __NR_splice,      __NR_copy_file_range,
    __NR_close,   __NR_dup2,     __NR_dup3,     __NR_close_range, __NR_fcntl,
    __NR_mmap,    __NR_mprotect, __NR_shmat,    __NR_personality, __NR_execveat,
    PROBE,
};

enum verdict { VERDICT_KILL, VERDICT_ALLOW, VERDICT_JUDGE };

/* A stretch of numbers, up to the next one's first. */
struct run {
    uint16_t first;
    uint8_t verdict;
};

static struct run runs[SYSCALL_COUNT + 1];

/* Jumps to where a call is judged, by the order of judged_calls. */
static size_t judged[ARRAY_LEN(judged_calls)];
static size_t judged_count;

static bool is_in(const uint16_t *list, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == number) {
            return true;
        }
    }
    return false;
}

static enum verdict verdict_of(uint32_t number)
{
    if (is_in(judged_calls, ARRAY_LEN(judged_calls), number)) {
        return VERDICT_JUDGE;
    }
    if (is_in(never_made, ARRAY_LEN(never_made), number)) {
        return VERDICT_KILL;
    }
    if (is_in(own_calls, ARRAY_LEN(own_calls), number)) {
        return VERDICT_ALLOW;
    }
    return number < SYSCALL_COUNT && *syscall_table[number].name &&
                   syscall_handlers[number] != sys_refuse
               ? VERDICT_ALLOW
               : VERDICT_KILL;
}

/*
 * The tree that finds a number's run: a node skips to where numbers from its run's first on are
 * looked for, or goes on. Where it ends, what the run says is behind the tree, for all ends.
 */
struct end {
    size_t at; /* the node */
    bool above;
    struct run run;
};

static struct end ends[2 * (SYSCALL_COUNT + 1)];
static size_t end_count;

static void skip(size_t at, bool above, size_t to)
{
    size_t distance = to - at - 1;

    if (distance > UINT8_MAX) {
        die_of_size();
    }
    *(above ? &rules[at].jt : &rules[at].jf) = (uint8_t)distance;
}

static void add_runs(size_t low, size_t high);

/* What is at one side of a node: one run, an end, or a tree that follows here. */
static void add_side(size_t at, bool above, size_t low, size_t high) /* NOLINT(misc-no-recursion) */
{
    if (high - low == 1) {
        ends[end_count++] = (struct end){at, above, runs[low]};
    } else {
        skip(at, above, rule_count);
        add_runs(low, high);
    }
}

/* Find the run that the number in the accumulator is in, one of [low, high). */
static void add_runs(size_t low, size_t high) /* NOLINT(misc-no-recursion): a tree's depth */
{
    size_t middle = (low + high) / 2, at = rule_count;

    ADD(IF(JGE, runs[middle].first, 0, 0));
    add_side(at, false, low, middle);
    add_side(at, true, middle, high);
}

/* Let all ends of this verdict, of this number for one that is judged, lead here. */
static void end_here(enum verdict verdict, uint32_t number)
{
    for (size_t i = 0; i < end_count; i++) {
        if (ends[i].run.verdict == verdict &&
            (verdict != VERDICT_JUDGE || ends[i].run.first == number)) {
            skip(ends[i].at, ends[i].above, rule_count);
        }
    }
}

static void add_ends(void)
{
    end_here(VERDICT_ALLOW, 0);
    ADD(ALLOW);
    end_here(VERDICT_KILL, 0);
    ADD(KILL);
    for (size_t i = 0; i < ARRAY_LEN(judged_calls); i++) {
        end_here(VERDICT_JUDGE, judged_calls[i]);
        judged[i] = add_later();
        judged_count++;
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
    add_ends();
}

/* What follows judges these calls. */
#define JUDGE(...)                                                                                 \
    do {                                                                                           \
        static const uint16_t numbers_[] = {__VA_ARGS__};                                          \
        judge_here(numbers_, ARRAY_LEN(numbers_));                                                 \
    } while (0)

static void judge_here(const uint16_t *numbers, size_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(judged_calls); i++) {
        if (is_in(numbers, count, judged_calls[i])) {
            jump_here(judged[i]);
            judged_count--;
        }
    }
}

/* ---- which ioctls ---- */

/* All of KVM's that the monitor makes. */
static const uint32_t kvm_commands[] = {
    KVM_RUN,
    KVM_GET_REGS,
    KVM_SET_REGS,
    KVM_GET_SREGS,
    KVM_SET_SREGS,
    KVM_GET_VCPU_EVENTS,
    KVM_GET_DEBUGREGS,
    KVM_SET_DEBUGREGS,
    KVM_GET_XSAVE,
    KVM_SET_XSAVE,
    KVM_SET_MSRS,
    KVM_SET_SIGNAL_MASK,
    KVM_SET_XCRS,
    KVM_SET_CPUID2,
    KVM_SET_DEVICE_ATTR,
    KVM_SET_USER_MEMORY_REGION,
    KVM_CREATE_VCPU,
    KVM_CREATE_VM,
    KVM_SET_TSS_ADDR,
    KVM_GET_SUPPORTED_CPUID,
    KVM_GET_VCPU_MMAP_SIZE,
    KVM_GET_API_VERSION,
    KVM_CHECK_EXTENSION,
};

/* Of terminals: who uses one after the payload would find it changed; see sys_ioctl.c. */
static const uint32_t refused_commands[] = {TIOCSTI,  TIOCLINUX,      TIOCSETD,
                                            TIOCCONS, TIOCSLCKTRMIOS, TIOCVHANGUP};

#define TYPE(command) ((command) >> 8 & 0xff)

/* Answer so when the accumulator has one of these values. */
static void add_choice(const uint32_t *values, size_t count, uint32_t answer)
{
    for (size_t left = count; left; left--) {
        ADD(IF(JEQ, values[count - left], (uint8_t)left, 0));
    }
    ADD(BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, answer));
}

/*
 * KVM's by command. Of the payload's the type, a command's second byte: their list, several times
 * as long, would cost more at each start than it closes.
 */
static void add_ioctls(void)
{
    uint32_t commands[256];
    size_t count = ioctl_commands(commands, ARRAY_LEN(commands));
    bool seen[256] = {false};

    uint32_t types[ARRAY_LEN(commands)];
    size_t type_count = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t type = TYPE(commands[i]);

        if (!seen[type]) {
            seen[type] = true;
            types[type_count++] = type;
        }
    }
    ADD(LOAD(args[1]));
    add_choice(kvm_commands, ARRAY_LEN(kvm_commands), SECCOMP_RET_ALLOW);
    add_choice(refused_commands, ARRAY_LEN(refused_commands), SECCOMP_RET_KILL_PROCESS);
    ADD(BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 8), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff));
    add_choice(types, type_count, SECCOMP_RET_ALLOW);
    ADD(KILL);
}

/* ---- which arguments ---- */

/* Offsets in files: none is where the monitor's memory is, for who has that as a file. */
static void add_offsets(void)
{
    JUDGE(__NR_pread64, __NR_pwrite64, __NR_preadv, __NR_pwritev, __NR_preadv2, __NR_pwritev2);
    ADD(LOAD_HIGH(args[3]), IF(JGE, GUEST_TOP >> 32, 0, 2), IF(JGE, HOST_TOP >> 32, 1, 0),
        ANSWER(EINVAL), ALLOW);
    /* positions: a step forward is none of the monitor's, see sys_offset.c; back, the C library's
     */
    JUDGE(__NR_lseek);
    ADD(LOAD(args[2]), IF(JEQ, SEEK_SET, 0, 5), LOAD_HIGH(args[1]), IF(JGE, GUEST_TOP >> 32, 0, 10),
        IF(JGE, HOST_TOP >> 32, 9, 0), LOAD_HIGH(args[2]), IF(JEQ, SEEK_IN_FOLDER >> 32, 7, 6),
        IF(JEQ, SEEK_CUR, 0, 6), LOAD_HIGH(args[1]), IF(JEQ, UINT32_MAX, 4, 0), IF(JEQ, 0, 0, 2),
        LOAD(args[1]), IF(JEQ, 0, 1, 0), ANSWER(EINVAL), ALLOW);
    /* pointers to offsets: to the monitor's copies, which sys_offset.c has judged */
    JUDGE(__NR_splice, __NR_copy_file_range);
    ADD(LOAD_HIGH(args[1]), IF(JGE, GUEST_TOP >> 32, 3, 0), IF(JEQ, 0, 0, 7), LOAD(args[1]),
        IF(JEQ, 0, 0, 5), LOAD_HIGH(args[3]), IF(JGE, GUEST_TOP >> 32, 4, 0), IF(JEQ, 0, 0, 2),
        LOAD(args[3]), IF(JEQ, 0, 1, 0), KILL, ALLOW);
    JUDGE(__NR_sendfile);
    ADD(LOAD_HIGH(args[2]), IF(JGE, GUEST_TOP >> 32, 4, 0), IF(JEQ, 0, 0, 2), LOAD(args[2]),
        IF(JEQ, 0, 1, 0), KILL, ALLOW);
}

/* Nothing is executed: the monitor's own file is not open. */
static void add_no_program(void)
{
    JUDGE(__NR_close, __NR_dup2, __NR_dup3, __NR_close_range, __NR_fcntl);
    ADD(ALLOW);
    JUDGE(__NR_execveat);
    ADD(KILL);
}

/* The descriptor `program` is the monitor's own file for ever: only that is executed. */
static void add_program(uint32_t program)
{
    JUDGE(__NR_close);
    ADD(LOAD(args[0]), IF(JEQ, program, 0, 1), KILL, ALLOW);
    JUDGE(__NR_dup2, __NR_dup3);
    ADD(LOAD(args[1]), IF(JEQ, program, 0, 1), KILL, ALLOW);
    JUDGE(__NR_close_range);
    ADD(LOAD(args[1]), IF(JGE, program, 0, 3), LOAD(args[0]), IF(JGT, program, 1, 0), KILL, ALLOW);
    JUDGE(__NR_fcntl);
    ADD(LOAD(args[0]), IF(JEQ, program, 0, 3), LOAD(args[1]), IF(JEQ, F_SETFD, 0, 1), KILL, ALLOW);
    JUDGE(__NR_execveat);
    ADD(LOAD(args[0]), IF(JEQ, program, 0, 6), LOAD(args[4]), IF(JEQ, AT_EMPTY_PATH, 0, 4),
        LOAD(args[1]), IF(JEQ, (uint32_t)EMPTY_HVA, 0, 2), LOAD_HIGH(args[1]),
        IF(JEQ, EMPTY_HVA >> 32, 1, 0), KILL, ALLOW);
}

/*
 * Memory that the host would execute is never mapped; only payload memory gets the right for a
 * moment, in mm.c's zap().
 */
static void add_memory(void)
{
    JUDGE(__NR_mmap);
    ADD(LOAD(args[2]), IF(JSET, PROT_EXEC, 0, 1), KILL, ALLOW);
    JUDGE(__NR_mprotect);
    ADD(LOAD(args[2]), IF(JSET, PROT_EXEC, 0, 3), LOAD_HIGH(args[0]),
        IF(JGE, GUEST_TOP >> 32, 0, 1), KILL, ALLOW);
    JUDGE(__NR_shmat);
    ADD(LOAD(args[2]), IF(JSET, SHM_EXEC, 0, 1), KILL, ALLOW);
    JUDGE(__NR_personality);
    ADD(LOAD(args[0]), IF(JEQ, 0xffffffff, 2, 0), IF(JSET, READ_IMPLIES_EXEC, 0, 1), KILL, ALLOW);
}

/* A call passes few instructions: the kernel tries each number once when it takes the filter. */
static void make_filter(int program)
{
    size_t others;

    ADD(LOAD(arch), IF(JEQ, AUDIT_ARCH_X86_64, 1, 0), KILL);
    ADD(LOAD(nr), IF(JEQ, __NR_ioctl, 1, 0));
    others = add_later();
    add_ioctls();
    jump_here(others);
    add_calls();
    add_offsets();
    if (program < 0) {
        add_no_program();
    } else {
        add_program((uint32_t)program);
    }
    add_memory();
    JUDGE(PROBE);
    ADD(ANSWER(PROBE_ANSWER + program + 1));
    if (judged_count) {
        die(STATUS_FAILED, FIX_REPORT, "the filter has no rule for a system call");
    }
}

int sandbox_program(void)
{
    long answer = syscall(PROBE) < 0 ? errno - PROBE_ANSWER - 1 : -2;

    is_there = answer >= -1;
    return is_there ? (int)answer : SANDBOX_NONE;
}

static void install(void)
{
    struct sock_fprog program = {.filter = rules, .len = (unsigned short)rule_count};

    if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0 &&
        errno != ENOSYS && errno != EINVAL) {
        die(STATUS_FAILED, FIX_FILTER, "the host refuses km's seccomp filter: %m");
    }
}

void sandbox_to(const uint16_t *calls, size_t count)
{
    ADD(LOAD(arch), IF(JEQ, AUDIT_ARCH_X86_64, 1, 0), KILL, LOAD(nr));
    for (size_t i = 0; i < count; i++) {
        ADD(IF(JEQ, calls[i], 0, 1), ALLOW);
    }
    ADD(KILL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        die(STATUS_FAILED, FIX_REPORT, "the host does not know no_new_privs: %m");
    }
    install();
}

void sandbox_calls(int program)
{
    if (is_there) {
        return;
    }
    if (program > PROBE_ANSWER_MAX - PROBE_ANSWER - 1) {
        die(STATUS_FAILED, "start km with fewer open descriptors",
            "km's own program file got descriptor %d, which is too high", program);
    }
    make_filter(program);
    install();
}
