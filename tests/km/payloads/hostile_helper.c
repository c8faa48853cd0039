// SPDX-License-Identifier: Apache-2.0
/*
 * Forges requests to the monitor's helper, in the page after its own system call stub: km's stub.h.
 * Where the page is not its to write, as on hardware, it says no more than where it is.
 */
#include "payload.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STUB 0x7f8000000000UL
#define HLT 0xf4 /* what the stub's page is filled up with */
#define SYSTEM 0x7d0000000000UL
#define SYSTEM_END 0x7d0000040000UL
#define ROUNDS 800
#define HIDDEN 960 /* the monitor's descriptors are above */
#define FAILED 125 /* the monitor's status when it fails */
#define JUMP_MS 200
#define CALLS 200
#define IMAGE 0x400000UL
#define IMAGE_SIZE 0x100000UL
#define FILE_MAX (1UL << 20)
#define STEP 37 /* not of instructions' lengths */

enum { POSTED = 1, DONE, REFUSED };

struct data {
    uint64_t saved[4];
    uint8_t kind[512], special[256];
    uint64_t value[6];
    volatile uint64_t watched, spins;
    volatile uint64_t args[6] __attribute__((aligned(64)));
    volatile uint32_t number, state;
    volatile int64_t result;
};

static sigjmp_buf back;
static const unsigned char *stub;
static struct data *data;
static unsigned long answers;

static void on_fault(int signo)
{
    siglongjmp(back, signo);
}

static void find_stub(void)
{
    static const unsigned char begin[] = {0x48, 0x89, 0x0d}; /* movq %rcx, to the data */

    if (!sigsetjmp(back, 1) && !memcmp((void *)STUB, begin, sizeof(begin))) {
        volatile struct data *found = (struct data *)(STUB + PAGE);

        found->spins = found->spins;
        stub = (unsigned char *)STUB;
        data = (struct data *)found;
    }
}

static uint64_t random_number(void)
{
    static uint64_t seed = 88172645463325252UL;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Calls of its own, so that the helper is awake. */
static void wake(void)
{
    for (int i = 0; i < CALLS; i++) {
        (void)getppid();
    }
}

/* Post a call without leaving for the stub; what became of it, or 0 when nobody looked. */
static uint32_t post(uint32_t number, uint64_t first, uint64_t second, uint64_t third)
{
    data->args[0] = first;
    data->args[1] = second;
    data->args[2] = third;
    data->number = number;
    __atomic_store_n(&data->state, POSTED, __ATOMIC_RELEASE);
    for (int i = 0; i < 2000 && data->state == POSTED; i++) {
        __builtin_ia32_pause();
    }
    if (data->state == POSTED) { /* the next one shall not get the answer to this one */
        data->state = 0;
        (void)sched_yield();
        return 0;
    }
    answers++;
    return data->state;
}

/* Whether a call that was made failed so. */
static void check_error(uint32_t state, int error)
{
    if (state == DONE) {
        CHECK(data->result == -error);
    }
}

/* What no call may do, no request may: into the monitor, with its descriptors, other calls. */
static void forge_known(int fd)
{
    static const uint32_t others[] = {SYS_clone, SYS_execve, SYS_exit,   SYS_exit_group,
                                      SYS_kill,  SYS_ioctl,  SYS_setuid, SYS_mremap,
                                      470,       UINT32_MAX};
    uint64_t monitor = SYSTEM + random_number() % (SYSTEM_END - SYSTEM);
    uint64_t page = monitor & ~(PAGE - 1);

    check_error(post(SYS_pread64, (uint64_t)fd, monitor, 8), EFAULT);
    check_error(post(SYS_fstat, (uint64_t)fd, 0x7e0000000000UL, 0), EFAULT);
    check_error(post(SYS_fstat, HIDDEN + random_number() % 64, (uint64_t)&answers, 0), EBADF);
    check_error(post(SYS_munmap, page, PAGE, 0), EINVAL);
    check_error(post(SYS_mprotect, page, PAGE, PROT_READ), ENOMEM);
    check_error(post(SYS_madvise, page, PAGE, MADV_DONTNEED), ENOMEM);
    CHECK(post(others[random_number() % LEN(others)], 1, 2, 3) != DONE);
}

/* Whether calls of this kind, with any arguments, leave the program what it needs. */
static bool is_harmless(uint32_t number)
{
    static const uint32_t harmful[] = {SYS_umask,    SYS_close,   SYS_mmap, SYS_munmap,
                                       SYS_mprotect, SYS_madvise, SYS_brk};

    for (size_t i = 0; i < LEN(harmful); i++) {
        if (harmful[i] == number) {
            return false;
        }
    }
    return true;
}

/* A request made of anything, while calls of its own go on. */
static void forge_any(int fd)
{
    uint8_t *bytes = (uint8_t *)data;

    for (int i = 0; i < 6; i++) {
        uint64_t any = random_number() >> random_number() % 64;

        data->args[i] = any - IMAGE < IMAGE_SIZE ? 0 : any; /* not to its own variables */
    }
    data->args[0] = random_number() % 4 ? (uint64_t)fd : data->args[0];
    data->number = (uint32_t)random_number() % 480;
    if (!is_harmless(data->number)) {
        return;
    }
    if (random_number() % 4 == 0) {
        bytes[random_number() % offsetof(struct data, args)] = (uint8_t)random_number();
        data->spins %= 1024;
    }
    data->state = (uint32_t)random_number() % 5;
    (void)syscall(random_number() % 2 ? SYS_getpriority : SYS_getppid, 0, 0);
}

/* How a child ends, which may have come into an endless loop or a wait. */
static int end_of(pid_t child)
{
    int status;

    for (int i = 0; i < JUMP_MS; i++) {
        if (waitpid(child, &status, WNOHANG) == child) {
            return status;
        }
        (void)usleep(1000);
    }
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    return status;
}

/* Enter the stub anywhere, in a process of its own: it may go on wherever calls were made. */
static void jump(uint64_t offset)
{
    pid_t child = fork();
    int status;

    CHECK(child >= 0);
    if (!child) {
        CHECK(signal(SIGSEGV, SIG_DFL) != SIG_ERR);
        wake(); /* until its calls jump, too, and it has the stub at that address */
        __asm__ volatile("leaq 1f(%%rip), %%rcx; movl $110, %%eax; movl $0x202, %%r11d; jmp *%0; 1:"
                         :
                         : "r"(stub + offset)
                         : "rax", "rcx", "rdx", "r11", "memory", "cc");
        _exit(0);
    }
    status = end_of(child);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != FAILED);
}

static uint64_t stub_size(void)
{
    uint64_t size = data ? PAGE : 0;

    while (size && stub[size - 1] == HLT) {
        size--;
    }
    return size;
}

int main(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};
    int fd = open("forged", O_RDWR | O_CREAT, 0600), status;
    struct rlimit limit = {FILE_MAX, FILE_MAX};
    uint64_t size;
    pid_t child;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && !setrlimit(RLIMIT_FSIZE, &limit));
    CHECK(fd >= 0 && ftruncate(fd, 100000) == 0 && dup2(fd, 700) == 700);
    fd = 700;
    for (size_t i = 0; i < LEN(faults); i++) {
        CHECK(signal(faults[i], on_fault) != SIG_ERR);
    }
    wake(); /* and so that calls of its own jump to the stub: it has that address since then */
    find_stub();
    size = stub_size();
    for (int i = 0; data && i < ROUNDS; i++) {
        if (i % 50 == 0) {
            wake();
        }
        forge_known(fd);
    }
    for (uint64_t i = 0; i < size; i += STEP) {
        jump(i);
    }
    child = data ? fork() : 0; /* the helper is the parent's, the page is not */
    CHECK(child >= 0);
    for (int i = 0; data && i < ROUNDS / 2; i++) {
        if (i % 50 == 0) {
            wake();
        }
        forge_any(fd);
    }
    if (data) { /* from here on calls are what they are */
        memset(data->kind, 0, sizeof(data->kind));
    }
    if (!child) {
        _exit(data ? 7 : 0);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    (void)unlink("forged");
    return 0;
}
