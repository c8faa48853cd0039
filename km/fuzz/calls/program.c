// SPDX-License-Identifier: Apache-2.0
/*
 * program.c: a payload that makes the system calls that its standard input lists, in a process of
 * its own that may die of them. Its status is the monitor's, should that fail: a fuzzer looks for
 * that.
 */
#include "any_call.h"
#include "payload.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define CALLS_MAX 24
#define NUMBERS 470
#define ROOM (4 * PAGE)
#define MONITOR_FAILED 125

/* One call: its number, and for each argument which kind of value, and which of that kind. */
struct call {
    uint16_t number;
    struct {
        uint8_t kind, which;
    } args[6];
};

enum { /* kinds of values */
       NUMBER,
       NEGATIVE,
       POWER,
       WIDE,      /* of which the kernel takes the lower half */
       PLACE,     /* of the monitor, and other edges */
       MEMORY,    /* in the room */
       STRUCTURE, /* in the room, with pointers in it */
       DESCRIPTOR,
       PATH,
       RESULT, /* of a call before */
       KINDS,
};

static const uint64_t places[] = {
    0x7d0000000000, 0x7d1000000000, 0x7d2000000000,     0x7d3000000000, 0x7d4000000000,
    0x7d5000000000, 0x7e0000000000, 0x7e0000010000,     0x6fff00000000, 0x6ffefffffff0,
    0x10000,        0x800000000000, 0xffff800000000000, ~0UL,           ~0UL - PAGE,
};
static char *const paths[] = {
    "file",
    ".",
    "/proc/self/mem",
    "/proc/self/fd",
    "/dev/kvm",
    "/proc/self/exe",
    "fifo",
    "",
    "/proc/self/maps",
    "/dev/null",
    "/proc/thread-self/mem",
    "user.name",
};

static uint64_t *room; /* the input's bytes behind the calls, then zeroes */
static uint64_t results[CALLS_MAX];
static int fds[8];
static pid_t child;

/* A structure of pairs: a pointer, then a length, as iovec, msghdr and many others begin. */
static uint64_t structure(uint8_t which)
{
    uint64_t *at = room + (2 * PAGE + which * 64UL) / sizeof(*room);
    static const uint64_t lengths[] = {8, 1, 24, 1UL << 31, 1UL << 63, 4096};

    for (size_t i = 0; i < 8; i += 2) {
        at[i] = (which >> i & 1) ? places[(which + i) % LEN(places)] : (uint64_t)(room + 8 * i);
        at[i + 1] = lengths[(which + i) % LEN(lengths)];
    }
    return (uint64_t)at;
}

static uint64_t value(uint8_t kind, uint8_t which, size_t done)
{
    switch (kind % KINDS) {
    case NEGATIVE:
        return -(uint64_t)which;
    case POWER:
        return (1UL << which % 64) - (which >= 128);
    case WIDE:
        return which | 1UL << 32;
    case PLACE:
        return places[which % LEN(places)] + (which >= 128 ? which : 0);
    case MEMORY:
        return (uint64_t)room + which * 16UL;
    case STRUCTURE:
        return structure(which);
    case DESCRIPTOR:
        return (uint64_t)fds[which % LEN(fds)];
    case PATH:
        return (uint64_t)paths[which % LEN(paths)];
    case RESULT:
        return done ? results[which % done] : 0;
    default:
        return which;
    }
}

/* A frame for rt_sigreturn is whatever lies in the room. */
static void forge_frame(uint64_t at)
{
    __asm__ volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" : : "r"(at) : "memory");
}

static void make_calls(const struct call *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t args[6];

        for (size_t a = 0; a < 6; a++) {
            args[a] = value(calls[i].args[a].kind, calls[i].args[a].which, i);
        }
        if (calls[i].number % NUMBERS == SYS_rt_sigreturn) {
            forge_frame((uint64_t)room + calls[i].args[0].which * 8UL);
        }
        if (!is_left_out(calls[i].number % NUMBERS)) {
            results[i] = (uint64_t)syscall(calls[i].number % NUMBERS, args[0], args[1], args[2],
                                           args[3], args[4], args[5]);
        }
    }
}

static void prepare(void)
{
    struct rlimit files = {1 << 20, 1 << 20}, processes = {50, 50};

    (void)alarm(1);
    if (geteuid() == 0) { /* what is hit shall not be the host's */
        CHECK(setgroups(0, NULL) == 0 && setgid(54323) == 0 && setuid(54323) == 0);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_FSIZE, &files);
    (void)setrlimit(RLIMIT_NPROC, &processes);
    fds[0] = open("/dev/zero", O_RDWR);
    (void)socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, &fds[1]);
    fds[3] = eventfd(0, EFD_NONBLOCK);
    fds[4] = epoll_create1(0);
    fds[5] = open("/proc/self", O_PATH | O_DIRECTORY);
    fds[6] = -1;
    fds[7] = AT_FDCWD;
}

/* It waits for good, and has blocked what its own alarm sends. */
static void end_child(int signo)
{
    (void)signo;
    (void)kill(child, SIGKILL);
}

int main(void)
{
    static union {
        char bytes[PAGE];
        struct call calls[CALLS_MAX];
    } input;
    ssize_t size = read(0, input.bytes, sizeof(input));
    size_t count = size < 0 ? 0 : (size_t)size / sizeof(struct call);
    int status;

    room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED);
    if (count > CALLS_MAX) {
        memcpy(room, &input.calls[CALLS_MAX], (size_t)size - sizeof(input.calls));
        count = CALLS_MAX;
    }
    child = fork();
    if (!child) {
        prepare();
        make_calls(input.calls, count);
        _exit(0);
    }
    (void)signal(SIGALRM, end_child);
    (void)alarm(2);
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == MONITOR_FAILED ? MONITOR_FAILED : 0;
}
