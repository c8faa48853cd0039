// SPDX-License-Identifier: Apache-2.0
/*
 * trace_structs.c: --trace's view of the memory that arguments point to. The layouts are those
 * of the kernel's ABI for x86-64; each is copied before it is looked at.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "memory/memory.h"
#include "task/task.h"
#include "watch/watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define CHARACTERS_SHOWN 32
#define ELEMENTS_SHOWN 16

static void show_character(struct line *line, char c)
{
    static const char escaped[] = "\n\t\r\"\\", letters[] = "ntr\"\\";
    const char *found = c ? strchr(escaped, c) : NULL;

    if (found) {
        line_put(line, "\\%c", letters[found - escaped]);
    } else if (c >= ' ' && c < 127) {
        line_put(line, "%c", c);
    } else {
        line_put(line, "\\%o", (unsigned char)c);
    }
}

void show_bytes(struct line *line, uint64_t addr, uint64_t size, bool string)
{
    uint64_t i;
    char c = 0;

    if (!addr || (size && guest_read(&c, addr, 1) < 0)) {
        line_put(line, addr ? "0x%lx" : "NULL", addr);
        return;
    }
    line_put(line, "\"");
    for (i = 0; i < size && i < CHARACTERS_SHOWN; i++) {
        if (guest_read(&c, addr + i, 1) < 0 || (string && !c)) {
            line_put(line, "\"");
            return;
        }
        show_character(line, c);
    }
    line_put(line, "\"");
    if (i < size && !(string && !guest_read(&c, addr + i, 1) && !c)) {
        line_put(line, "...");
    }
}

/* ---- one structure each: `p` is a copy of `size` bytes at most ---- */

static void show_int(struct line *line, const void *p)
{
    line_put(line, "%d", *(const int *)p);
}

static void show_offset(struct line *line, const void *p)
{
    line_put(line, "%ld", *(const long *)p);
}

static void show_timespec(struct line *line, const void *p)
{
    const struct timespec *t = p;

    line_put(line, "{tv_sec=%ld, tv_nsec=%ld}", t->tv_sec, t->tv_nsec);
}

static void show_timeval(struct line *line, const void *p)
{
    const struct timeval *t = p;

    line_put(line, "{tv_sec=%ld, tv_usec=%ld}", t->tv_sec, t->tv_usec);
}

static void show_itimerspec(struct line *line, const void *p)
{
    line_put(line, "{it_interval=");
    show_timespec(line, p);
    line_put(line, ", it_value=");
    show_timespec(line, (const struct timespec *)p + 1);
    line_put(line, "}");
}

static void show_itimerval(struct line *line, const void *p)
{
    line_put(line, "{it_interval=");
    show_timeval(line, p);
    line_put(line, ", it_value=");
    show_timeval(line, (const struct timeval *)p + 1);
    line_put(line, "}");
}

static void show_pollfd(struct line *line, const void *p)
{
    const struct pollfd *one = p;

    line_put(line, "{fd=%d, events=", one->fd);
    show_name(line, SHOW_POLL_EVENTS, (uint16_t)one->events);
    if (one->revents) {
        line_put(line, ", revents=");
        show_name(line, SHOW_POLL_EVENTS, (uint16_t)one->revents);
    }
    line_put(line, "}");
}

static void show_epoll_event(struct line *line, const void *p)
{
    const struct epoll_event *event = p;

    line_put(line, "{events=");
    show_name(line, SHOW_EPOLL_EVENTS, event->events);
    line_put(line, ", data=0x%lx}", event->data.u64);
}

static void show_limit(struct line *line, const char *name, rlim_t value)
{
    line_put(line, value == RLIM_INFINITY ? "%s=RLIM_INFINITY" : "%s=%llu", name,
             (unsigned long long)value);
}

static void show_rlimit(struct line *line, const void *p)
{
    const struct rlimit *limit = p;

    line_put(line, "{");
    show_limit(line, "rlim_cur", limit->rlim_cur);
    line_put(line, ", ");
    show_limit(line, "rlim_max", limit->rlim_max);
    line_put(line, "}");
}

static void show_rusage(struct line *line, const void *p)
{
    const struct rusage *usage = p;

    line_put(line, "{ru_utime=");
    show_timeval(line, &usage->ru_utime);
    line_put(line, ", ru_stime=");
    show_timeval(line, &usage->ru_stime);
    line_put(line, ", ru_maxrss=%ld, ...}", usage->ru_maxrss);
}

/* Without the SIG of each name, and as what is missing where that is less: as strace writes sets.
 */
static void show_sigset(struct line *line, const void *p)
{
    const char *separator = "";
    uint64_t set = *(const uint64_t *)p;

    if (__builtin_popcountl(set) > SIGNAL_MAX / 2) {
        line_put(line, "~");
        set = ~set;
    }
    line_put(line, "[");
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        struct line name = {.used = 0};

        if (set & SIGNAL_BIT(signo)) {
            show_name(&name, SHOW_SIGNAL, (uint64_t)signo);
            line_put(line, "%s%s", separator,
                     name.text + (strncmp(name.text, "SIG", 3) == 0 ? 3 : 0));
            separator = " ";
        }
    }
    line_put(line, "]");
}

static void show_sigaction(struct line *line, const void *p)
{
    const struct action *action = p;

    line_put(line, "{sa_handler=");
    if (action->handler == (uint64_t)SIG_DFL || action->handler == (uint64_t)SIG_IGN) {
        line_put(line, action->handler == (uint64_t)SIG_DFL ? "SIG_DFL" : "SIG_IGN");
    } else {
        line_put(line, "0x%lx", action->handler);
    }
    line_put(line, ", sa_mask=");
    show_sigset(line, &action->mask);
    line_put(line, ", sa_flags=");
    show_name(line, SHOW_SIGNAL_FLAGS, (uint32_t)action->flags);
    line_put(line, "}");
}

void show_siginfo(struct line *line, const void *p)
{
    const siginfo_t *info = p;

    line_put(line, "{si_signo=");
    show_name(line, SHOW_SIGNAL, (uint32_t)info->si_signo);
    line_put(line, ", si_code=");
    show_signal_code(line, info->si_signo, info->si_code);
    if (info->si_code == SI_USER || info->si_code == SI_TKILL || info->si_code == SI_QUEUE) {
        line_put(line, ", si_pid=%d, si_uid=%u", info->si_pid, info->si_uid);
    } else if (info->si_signo == SIGCHLD) {
        line_put(line, ", si_pid=%d, si_uid=%u, si_status=%d", info->si_pid, info->si_uid,
                 info->si_status);
    } else if (info->si_code > 0 &&
               (info->si_signo == SIGSEGV || info->si_signo == SIGBUS || info->si_signo == SIGFPE ||
                info->si_signo == SIGILL || info->si_signo == SIGTRAP)) {
        line_put(line, info->si_addr ? ", si_addr=%p" : ", si_addr=NULL", info->si_addr);
    }
    line_put(line, "}");
}

static void show_stack(struct line *line, const void *p)
{
    const stack_t *stack = p;

    line_put(line, "{ss_sp=%p, ss_flags=%s, ss_size=%lu}", stack->ss_sp,
             stack->ss_flags & SS_DISABLE   ? "SS_DISABLE"
             : stack->ss_flags & SS_ONSTACK ? "SS_ONSTACK"
                                            : "0",
             stack->ss_size);
}

static void show_stat(struct line *line, const void *p)
{
    const struct stat *st = p;

    line_put(line, "{st_mode=");
    show_name(line, SHOW_MODE, st->st_mode & S_IFMT);
    line_put(line, "|0%o, ", st->st_mode & ~(unsigned)S_IFMT);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        line_put(line, "st_rdev=0x%lx, ...}", st->st_rdev);
    } else {
        line_put(line, "st_size=%ld, ...}", st->st_size);
    }
}

static void show_utsname(struct line *line, const void *p)
{
    const struct utsname *name = p;

    line_put(line, "{sysname=\"%.64s\", nodename=\"%.64s\", release=\"%.64s\", ...}", name->sysname,
             name->nodename, name->release);
}

static void show_wait_status(struct line *line, const void *p)
{
    int status = *(const int *)p;

    if (WIFEXITED(status)) {
        line_put(line, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        line_put(line, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
        show_name(line, SHOW_SIGNAL, (uint64_t)WTERMSIG(status));
        line_put(line, "}]");
    } else {
        line_put(line, "[0x%x]", (unsigned)status);
    }
}

static void show_sockaddr(struct line *line, const void *p)
{
    const struct sockaddr_storage *any = p;
    const struct sockaddr_in *in = p;
    const struct sockaddr_in6 *in6 = p;
    const struct sockaddr_un *un = p;
    char text[INET6_ADDRSTRLEN] = "";

    line_put(line, "{sa_family=");
    show_name(line, SHOW_DOMAIN, any->ss_family);
    if (any->ss_family == AF_INET) {
        line_put(line, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(in->sin_port),
                 inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
    } else if (any->ss_family == AF_INET6) {
        line_put(line, ", sin6_port=htons(%u), sin6_addr=\"%s\"", ntohs(in6->sin6_port),
                 inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)));
    } else if (any->ss_family == AF_UNIX) {
        line_put(line, un->sun_path[0] ? ", sun_path=\"%.108s\"" : ", sun_path=@\"%.107s\"",
                 un->sun_path + !un->sun_path[0]);
    }
    line_put(line, "}");
}

/* ---- all of them ---- */

#define COPY_MAX 400 /* the largest structure here */

static const struct {
    void (*show)(struct line *line, const void *p);
    size_t size;
} kinds[SHOW_END] = {
    [SHOW_EPOLL_EVENT] = {show_epoll_event, sizeof(struct epoll_event)},
    [SHOW_INT] = {show_int, sizeof(int)},
    [SHOW_ITIMERSPEC] = {show_itimerspec, sizeof(struct itimerspec)},
    [SHOW_ITIMERVAL] = {show_itimerval, sizeof(struct itimerval)},
    [SHOW_OFFSET] = {show_offset, sizeof(long)},
    [SHOW_POLLFD] = {show_pollfd, sizeof(struct pollfd)},
    [SHOW_RLIMIT] = {show_rlimit, sizeof(struct rlimit)},
    [SHOW_RUSAGE] = {show_rusage, 144}, /* musl's own has room for more */
    [SHOW_SIGACTION] = {show_sigaction, sizeof(struct action)},
    [SHOW_SIGINFO] = {show_siginfo, sizeof(siginfo_t)},
    [SHOW_SIGSET] = {show_sigset, sizeof(uint64_t)},
    [SHOW_STACK] = {show_stack, sizeof(stack_t)},
    [SHOW_STAT] = {show_stat, sizeof(struct stat)},
    [SHOW_TIMESPEC] = {show_timespec, sizeof(struct timespec)},
    [SHOW_TIMEVAL] = {show_timeval, sizeof(struct timeval)},
    [SHOW_UTSNAME] = {show_utsname, sizeof(struct utsname)},
    [SHOW_WAIT_STATUS] = {show_wait_status, sizeof(int)},
};

/* A NULL-terminated array of strings, as execve's arguments. */
static void show_strings(struct line *line, uint64_t addr)
{
    uint64_t string;

    line_put(line, "[");
    for (uint64_t i = 0; guest_read(&string, addr + i * 8, 8) == 0 && string; i++) {
        line_put(line, "%s", i ? ", " : "");
        if (i == ELEMENTS_SHOWN) {
            line_put(line, "...");
            break;
        }
        show_bytes(line, string, PAGE_SIZE, true);
    }
    line_put(line, "]");
}

/* A socket's address is as long as its caller says, up to what there is. */
static void show_sockaddr_at(struct line *line, uint64_t addr, uint64_t size)
{
    struct sockaddr_storage copy = {0};

    if (!size || size > sizeof(struct sockaddr_un)) {
        size = sizeof(struct sockaddr_un);
    }
    while (size && guest_read(&copy, addr, size) < 0) { /* less, where the payload's memory ends */
        size /= 2;
    }
    show_sockaddr(line, &copy);
}

void show_structs(struct line *line, enum shown shown, uint64_t addr, uint64_t size)
{
    _Alignas(16) char copy[COPY_MAX];
    uint64_t one = kinds[shown].size, count;
    bool array;

    if (shown == SHOW_STRINGS || shown == SHOW_SOCKADDR) {
        shown == SHOW_STRINGS ? show_strings(line, addr) : show_sockaddr_at(line, addr, size);
        return;
    }
    if (!one || (size && size < one)) {
        line_put(line, "0x%lx", addr);
        return;
    }
    count = size / one;
    array = count != 1 || shown == SHOW_POLLFD || shown == SHOW_EPOLL_EVENT ||
            (shown == SHOW_INT && size != one);
    line_put(line, array ? "[" : "");
    for (uint64_t i = 0; i < count; i++) {
        line_put(line, "%s", i ? ", " : "");
        if (i == ELEMENTS_SHOWN || guest_read(copy, addr + i * one, one) < 0) {
            line_put(line, i == ELEMENTS_SHOWN ? "..." : "0x%lx", addr);
            break;
        }
        kinds[shown].show(line, copy);
    }
    line_put(line, array ? "]" : "");
}
