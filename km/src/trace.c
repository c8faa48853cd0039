// SPDX-License-Identifier: Apache-2.0
/*
 * trace.c: --trace: a line for each system call, as strace writes it, from what the table says of
 * the arguments. A line appears when the call has returned.
 */
#include "syscall.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define STRING_MAX 32

struct line {
    char text[2048];
    size_t used;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    size_t room = sizeof(line->text) - line->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    line->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void trace_open(const char *path)
{
    int fd = options.trace_fd;

    if (!options.trace) {
        return;
    }
    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    } else if (fd < 0) {
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    if (fd < 0) {
        die(STATUS_FAILED, "name a file that can be written with -o",
            "cannot write the trace to %s: %m", path ? path : "standard error");
    }
    options.trace_fd = fd_hide(fd);
}

/* At most `length` bytes of the payload, quoted; a string ends at its zero byte. */
static void put_bytes(struct line *line, uint64_t addr, uint64_t length, bool string)
{
    uint64_t i;
    char c;

    if (!addr) {
        put(line, "NULL");
        return;
    }
    for (i = 0; i < length && i < STRING_MAX; i++) {
        if (guest_read(&c, addr + i, 1) < 0) {
            if (!i) {
                put(line, "0x%lx", addr);
                return;
            }
            break;
        }
        if (string && !c) {
            put(line, "%s\"", i ? "" : "\"");
            return;
        }
        put(line, "%s", i ? "" : "\"");
        if (c == '\n') {
            put(line, "\\n");
        } else if (c == '"' || c == '\\') {
            put(line, "\\%c", c);
        } else if (c >= ' ' && c < 127) {
            put(line, "%c", c);
        } else {
            put(line, "\\%o", (unsigned char)c);
        }
    }
    put(line, i ? "\"%s" : "\"\"%s", i < length ? "..." : "");
}

static void put_arg(struct line *line, const struct syscall *call, unsigned i, const uint64_t *args,
                    int64_t result)
{
    const struct arg *arg = &call->args[i];
    uint64_t value = args[i];
    bool bytes = arg->size == 1 && arg->len_arg != NO_ARG;

    switch (arg->kind) {
    case ARG_INT:
    case ARG_FD:
        put(line, "%d", (int)value);
        break;
    case ARG_DIRFD:
        put(line, (int)value == AT_FDCWD ? "AT_FDCWD" : "%d", (int)value);
        break;
    case ARG_UINT:
        put(line, "%u", (uint32_t)value);
        break;
    case ARG_SIZE:
        put(line, "%lu", value);
        break;
    case ARG_OCTAL:
        put(line, "0%lo", value & 07777777);
        break;
    case ARG_PATH:
        put_bytes(line, value, UINT64_MAX, true);
        break;
    case ARG_IN:
        if (bytes) {
            put_bytes(line, value, syscall_arg_length(call, i, args), false);
            break;
        }
        put(line, value ? "0x%lx" : "NULL", value);
        break;
    case ARG_OUT:
        if (bytes && result > 0) {
            put_bytes(line, value, (uint64_t)result, false);
            break;
        }
        put(line, value ? "0x%lx" : "NULL", value);
        break;
    default:
        put(line, value ? "0x%lx" : "0", value);
    }
}

static void put_result(struct line *line, uint64_t number, int64_t result)
{
    if (number == __NR_exit || number == __NR_exit_group) {
        put(line, "?\n");
    } else if (result < 0 && result >= -4095) {
        put(line, "-1 (%s)\n", strerror((int)-result));
    } else if (result > 0xffffff) {
        put(line, "0x%lx\n", result);
    } else {
        put(line, "%ld\n", result);
    }
}

/* Who it was, once the payload has more than the one thread that km started with. */
static void put_tid(struct line *line)
{
    static pid_t first;

    if (!first) {
        first = getpid();
    }
    if (thread_several() || getpid() != first) {
        put(line, "[%ld] ", syscall(__NR_gettid));
    }
}

void trace_syscall(const struct vcpu *vcpu, uint64_t number, const uint64_t *args, int64_t result)
{
    const struct syscall *call = number < SYSCALL_COUNT ? &syscall_table[number] : NULL;
    struct line line = {.used = 0};

    (void)vcpu;
    put_tid(&line);
    if (call && call->name) {
        put(&line, "%s(", call->name);
        for (unsigned i = 0; i < 6 && call->args[i].kind != ARG_NONE; i++) {
            put(&line, "%s", i ? ", " : "");
            put_arg(&line, call, i, args, result);
        }
    } else {
        put(&line, "syscall_%lu(0x%lx, 0x%lx, 0x%lx", number, args[0], args[1], args[2]);
    }
    put(&line, ") = ");
    put_result(&line, number, result);
    (void)!write(options.trace_fd, line.text, line.used);
}

void trace_signal(int signo)
{
    struct line line = {.used = 0};

    put_tid(&line);
    put(&line, "--- %s (signal %d) ---\n", strsignal(signo), signo);
    (void)!write(options.trace_fd, line.text, line.used);
}
