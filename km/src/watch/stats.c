// SPDX-License-Identifier: Apache-2.0
/*
 * stats.c: --stats: how often each system call was made, how often it failed, how long it took, and
 * why the VM came back to the monitor. Times are of the clock on the wall, waiting included.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "watch/watch.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct count {
    uint64_t calls, errors, ns;
};

static struct count counts[SYSCALL_COUNT + 1]; /* the last: calls that the table does not have */

/* Exits: the syscall stub and the exceptions by their vector, then what KVM_RUN's end was. */
enum { EXIT_SYSCALL = VECTOR_COUNT, EXIT_SIGNAL, EXIT_MEMORY, EXIT_OTHER, EXIT_COUNT };

static uint64_t exits[EXIT_COUNT];

static const char *const exit_names[EXIT_COUNT] = {
    [0] = "divide error",
    [1] = "debug exception",
    [3] = "breakpoint",
    [4] = "overflow",
    [6] = "invalid opcode",
    [7] = "no floating point unit",
    [12] = "stack fault",
    [13] = "general protection fault",
    [14] = "page fault",
    [16] = "floating point error",
    [17] = "alignment check",
    [19] = "SIMD floating point error",
    [EXIT_SYSCALL] = "system call",
    [EXIT_SIGNAL] = "signal",
    [EXIT_MEMORY] = "host memory taken away",
    [EXIT_OTHER] = "other",
};

static void add(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

uint64_t stats_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000UL + (uint64_t)now.tv_nsec;
}

void stats_syscall(uint64_t number, int64_t result, uint64_t start)
{
    struct count *count =
        &counts[number < SYSCALL_COUNT && *syscall_table[number].name ? number : SYSCALL_COUNT];

    add(&count->calls, 1);
    add(&count->errors, result < 0 && result >= -4095);
    add(&count->ns, stats_clock() - start);
}

void stats_exit(const struct vcpu *vcpu, int error)
{
    unsigned port = vcpu->run->io.port;
    size_t reason = EXIT_OTHER;

    if (error) {
        reason = error == EFAULT ? EXIT_MEMORY : EXIT_SIGNAL;
    } else if (vcpu->run->exit_reason == KVM_EXIT_INTR) {
        reason = EXIT_SIGNAL;
    } else if (vcpu->run->exit_reason == KVM_EXIT_IO && port == PORT_SYSCALL) {
        reason = EXIT_SYSCALL;
    } else if (vcpu->run->exit_reason == KVM_EXIT_IO && port - PORT_EXCEPTION < VECTOR_COUNT) {
        reason = port - PORT_EXCEPTION;
    }
    add(&exits[reason], 1);
}

void stats_after_fork(void)
{
    memset(counts, 0, sizeof(counts));
    memset(exits, 0, sizeof(exits));
}

/* ---- the tables ---- */

/* Order by time, the longest first; insertion keeps the table's order where times are equal. */
static size_t sort(const struct count **sorted)
{
    size_t n = 0;

    for (size_t i = 0; i <= SYSCALL_COUNT; i++) {
        size_t at = n;

        if (!counts[i].calls) {
            continue;
        }
        for (; at && sorted[at - 1]->ns < counts[i].ns; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = &counts[i];
        n++;
    }
    return n;
}

static void put_count(struct line *line, const struct count *count, const char *name)
{
    double us = (double)count->ns / 1000;

    line_put(line, "%10lu %9lu %12.3f %12.1f  %s\n", count->calls, count->errors, us / 1000,
             us / (double)(count->calls ? count->calls : 1), name);
}

static void report_calls(void)
{
    const struct count *sorted[SYSCALL_COUNT + 1];
    struct count total = {0};
    struct line line = {.used = 0};
    size_t n = sort(sorted);

    line_put(&line, "km: process %d\n%10s %9s %12s %12s  %s\n", getpid(), "calls", "errors",
             "total ms", "mean us", "system call");
    for (size_t i = 0; i < n; i++) {
        const char *name = syscall_table[sorted[i] - counts].name;

        put_count(&line, sorted[i], sorted[i] == &counts[SYSCALL_COUNT] ? "(not known)" : name);
        total.calls += sorted[i]->calls;
        total.errors += sorted[i]->errors;
        total.ns += sorted[i]->ns;
        if (line.used > LINE_SIZE / 2) {
            line_write(&line);
            line.used = 0;
        }
    }
    put_count(&line, &total, "all");
    line_write(&line);
}

static void report_exits(void)
{
    struct line line = {.used = 0};

    line_put(&line, "%10s  %s\n", "exits", "reason");
    for (size_t i = 0; i < EXIT_COUNT; i++) {
        if (exits[i] && exit_names[i]) {
            line_put(&line, "%10lu  %s\n", exits[i], exit_names[i]);
        } else if (exits[i]) {
            line_put(&line, "%10lu  exception %zu\n", exits[i], i);
        }
    }
    line_write(&line);
}

void stats_report(void)
{
    report_calls();
    report_exits();
}
