// SPDX-License-Identifier: Apache-2.0
/*
 * Jumps to the code of its stub that changes its signal mask, past its own filter: with a pointer
 * that faults, or after another thread has given it the filter, as its argument says; km's
 * stub_code.S. Where it cannot read that code, as on hardware, it says no more.
 */
#include "deny.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define STUB 0x7f8000000000UL
#define CALLS 100
#define FLAGS 0x202
#define BAD_POINTER 8UL

struct data { /* of the stub, in the page behind it */
    uint64_t rcx, r11, rax;
    uint8_t others[960 - 24];
    uint64_t mask, held_back, old_mask, next, flags, by_site;
};

static sigjmp_buf back;
static const unsigned char *code;
static struct data *data;
static volatile sig_atomic_t came;
static atomic_bool runs, filtered;

static void on_fault(int signo)
{
    siglongjmp(back, signo);
}

static void on_signal(int signo)
{
    came = signo;
}

static void find_code(void)
{
    static const unsigned char begin[] = {0x49, 0x8d, 0x4a, 0xf8}; /* leaq -8(%r10), %rcx */
    volatile struct data *found = (struct data *)(STUB + PAGE);

    if (!sigsetjmp(back, 1)) {
        code = memmem((void *)STUB, PAGE, begin, sizeof(begin));
        found->mask = found->mask;
        data = code ? (struct data *)found : NULL;
    }
}

/* Its pointer faults, and the call is to be made again: getppid(2), with another mask. */
static void jump(void)
{
    if (!sigsetjmp(back, 1)) {
        data->mask = ~0UL;
        data->rax = SYS_getppid;
        data->flags = FLAGS;
        data->by_site = 0;
        __asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, (%0); movl $8, %%r10d; jmp *%1;"
                         "syscall; 1:"
                         :
                         : "r"(&data->next), "r"(code), "D"(SIG_SETMASK), "S"(BAD_POINTER), "d"(0)
                         : "rax", "rcx", "r10", "r11", "memory", "cc");
    }
}

/* Change the mask there, by a pointer that does not fault. */
static void change(void)
{
    static const uint64_t all = ~0UL;

    data->held_back = 0;
    data->flags = FLAGS;
    data->by_site = 0;
    __asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, (%0); movl $8, %%r10d; jmp *%1; 1:"
                     :
                     : "r"(&data->next), "r"(code), "D"(SIG_SETMASK), "S"(&all), "d"(0)
                     : "rax", "rcx", "r10", "r11", "memory", "cc");
}

static void *forbid_all(void *unused)
{
    while (!runs) {
    }
    deny(SYS_rt_sigprocmask, SECCOMP_FILTER_FLAG_TSYNC);
    filtered = true;
    return unused;
}

/* With no call of its own from before the filter is set until after the jump. */
static void be_forbidden(void)
{
    pthread_t other;
    sigset_t none;

    CHECK(!pthread_create(&other, NULL, forbid_all, NULL));
    (void)sigemptyset(&none);
    for (int i = 0; i < CALLS; i++) { /* until it has its mask there */
        CHECK(!syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(uint64_t)));
    }
    runs = true;
    while (!filtered) {
    }
    if (data) {
        change();
    }
    CHECK(!pthread_join(other, NULL));
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    (void)argc;
    CHECK(!sigaction(SIGSEGV, &action, NULL) && !sigaction(SIGBUS, &action, NULL));
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    for (int i = 0; i < CALLS; i++) { /* until its calls jump, and it has the stub there */
        (void)syscall(SYS_getppid);
    }
    find_code();
    if (is_case(argv, "others")) {
        be_forbidden();
    } else {
        deny(SYS_rt_sigprocmask, 0);
        if (data) {
            jump();
        }
    }
    CHECK(!syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
    CHECK(came == SIGUSR1); /* it is not blocked */
    return 0;
}
