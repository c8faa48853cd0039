// SPDX-License-Identifier: Apache-2.0
/*
 * Uses call sites so often that the monitor may let them jump past SYSCALL, and looks at all that a
 * program could see of that: its argument says at what. Nothing differs from the kernel's own.
 */
#include "payload.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#define HOT 400
#define RCX_MARK 0x1111222233334444UL
#define R11_MARK 0x5555666677778888UL
#define SITE_SIZE 7UL /* of one that loads the number of its call, with a SYSCALL of two */
#define NOPS ".byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n"
#define FLAG_TF 0x100UL

/*
 * A function whose call is a site of its own, which loads the number in some way: it takes the
 * flags to make it with, and where to put RCX, R11, RSP's change and the flags afterwards.
 */
#define SITE(name, load)                                                                           \
    extern const char name##_site[], name##_next[];                                                \
    __asm__(".pushsection .text\n"                                                                 \
            ".p2align 4\n.globl " #name ", " #name "_site, " #name "_next\n"                       \
            ".hidden " #name ", " #name "_site, " #name "_next\n" #name ":\n"                      \
            "pushq %rbx\n movq %rsi, %rbx\n pushq %rdi\n"                                          \
            "movq $0x11112222, %rcx\n shlq $32, %rcx\n orq $0x33334444, %rcx\n"                    \
            "movabsq $0x5555666677778888, %r11\n movq $-1, %rdi\n movq %rsp, 16(%rbx)\n"           \
            "popfq\n" #name "_site:\n " load "\n syscall\n" #name "_next:\n"                       \
            "pushfq\n popq 24(%rbx)\n pushq $0x202\n popfq\n"                                      \
            "movq %rcx, (%rbx)\n movq %r11, 8(%rbx)\n addq $8, 16(%rbx)\n"                         \
            "subq %rsp, 16(%rbx)\n popq %rbx\n ret\n" NOPS NOPS ".popsection");                    \
    extern long name(uint64_t flags, uint64_t after[4]) __attribute__((visibility("hidden")));

SITE(site_getpid, "movl $39, %eax")   /* which the guest may answer */
SITE(site_getppid, "movl $110, %eax") /* which a helper may make */
SITE(site_close, "movl $3, %eax")     /* of -1, which neither does */
SITE(any_getpid, "movq $39, %rax")    /* the same where only the SYSCALL can be changed */
SITE(any_getppid, "movq $110, %rax")
SITE(any_close, "pushq $3\n popq %rax")

typedef long site_function(uint64_t flags, uint64_t after[4]);

static const struct {
    site_function *call;
    const char *site, *next;
    int number;
} sites[] = {{site_getpid, site_getpid_site, site_getpid_next, SYS_getpid},
             {site_getppid, site_getppid_site, site_getppid_next, SYS_getppid},
             {site_close, site_close_site, site_close_next, SYS_close},
             {any_getpid, any_getpid_site, any_getpid_next, SYS_getpid},
             {any_getppid, any_getppid_site, any_getppid_next, SYS_getppid},
             {any_close, any_close_site, any_close_next, SYS_close}};

static long expected(size_t i)
{
    return sites[i].number == SYS_getpid    ? getpid()
           : sites[i].number == SYS_getppid ? getppid()
                                            : -EBADF;
}

static void use(size_t i, unsigned times)
{
    uint64_t after[4];
    long result = expected(i);

    while (times--) {
        CHECK(sites[i].call(0x202, after) == result);
    }
}

static void use_all(void)
{
    for (size_t i = 0; i < LEN(sites); i++) {
        use(i, HOT);
    }
}

/* A probe's NOP where code jumps to, behind a JMP: it is no room, for it is executed. */
__asm__(".pushsection .text\n .p2align 4\n probed:\n pushq $110\n popq %rax\n syscall\n"
        "jmp 1f\n 1: .byte 0x0f, 0x1f, 0x44, 0, 0\n incq (%rdi)\n ret\n .popsection");
extern long probed(uint64_t *passed) __attribute__((visibility("hidden")));

static void probes(void)
{
    uint64_t passed = 0;

    for (unsigned i = 0; i < HOT; i++) {
        CHECK(probed(&passed) == getppid());
    }
    CHECK(passed == HOT);
}

/* ---- what a call leaves in the CPU ---- */

static void registers(void)
{
    static const uint64_t flags[] = {0x202, 0x203, 0x207,   0x213,    0x243,  0x283,
                                     0xa02, 0x602, 0x40202, 0x200202, 0x40ed7};
    uint64_t after[4];

    for (unsigned round = 0; round < HOT; round++) {
        for (size_t i = 0; i < LEN(sites); i++) {
            uint64_t set = flags[round % LEN(flags)];

            CHECK(sites[i].call(set, after) == expected(i));
            CHECK(after[0] == (uint64_t)sites[i].next && after[1] == set);
            CHECK(after[2] == 0 && after[3] == set);
        }
    }
}

/* The SYSCALL of a site is where it was, for any call. */
static void into_the_middle(void)
{
    use_all();
    for (size_t i = 0; i < LEN(sites); i++) {
        const char *syscall_at = sites[i].next - 2;
        uint64_t after[4] = {0};
        long result;

        __asm__ volatile("pushq %%rbx; leaq 1f(%%rip), %%rbx; subq $8, %%rsp; movq %%rbx, (%%rsp);"
                         "movq %2, %%rbx; pushq %%rbx; movq %2, %%rbx; jmp *%3; 1: popq %%rbx"
                         : "=a"(result)
                         : "a"((long)SYS_getuid), "r"(after), "r"(syscall_at)
                         : "rcx", "r11", "memory", "cc");
        CHECK(result == (long)getuid() && after[0] == (uint64_t)sites[i].next);
    }
}

static uint64_t trace_at[64], stepped_call;
static volatile size_t traced;

static void on_step(int signo, siginfo_t *info, void *context)
{
    greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;

    CHECK(signo == SIGTRAP && (info->si_code == TRAP_TRACE || info->si_code == TRAP_BRKPT));
    if (traced < LEN(trace_at)) {
        trace_at[traced++] = (uint64_t)gregs[REG_RIP];
        if ((uint64_t)gregs[REG_RIP] == stepped_call) {
            CHECK((uint64_t)gregs[REG_RCX] == RCX_MARK && (uint64_t)gregs[REG_R11] == R11_MARK);
        }
    } else {
        gregs[REG_EFL] &= ~(greg_t)FLAG_TF;
    }
}

/* Each step of a program that steps itself is at an instruction of its own. */
static void steps(void)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    uint64_t after[4];

    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    for (size_t i = 0; i < LEN(sites); i++) {
        use(i, HOT);
        traced = 0;
        stepped_call = (uint64_t)sites[i].next - 2;
        CHECK(sites[i].call(0x202 | FLAG_TF, after) == expected(i));
        for (size_t at = 0; at < traced; at++) {
            printf("%zu: %ld\n", i, (long)(trace_at[at] - (uint64_t)sites[i].site));
        }
    }
}

/* ---- signals ---- */

static volatile unsigned long interrupted, at_syscall, behind;

static void on_alarm(int signo, siginfo_t *info, void *context)
{
    const greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t rip = (uint64_t)gregs[REG_RIP];

    (void)signo;
    (void)info;
    interrupted++;
    for (size_t i = 0; i < LEN(sites); i++) {
        if (rip == (uint64_t)sites[i].next - 2) {
            bool again = (uint64_t)gregs[REG_RCX] == rip + 2; /* it has begun once */

            CHECK((uint64_t)gregs[REG_RCX] == (again ? rip + 2 : RCX_MARK));
            CHECK((uint64_t)gregs[REG_R11] == (again ? 0x202 : R11_MARK));
            CHECK(gregs[REG_RAX] == sites[i].number);
            at_syscall++;
            return;
        }
        if (rip == (uint64_t)sites[i].next) {
            CHECK((uint64_t)gregs[REG_RCX] == rip && (uint64_t)gregs[REG_R11] == 0x202);
            CHECK(gregs[REG_RAX] == expected(i));
            behind++;
            return;
        }
    }
}

/* A signal finds the program before the SYSCALL or behind it, and nowhere between. */
static void under_signals(void)
{
    struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO};
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    uint64_t after[4];

    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (unsigned long round = 0; interrupted < 300; round++) {
        size_t i = round % LEN(sites);

        for (unsigned n = 0; n < 100; n++) {
            CHECK(sites[i].call(0x202, after) == expected(i));
            CHECK(after[0] == (uint64_t)sites[i].next && after[1] == 0x202 && after[2] == 0);
        }
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

/* ---- processes and threads ---- */

static void beget(bool in_memory)
{
    pid_t child = in_memory ? vfork() : fork();
    int status;

    CHECK(child >= 0);
    if (!child) {
        for (size_t i = 0; i < LEN(sites); i++) {
            use(i, in_memory ? 3 : HOT);
        }
        _exit(7);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void processes(void)
{
    for (int i = 0; i < 6; i++) {
        use_all();
        beget(i % 2);
    }
}

#define FRESH 48
#define FRESH_SIZE 32
__asm__(".pushsection .text\n .p2align 5\n fresh_sites:\n .rept 24\n"
        "movl $186, %eax\n syscall\n ret\n .p2align 5\n"
        "movq $186, %rax\n syscall\n ret\n .p2align 5\n .endr\n .popsection");
extern const char fresh_sites[] __attribute__((visibility("hidden")));

static void *in_thread(void *unused)
{
    long tid = syscall(SYS_gettid);

    (void)unused;
    for (unsigned round = 0; round < 20 * FRESH; round++) {
        const char *at = fresh_sites + round / 20 * FRESH_SIZE;

        for (unsigned i = 0; i < 3; i++) { /* all of them at the same site, which becomes hot */
            long result;

            __asm__ volatile("call *%1" : "=a"(result) : "r"(at) : "rcx", "r11", "memory");
            CHECK(result == tid);
        }
    }
    return NULL;
}

static void threads(void)
{
    pthread_t thread[12]; /* more than have a stub where islands lead */

    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_create(&thread[i], NULL, in_thread, NULL) == 0);
    }
    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
    }
    (void)in_thread(NULL);
}

/* GS is the program's. */
static void segment(void)
{
    static uint64_t there = 0x123456789abcdef0UL;
    uint64_t base = 0, value;

    use_all();
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, &there) == 0);
    for (int i = 0; i < 10; i++) {
        use_all();
        __asm__ volatile("movq %%gs:0, %0" : "=r"(value));
        CHECK(value == there);
    }
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (uint64_t)&there);
}

/* ---- filters ---- */

static volatile uint64_t trapped_at;

static void on_trap(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    trapped_at = (uint64_t)info->si_call_addr;
}

/* A filter sees where a call is made. */
static void filtered(void)
{
    uint64_t next = (uint64_t)site_close_next;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)next, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(next >> 32), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {LEN(code), code};
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    uint64_t after[4];

    use_all();
    CHECK(sigaction(SIGSYS, &action, NULL) == 0);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    (void)site_close(0x202, after);
    CHECK(trapped_at == next);
    use(0, HOT);
    use(1, HOT);
}

/* ---- the code itself ---- */

static uint64_t sum_of(const char *from, size_t size)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = sum * 31 + (unsigned char)((volatile const char *)from)[i];
    }
    return sum;
}

#define CODE_SIZE 4096

static const char *code_start(void)
{
    return (const char *)((uint64_t)site_getpid & ~(PAGE - 1));
}

/* Before it can be written, the code is the file's. */
static void written(void)
{
    const char *start = code_start();
    uint64_t before = sum_of(start, CODE_SIZE);

    for (int i = 0; i < 3; i++) {
        use_all();
        CHECK(mprotect((void *)start, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        CHECK(sum_of(start, CODE_SIZE) == before);
        use_all();
        CHECK(sum_of(start, CODE_SIZE) == before);
        CHECK(mprotect((void *)start, CODE_SIZE, PROT_READ | PROT_EXEC) == 0);
    }
}

static volatile bool ended;

static void *use_beside(void *unused)
{
    (void)unused;
    while (!ended) {
        use_all();
    }
    return NULL;
}

/* Likewise, while other threads are on their way from the sites. */
static void written_beside(void)
{
    const char *start = code_start();
    pthread_t thread[2];

    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_create(&thread[i], NULL, use_beside, NULL) == 0);
    }
    for (int i = 0; i < 300; i++) {
        use(3, 20);
        use(4, 20);
        CHECK(mprotect((void *)start, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
        for (size_t n = 0; n < LEN(sites); n++) {
            CHECK(memcmp(sites[n].next - 2, "\x0f\x05", 2) == 0);
        }
        CHECK(mprotect((void *)start, CODE_SIZE, PROT_READ | PROT_EXEC) == 0);
    }
    ended = true;
    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
    }
}

#define CODE_LENGTH 26

/* A function that makes a call: its site loads the number, or another instruction does. */
static void make_code(unsigned char code[CODE_LENGTH], unsigned char number, bool any)
{
    const unsigned char loads[] = {0xb8, number, 0, 0, 0, 0x0f, 0x05, 0xc3};
    const unsigned char other[] = {0x31, 0xc0, 0xb0, number, 0x0f, 0x05, 0xc3, /* xor %eax, %eax; */
                                   0x66, 0x2e, 0x0f, 0x1f,   0x84, 0,    0,
                                   0,    0,    0}; /* mov %al */

    memset(code, 0xcc, CODE_LENGTH);
    memcpy(code, any ? other : loads, any ? sizeof(other) : sizeof(loads));
}

/* A site of a file that is mapped, moved, replaced and taken away. */
static void mapped(bool any)
{
    unsigned char code[CODE_LENGTH], other[CODE_LENGTH];
    int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0700);

    make_code(code, SYS_getppid, any);
    make_code(other, SYS_getpid, any);
    CHECK(fd >= 0 && pwrite(fd, code, sizeof(code), 16) == sizeof(code));
    CHECK(pwrite(fd, other, sizeof(other), PAGE + 16) == sizeof(other));
    CHECK(ftruncate(fd, 2 * PAGE) == 0);
    for (int i = 0; i < 4; i++) {
        char *at =
            mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, i == 3 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
        char *there = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        CHECK(at != MAP_FAILED && there != MAP_FAILED);
        for (int n = 0; n < HOT; n++) {
            CHECK(((long (*)(void))(at + 16))() == getppid());
        }
        if (i == 0) { /* the jump would lead elsewhere from there */
            CHECK(mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there);
            CHECK(memcmp(there + 16, code, sizeof(code)) == 0);
        } else if (i == 1) {
            CHECK(mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, PAGE) == at);
            CHECK(memcmp(at + 16, other, sizeof(other)) == 0);
        } else if (i == 2) {
            CHECK(madvise(at, PAGE, MADV_DONTNEED) == 0);
            CHECK(memcmp(at + 16, code, sizeof(code)) == 0);
        } else {
            CHECK(memcmp(at + 16, code, sizeof(code)) == 0);
        }
        for (int n = 0; n < HOT; n++) {
            CHECK(((long (*)(void))((i == 0 ? there : at) + 16))() ==
                  (i == 1 ? getpid() : getppid()));
        }
        CHECK(munmap(at, 2 * PAGE) == 0 && munmap(there, PAGE) == 0);
    }
    CHECK(close(fd) == 0 && unlink("code") == 0);
}

/* Where the program has nothing, it finds nothing, and can have something. */
static void beside(void)
{
    char line[256], before[65536] = "", after[65536] = "";
    uint64_t free_end = 0, free_start = 0x10000, start, end;
    FILE *file;

    for (int round = 0; round < 2; round++) {
        char *to = round ? after : before;

        if (round) {
            use_all();
        }
        file = fopen("/proc/self/maps", "r");
        CHECK(file != NULL);
        while (fgets(line, sizeof(line), file)) {
            if (strstr(line, "r-xp")) { /* code, which keeps its rights and its place */
                strcat(to, line);
            }
            CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2);
            if (strstr(line, "[stack]")) {
                free_end = start;
            }
        }
        CHECK(fclose(file) == 0);
    }
    CHECK(*before && strcmp(before, after) == 0);
    CHECK(free_end != 0);
    for (uint64_t at = free_end - (1UL << 20); at < free_end - (900UL << 10); at += PAGE) {
        uint64_t *page = mmap((void *)at, PAGE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

        CHECK(page == (uint64_t *)at && *page == 0);
        *page = at;
        use_all();
        CHECK(*page == at && munmap(page, PAGE) == 0);
        use_all();
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page != MAP_FAILED);
        page = mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at);
        CHECK(page == (uint64_t *)at && *page == 0 && munmap(page, PAGE) == 0);
    }
    for (uint64_t at = free_start; at < 0x400000; at += 16 * PAGE) {
        char *page = mmap((void *)at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        CHECK(page != MAP_FAILED && (at < 0x100000 || page == (char *)at || page > (char *)at));
        CHECK(*page == 0 && munmap(page, PAGE) == 0);
    }
    use_all();
}

/* What is measured by test_sites.py: whether the code was left alone. */
static void checked(bool any)
{
    const char *start = code_start();
    uint64_t before = sum_of(start, CODE_SIZE);

    for (size_t i = any ? LEN(sites) / 2 : 0; i < (any ? LEN(sites) : LEN(sites) / 2); i++) {
        use(i, HOT);
    }
    printf("code %s\n", sum_of(start, CODE_SIZE) == before ? "kept" : "changed");
}

/* For a snapshot or a core of a program whose sites are hot. */
static void written_out(bool core)
{
    const char *start = code_start();
    uint64_t before = sum_of(start, CODE_SIZE);

    use_all();
    if (core) {
        abort();
    }
    CHECK(open("/proc/kontain/snapshot", O_RDONLY) >= 0);
    printf("code %s\n", sum_of(start, CODE_SIZE) == before ? "kept" : "changed");
    use_all();
}

int main(int argc, char **argv)
{
    (void)argc;
    if (is_case(argv, "registers")) {
        registers();
    } else if (is_case(argv, "probes")) {
        probes();
    } else if (is_case(argv, "middle")) {
        into_the_middle();
    } else if (is_case(argv, "steps")) {
        steps();
    } else if (is_case(argv, "signals")) {
        under_signals();
    } else if (is_case(argv, "processes")) {
        processes();
    } else if (is_case(argv, "threads")) {
        threads();
    } else if (is_case(argv, "segment")) {
        segment();
    } else if (is_case(argv, "filtered")) {
        filtered();
    } else if (is_case(argv, "written")) {
        written();
    } else if (is_case(argv, "written-beside")) {
        written_beside();
    } else if (is_case(argv, "mapped")) {
        mapped(false);
        mapped(true);
    } else if (is_case(argv, "beside")) {
        beside();
    } else if (is_case(argv, "checked") || is_case(argv, "checked-any")) {
        checked(is_case(argv, "checked-any"));
    } else if (is_case(argv, "snapshot") || is_case(argv, "core")) {
        written_out(is_case(argv, "core"));
    } else if (is_case(argv, "exec")) {
        use_all();
        CHECK(execl("/proc/self/exe", argv[0], "registers", NULL) == 0);
    }
    printf("done\n");
    return 0;
}
