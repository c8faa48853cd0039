// SPDX-License-Identifier: Apache-2.0
/*
 * trace.c: --trace: a line for each system call, as strace writes it, from what the table says of
 * the arguments. The line appears when the call has returned. A call that probably waits is
 * announced before, so that the trace shows where a payload hangs.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"
#include "watch/watch.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOVECS_SHOWN 8

/* ---- which calls: --trace=CALL,CALL... ---- */

static uint64_t chosen[SYSCALL_COUNT / 64 + 1]; /* a bit per call */
static bool chosen_known;

static void choose(const char *name, size_t length)
{
    for (size_t i = 0; i < SYSCALL_COUNT; i++) {
        const char *known = syscall_table[i].name;

        if (*known && !strncmp(known, name, length) && !known[length]) {
            chosen[i / 64] |= 1UL << i % 64;
            return;
        }
    }
    die(STATUS_FAILED, "name calls as in --trace=openat,read",
        "--trace knows no system call '%.*s'", length > NAME_MAX ? NAME_MAX : (int)length, name);
}

void trace_choose(const char *calls)
{
    while (calls) {
        size_t length = strcspn(calls, ",");

        choose(calls, length);
        calls = calls[length] ? calls + length + 1 : NULL;
        chosen_known = true;
    }
}

static const struct syscall *call_of(uint64_t number)
{
    return number < SYSCALL_COUNT && *syscall_table[number].name ? &syscall_table[number] : NULL;
}

static bool is_chosen(uint64_t number)
{
    return options.trace &&
           (!chosen_known || (number < SYSCALL_COUNT && chosen[number / 64] & 1UL << number % 64));
}

/* ---- arguments ---- */

static void show_address(struct line *line, uint64_t addr)
{
    line_put(line, addr ? "0x%lx" : "NULL", addr);
}

static void show_iovecs(struct line *line, uint64_t addr, uint64_t count, uint64_t bytes)
{
    struct iovec iov;
    uint64_t size;

    line_put(line, "[");
    for (uint64_t i = 0; i < count; i++) {
        line_put(line, "%s", i ? ", " : "");
        if (i == IOVECS_SHOWN || guest_read(&iov, addr + i * sizeof(iov), sizeof(iov)) < 0) {
            line_put(line, "...");
            break;
        }
        size = iov.iov_len < bytes ? iov.iov_len : bytes;
        bytes -= size;
        line_put(line, "{iov_base=");
        show_bytes(line, (uint64_t)iov.iov_base, size, false);
        line_put(line, ", iov_len=%lu}", iov.iov_len);
    }
    line_put(line, "]");
}

/* Memory: bytes as characters, structures as what they are, all else as its address. */
static void show_memory(struct line *line, const struct syscall *call, unsigned i,
                        const uint64_t *args, int64_t result)
{
    const struct arg *arg = &call->args[i];
    bool out = arg->kind == ARG_OUT, bytes = arg->size == 1 && arg->len_arg != NO_ARG;
    uint64_t size = syscall_arg_length(call, i, args);
    uint64_t limit = arg->size * (result > 0 ? (uint64_t)result : 0);
    bool there = args[i] && !(out && result < 0);

    /* Of an array that the kernel fills, the result says how much. */
    if (there && arg->shown && arg->shown != SHOW_ADDRESS) {
        show_structs(line, arg->shown, args[i],
                     out && arg->len_arg != NO_ARG && arg->size > 1 && limit < size ? limit : size);
    } else if (there && !arg->shown && bytes && (!out || result > 0)) {
        show_bytes(line, args[i], out && limit < size ? limit : size, false);
    } else {
        show_address(line, args[i]);
    }
}

static void show_number(struct line *line, const struct arg *arg, uint64_t value)
{
    switch (arg->kind) {
    case ARG_INT:
    case ARG_PID:
    case ARG_FD:
        line_put(line, "%d", (int)value);
        break;
    case ARG_DIRFD:
        line_put(line, (int)value == AT_FDCWD ? "AT_FDCWD" : "%d", (int)value);
        break;
    case ARG_UINT:
        line_put(line, "%u", (uint32_t)value);
        break;
    case ARG_SIZE:
        line_put(line, "%lu", value);
        break;
    case ARG_OCTAL:
        line_put(line, "0%lo", value & 07777777);
        break;
    default:
        line_put(line, value ? "0x%lx" : "0", value);
    }
}

static void show_arg(struct line *line, const struct syscall *call, unsigned i,
                     const uint64_t *args, int64_t result)
{
    const struct arg *arg = &call->args[i];

    switch (arg->kind) {
    case ARG_PATH:
        show_bytes(line, args[i], PATH_MAX, true);
        break;
    case ARG_IN:
    case ARG_OUT:
    case ARG_INOUT:
        show_memory(line, call, i, args, result);
        break;
    case ARG_IOV_IN:
        show_iovecs(line, args[i], args[arg->len_arg], UINT64_MAX);
        break;
    case ARG_IOV_OUT:
        show_iovecs(line, args[i], args[arg->len_arg], result > 0 ? (uint64_t)result : 0);
        break;
    case ARG_ADDR:
        if (arg->shown && args[i]) {
            show_structs(line, arg->shown, args[i], arg->size);
        } else {
            show_address(line, args[i]);
        }
        break;
    default:
        if (arg->shown) {
            show_name(line, arg->shown, (uint32_t)args[i]);
        } else {
            show_number(line, arg, args[i]);
        }
    }
}

/* Whether an argument is one that the call does not look at. */
static bool is_unused(uint64_t number, unsigned i, const uint64_t *args)
{
    switch (number) {
    case __NR_open:
        return i == 2 && !(args[1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)));
    case __NR_openat:
        return i == 3 && !(args[2] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)));
    case __NR_fcntl:
        return i == 2 && (args[1] == F_GETFD || args[1] == F_GETFL);
    case __NR_futex:
        return i >= 3 && ((int)args[1] & FUTEX_CMD_MASK) == FUTEX_WAKE;
    default:
        return false;
    }
}

static void show_args(struct line *line, uint64_t number, const uint64_t *args, int64_t result)
{
    const struct syscall *call = call_of(number);

    if (!call) {
        line_put(line, "syscall_%lu(0x%lx, 0x%lx, 0x%lx", number, args[0], args[1], args[2]);
        return;
    }
    line_put(line, "%s(", call->name);
    for (unsigned i = 0; i < 6 && call->args[i].kind != ARG_NONE && !is_unused(number, i, args);
         i++) {
        line_put(line, "%s", i ? ", " : "");
        if (number == __NR_fcntl && args[1] == F_SETFL && i == 2) {
            show_name(line, SHOW_OPEN, args[i]);
        } else {
            show_arg(line, call, i, args, result);
        }
    }
}

static void show_result(struct line *line, int64_t result)
{
    const char *name;

    if (result == NOT_STARTED) {
        line_put(line, "? (a signal came first)\n");
    } else if (result < 0 && result >= -4095) {
        name = name_of_errno((int)-result);
        line_put(line, "-1 %s (%s)\n", name ? name : "?", strerror((int)-result));
    } else {
        line_put(line, (uint64_t)result > 0xffffff ? "0x%lx\n" : "%ld\n", result);
    }
}

/* Who it was, once the payload has more than the one thread that km started with. */
static void show_tid(struct line *line)
{
    static pid_t first;

    if (!first) {
        first = getpid();
    }
    if (thread_several() || getpid() != first || options.report_shared) {
        line_put(line, "[pid %ld] ", syscall(__NR_gettid));
    }
}

/* ---- calls ---- */

/* Whether a read from or write to this descriptor would wait now. */
static bool would_wait_for(int fd, bool reads)
{
    struct pollfd one = {.fd = fd, .events = reads ? POLLIN : POLLOUT};

    return fd >= 0 && poll(&one, 1, 0) == 0;
}

/* Whether a call that begins will probably wait. */
static bool would_wait(uint64_t number, const uint64_t *args)
{
    const struct syscall *call = call_of(number);
    int operation = (int)args[1] & FUTEX_CMD_MASK;

    if (!call || call->waits == WAITS_NOT) {
        return false;
    }
    if (number == __NR_futex) {
        return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET ||
               operation == FUTEX_LOCK_PI || operation == FUTEX_WAIT_REQUEUE_PI;
    }
    if (call->args[0].kind != ARG_FD || call->waits == WAITS) {
        return call->args[0].kind != ARG_PATH && call->args[0].kind != ARG_DIRFD;
    }
    return would_wait_for((int)args[0], call->args[1].kind == ARG_OUT ||
                                            call->args[1].kind == ARG_IOV_OUT ||
                                            number == __NR_recvmsg);
}

static _Thread_local bool announced;

void trace_begin(const struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    struct line line = {.used = 0};

    (void)vcpu;
    announced = is_chosen(number) && would_wait(number, args);
    if (announced) {
        show_tid(&line);
        show_args(&line, number, args, -EINTR);
        line_put(&line, " <unfinished ...>\n");
        line_write(&line);
    }
}

void trace_end(const struct vcpu *vcpu, uint64_t number, const uint64_t *args, int64_t result)
{
    struct line line = {.used = 0};

    (void)vcpu;
    if (!is_chosen(number)) {
        return;
    }
    show_tid(&line);
    if (announced) {
        line_put(&line, "<... resumed> ");
    }
    show_args(&line, number, args, result);
    line_put(&line, ") = ");
    if (number == __NR_exit || number == __NR_exit_group) {
        line_put(&line, "?\n");
    } else {
        show_result(&line, result);
    }
    line_write(&line);
}

/* ---- signals, the end ---- */

void trace_signal(const struct vcpu *vcpu, int signo)
{
    struct line line = {.used = 0};

    show_tid(&line);
    line_put(&line, "--- ");
    show_name(&line, SHOW_SIGNAL, (uint64_t)signo);
    line_put(&line, " ");
    show_siginfo(&line, vcpu->signal_info);
    line_put(&line, " ---\n");
    line_write(&line);
}

void trace_start(uint64_t argv)
{
    struct line line = {.used = 0};

    if (!is_chosen(__NR_execve)) {
        return;
    }
    show_tid(&line);
    line_put(&line, "execve(\"%s\", ", image.execfn);
    show_structs(&line, SHOW_STRINGS, argv, 0);
    line_put(&line, ", ...) = 0\n");
    line_write(&line);
}

void trace_exit(int status)
{
    struct line line = {.used = 0};

    show_tid(&line);
    line_put(&line, "+++ exited with %d +++\n", status & 0xff);
    line_write(&line);
}

void trace_death(int signo)
{
    struct line line = {.used = 0};

    show_tid(&line);
    line_put(&line, "+++ killed by ");
    show_name(&line, SHOW_SIGNAL, (uint64_t)signo);
    line_put(&line, " +++\n");
    line_write(&line);
}
