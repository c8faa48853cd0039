// SPDX-License-Identifier: Apache-2.0
/* Filters that a program puts on its own system calls, with each thing that they can say. */
#include "payload.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

static char *own_name;
static pthread_barrier_t barrier;

static long set(unsigned flags, struct sock_filter *code, size_t count)
{
    struct sock_fprog program = {(unsigned short)count, code};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* Let one call have this verdict. */
static long judge(unsigned flags, unsigned number, unsigned verdict)
{
    struct sock_filter code[] = {LOAD(nr), EQUAL(number, 0, 1), RETURN(verdict), ALLOW};

    return set(flags, code, LEN(code));
}

/* ---- one thread ---- */

static void errors(void)
{
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ERRNO | EXDEV));
    SHOW(syscall(SYS_getuid));
    SHOW(judge(0, SYS_getpid, SECCOMP_RET_ERRNO));
    SHOW(syscall(SYS_getpid));
    SHOW(judge(0, SYS_getgid, SECCOMP_RET_ERRNO | 0xffff));
    SHOW(syscall(SYS_getgid) == -4095 || errno == 4095);
    SHOW(judge(0, SYS_getegid, SECCOMP_RET_TRACE));
    SHOW(syscall(SYS_getegid));
    SHOW(judge(0, SYS_geteuid, SECCOMP_RET_USER_NOTIF));
    SHOW(syscall(SYS_geteuid));
    SHOW(judge(SECCOMP_FILTER_FLAG_LOG, SYS_getppid, SECCOMP_RET_LOG));
    SHOW(syscall(SYS_getppid) > 0);
    SHOW(judge(SECCOMP_FILTER_FLAG_SPEC_ALLOW, 9999, SECCOMP_RET_ERRNO | EPERM));
    SHOW(syscall(9999));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ERRNO | EBUSY)); /* as stern: the newer counts */
    SHOW(syscall(SYS_getuid));
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_TRACE)); /* not as stern */
    SHOW(syscall(SYS_getuid));
    SHOW(judge(0, SYS_rt_sigreturn, SECCOMP_RET_ERRNO | EPERM));
    SHOW(syscall(SYS_rt_sigreturn));
    SHOW(judge(0, SYS_seccomp, SECCOMP_RET_ERRNO | EACCES));
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ALLOW));
}

static void arguments(void)
{
    struct sock_filter code[] = {
        LOAD(nr),
        EQUAL(SYS_lseek, 1, 0),
        ALLOW,
        LOAD(args[0]),
        EQUAL(0x89abcdef, 0, 5),
        LOAD(args[1]),
        EQUAL(5, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
        EQUAL(7, 0, 1),
        RETURN(SECCOMP_RET_ERRNO | ECHILD),
        ALLOW,
    };

    SHOW(set(0, code, LEN(code)));
    SHOW(syscall(SYS_lseek, 0x89abcdef, 0x700000005, 0));
    SHOW(syscall(SYS_lseek, 0x1189abcdef, 0x700000005, 0)); /* only the lower half is looked at */
    SHOW(syscall(SYS_lseek, 0x89abcdef, 0x800000005, 0));
    SHOW(syscall(SYS_lseek, 0x89abcdee, 0x700000005, 0));
}

/* A program whose result is how it was calculated: an error's number. */
static void arithmetic(void)
{
    struct sock_filter code[] = {
        LOAD(nr),
        EQUAL(SYS_getuid, 1, 0),
        ALLOW,
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),    /* 64 */
        BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3),   /* 21 */
        BPF_STMT(BPF_MISC | BPF_TAX, 0),          /* x = 21 */
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),   /* 441 */
        BPF_STMT(BPF_ST, 15),                     /* m = 441 */
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 500), /* -59 */
        BPF_STMT(BPF_ALU | BPF_NEG, 0),           /* 59 */
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),   /* 46 */
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 3),   /* 368 */
        BPF_STMT(BPF_LDX | BPF_MEM, 15),          /* x = 441 */
        BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),    /* 505 */
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),   /* 126 */
        BPF_STMT(BPF_LDX | BPF_IMM, 39),          /* x = 39 */
        BPF_STMT(BPF_STX, 0),                     /* m[0] = 39 */
        BPF_STMT(BPF_ALU | BPF_AND | BPF_X, 0),   /* 38 */
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 38, 0, 1),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 6, 1, 0),
        ALLOW,
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_JMP | BPF_JA, 1),
        ALLOW,
        BPF_STMT(BPF_RET | BPF_A, 0),
    };

    SHOW(set(0, code, LEN(code)));
    SHOW(syscall(SYS_getuid)); /* 38: ENOSYS */
}

static void refusals(void)
{
    static struct sock_filter many[4097];
    struct sock_filter missing[] = {LOAD(nr)};
    struct sock_filter behind[] = {EQUAL(1, 1, 0), ALLOW};
    struct sock_filter outside[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW};
    struct sock_filter crooked[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW};
    struct sock_filter byte[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), ALLOW};
    struct sock_filter packet[] = {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW};
    struct sock_filter modulo[] = {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), ALLOW};
    struct sock_filter zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW};
    struct sock_filter shift[] = {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), ALLOW};
    struct sock_filter memory[] = {BPF_STMT(BPF_ST, 16), ALLOW};
    struct sock_filter unwritten[] = {BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW};
    struct sock_filter one_way[] = {LOAD(nr), EQUAL(1, 0, 1), BPF_STMT(BPF_ST, 3),
                                    BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW};
    struct sock_filter far[] = {BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW};
    unsigned action = SECCOMP_RET_ERRNO;

    for (size_t i = 0; i < LEN(many); i++) {
        many[i] = (struct sock_filter)ALLOW;
    }
    SHOW(set(0, missing, 0));
    SHOW(set(0, missing, 1));
    SHOW(set(0, behind, LEN(behind)));
    SHOW(set(0, outside, LEN(outside)));
    SHOW(set(0, crooked, LEN(crooked)));
    SHOW(set(0, byte, LEN(byte)));
    SHOW(set(0, packet, LEN(packet)));
    SHOW(set(0, modulo, LEN(modulo)));
    SHOW(set(0, zero, LEN(zero)));
    SHOW(set(0, shift, LEN(shift)));
    SHOW(set(0, memory, LEN(memory)));
    SHOW(set(0, unwritten, LEN(unwritten)));
    SHOW(set(0, one_way, LEN(one_way)));
    SHOW(set(0, far, LEN(far)));
    SHOW(set(0, many, 4097));
    SHOW(set(0x100, many, 1));
    SHOW(set(0, NULL, 1));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0x7e0000000000));
    SHOW(set(0, (struct sock_filter *)0x7e0000000000, 1));
    SHOW(syscall(SYS_seccomp, 77, 0, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    action = 0x12345678;
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    SHOW(prctl(PR_SET_SECCOMP, 3, NULL));
    while (set(0, many, 4096) == 0) {
    }
    SHOW(set(0, many, 4096)); /* too many together */
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
}

/* ---- signals ---- */

static void handler(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *state = context;

    printf("signal %d code %d errno %d call %d arch %x here %d rax %lld\n", signo, info->si_code,
           info->si_errno, info->si_syscall, info->si_arch,
           info->si_call_addr == (void *)state->uc_mcontext.gregs[REG_RIP],
           state->uc_mcontext.gregs[REG_RAX]);
}

static void trap(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    (void)sigaction(SIGSYS, &action, NULL);
    SHOW(judge(0, SYS_getpid, SECCOMP_RET_TRAP | 123));
    SHOW(syscall(SYS_getpid, 1, 2, 3));
    SHOW(syscall(SYS_getpid));
}

static void trap_blocked(void)
{
    sigset_t set;

    (void)signal(SIGSYS, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGSYS);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(judge(0, SYS_getpid, SECCOMP_RET_TRAP));
    SHOW(syscall(SYS_getpid));
}

static void kill_process(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

    (void)sigaction(SIGSYS, &action, NULL);
    SHOW(judge(0, SYS_getpid, SECCOMP_RET_KILL_PROCESS));
    SHOW(syscall(SYS_getpid));
}

static void unknown_action(void)
{
    SHOW(judge(0, SYS_getpid, 0x12340000));
    SHOW(syscall(SYS_getpid));
}

static void strict(void)
{
    (void)puts("strict"); /* which takes the calls of the first output */
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
    CHECK(write(1, "written\n", 8) == 8);
    (void)syscall(SYS_getuid);
    CHECK(write(1, "alive\n", 6) == 6);
}

static void strict_exit(void)
{
    (void)puts("strict");
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    (void)syscall(SYS_exit, 9);
}

/* ---- several threads ---- */

static void *dies(void *tid)
{
    *(volatile pid_t *)tid = (pid_t)syscall(SYS_gettid);
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_KILL_THREAD));
    SHOW(syscall(SYS_getuid));
    return tid;
}

static void kill_thread(void)
{
    volatile pid_t tid = 0;
    pthread_t thread;

    (void)pthread_create(&thread, NULL, dies, (void *)&tid); /* not all C libraries can join it */
    while (!tid || syscall(SYS_tgkill, getpid(), tid, 0) == 0) {
        (void)usleep(1000);
    }
    SHOW(syscall(SYS_getuid) != -1);
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_KILL_THREAD));
    SHOW(syscall(SYS_getuid)); /* the last one */
}

static void *asks(void *unused)
{
    SHOW(syscall(SYS_getuid) != -1);
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_barrier_wait(&barrier);
    SHOW(syscall(SYS_getuid));
    SHOW(prctl(PR_GET_SECCOMP));
    return unused;
}

static void *differs(void *unused)
{
    SHOW(judge(0, SYS_getgid, SECCOMP_RET_ERRNO | EPERM));
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_barrier_wait(&barrier);
    return unused;
}

static void threads(void)
{
    pthread_t thread;

    (void)pthread_barrier_init(&barrier, NULL, 2);
    (void)pthread_create(&thread, NULL, asks, NULL);
    (void)pthread_barrier_wait(&barrier);
    SHOW(judge(SECCOMP_FILTER_FLAG_TSYNC, SYS_getuid, SECCOMP_RET_ERRNO | EPERM));
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_join(thread, NULL);
    (void)pthread_create(&thread, NULL, differs, NULL);
    (void)pthread_barrier_wait(&barrier);
    SHOW(judge(SECCOMP_FILTER_FLAG_TSYNC, SYS_geteuid, SECCOMP_RET_ERRNO | EPERM) > 0);
    SHOW(judge(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_geteuid,
               SECCOMP_RET_ERRNO | EPERM));
    SHOW(syscall(SYS_geteuid) != -1);
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_join(thread, NULL);
}

/* ---- processes ---- */

static void child_asks(void)
{
    SHOW(syscall(SYS_getuid));
    SHOW(prctl(PR_GET_SECCOMP));
}

static void processes(void)
{
    char *argv[] = {own_name, "child", NULL};
    int status;

    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ERRNO | EPERM));
    SHOW(judge(0, SYS_getgid, SECCOMP_RET_ERRNO | EIO));
    if (!fork()) {
        child_asks();
        (void)execv(own_name, argv);
        _exit(1);
    }
    SHOW(wait(&status) > 0);
    SHOW(status);
    if (!vfork()) { /* what the child sets is the child's */
        (void)judge(0, SYS_getegid, SECCOMP_RET_ERRNO | EPERM);
        (void)execv(own_name, argv);
        _exit(1);
    }
    SHOW(wait(&status) > 0);
    SHOW(syscall(SYS_getegid) != -1);
    if (!fork()) {
        (void)judge(0, SYS_execve, SECCOMP_RET_ERRNO | E2BIG);
        SHOW(execv(own_name, argv));
        _exit(0);
    }
    SHOW(wait(&status) > 0);
}

static void status(void)
{
    char line[256];
    FILE *file;

    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ERRNO | EPERM));
    SHOW(judge(0, SYS_getuid, SECCOMP_RET_ERRNO | EPERM));
    file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, "Seccomp", 7)) {
            printf("%s", line);
        }
    }
}

static void child(void)
{
    child_asks();
    SHOW(syscall(SYS_getgid));
    SHOW(syscall(SYS_getegid) == -1);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"errors", errors},
    {"arguments", arguments},
    {"arithmetic", arithmetic},
    {"refusals", refusals},
    {"trap", trap},
    {"trap-blocked", trap_blocked},
    {"kill-process", kill_process},
    {"unknown-action", unknown_action},
    {"strict", strict},
    {"strict-exit", strict_exit},
    {"kill-thread", kill_thread},
    {"threads", threads},
    {"processes", processes},
    {"status", status},
    {"child", child},
};

int main(int argc, char **argv)
{
    CHECK(argc > 1 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    own_name = argv[0];
    for (size_t i = 0; i < LEN(cases); i++) {
        if (is_case(argv, cases[i].name)) {
            cases[i].run();
        }
    }
    return 0;
}
