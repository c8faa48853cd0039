// SPDX-License-Identifier: Apache-2.0
/*
 * proc_text.c: the files of /proc that tell of a process in a VM, as they would tell of its program
 * alone: without KVM's thread and the monitor's mappings, of which proc_maps.c writes the lists;
 * proc_pid_stat(5), proc_pid_status(5) and their neighbours.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/filters.h"
#include "calls/handlers.h"
#include "calls/helper.h"
#include "calls/mounts.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- threads ---- */

FILE *proc_open(const char *name)
{
    int fd = openat(pin_proc(), name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file && fd >= 0) {
        (void)close(fd);
    }
    return file;
}

bool proc_is_monitors_thread(pid_t pid, const char *tid)
{
    static const char kvms[] = "kvm-nx-lpage"; /* since Linux 6.11 a thread of the process */
    char path[PROC_AT + 32], comm[32] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "%d/task/%s/comm", pid, tid);
    fd = openat(pin_proc(), path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!read(fd, comm, sizeof(comm) - 1);
        (void)close(fd);
    }
    return !strncmp(comm, kvms, strlen(kvms)) || !strcmp(comm, HELPER_NAME "\n");
}

/* How many threads the payload of this process has, where the host counts `all`. */
static unsigned long count_threads(pid_t pid, unsigned long all)
{
    struct proc_file file = {.pid = pid, .last = "task"};

    (void)snprintf(file.folder, sizeof(file.folder), "%d", pid);
    return all - proc_count_monitors(&file);
}

/* ---- stat, status ---- */

#define STAT_THREADS 20

/* Of code, stack and registers, of data, arguments and environment; proc_pid_stat(5). The kernel
 * counts the fields from 1. */
static bool is_address(int field)
{
    return (field >= 26 && field <= 30) || (field >= 45 && field <= 51);
}

/*
 * The second field is in parentheses and may hold anything. An address is the monitor's where the
 * kernel lets nobody set it (PR_SET_MM), and where a process is just ending.
 */
static void write_stat(struct text *to, char *line, pid_t pid)
{
    char *at = strrchr(line, ')');

    if (!at) {
        return;
    }
    text_add(to, line, (size_t)(at + 1 - line));
    at++;
    for (int field = 3; *at == ' '; field++) {
        size_t length = strcspn(++at, " ");
        uint64_t value = strtoul(at, NULL, 10);

        if (field == STAT_THREADS) {
            text_print(to, " %lu", count_threads(pid, value));
        } else if (is_address(field) && (value >= GUEST_TOP || !stack_is_shown())) {
            text_add(to, " 0", 2);
        } else {
            text_add(to, at - 1, length + 1);
        }
        at += length;
    }
    text_add(to, "\n", 1);
}

/* The signals that the payload handles: the host also has the monitor's own. */
static uint64_t caught(uint64_t by_host)
{
    uint64_t set = 0;

    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (by_host & SIGNAL_BIT(signo) &&
            signal_action(signo)->handler > 1) { /* neither SIG_DFL nor SIG_IGN */
            set |= SIGNAL_BIT(signo);
        }
    }
    return set;
}

static const char filters[] = "Seccomp_filters:\t"; /* since Linux 5.9 */

unsigned proc_filters(pid_t pid, const struct vcpu *own)
{
    static uint32_t known; /* of this process and its forks, plus 1: it stays what it is */
    char name[PROC_AT], line[256];
    unsigned host = __atomic_load_n(&known, __ATOMIC_RELAXED);
    FILE *file;

    if (own && host) {
        return seccomp_shown(own, host - 1);
    }
    host = 0;
    (void)snprintf(name, sizeof(name), "%d/status", pid);
    file = proc_open(name);
    while (file && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, filters, strlen(filters))) {
            host = (unsigned)strtoul(line + strlen(filters), NULL, 10);
        }
    }
    if (file) {
        (void)fclose(file);
        if (own) {
            __atomic_store_n(&known, host + 1, __ATOMIC_RELAXED);
        }
    }
    return seccomp_shown(own, host);
}

/* With what the host does not know of the thread's signals. False for another line. */
static bool write_signals(struct text *to, const char *line, pid_t tid)
{
    static const char pending[] = "SigPnd:\t", blocked[] = "SigBlk:\t", handled[] = "SigCgt:\t";
    uint64_t held, also, host = strtoul(line + strlen(pending), NULL, 16);

    held_of_thread(tid, &also, &held);
    if (!strncmp(line, pending, strlen(pending))) {
        host |= held;
    } else if (!strncmp(line, blocked, strlen(blocked))) {
        host |= also;
    } else if (!strncmp(line, handled, strlen(handled))) {
        host = caught(host);
    } else {
        return false;
    }
    text_print(to, "%.8s%016lx\n", line, host);
    return true;
}

static void write_status(struct text *to, const char *line, const struct proc_file *what, bool own)
{
    static const char threads[] = "Threads:\t", seccomp[] = "Seccomp:\t";
    const char *slash = strrchr(what->folder, '/');
    pid_t pid = what->pid;
    unsigned shown;

    if (!strncmp(line, threads, strlen(threads))) {
        text_print(to, "%s%lu\n", threads,
                   count_threads(pid, strtoul(line + strlen(threads), NULL, 10)));
    } else if (own && !strncmp(line, "Sig", 3) &&
               write_signals(to, line, slash ? (pid_t)strtol(slash + 1, NULL, 10) : pid)) {
        return;
    } else if (!strncmp(line, seccomp, strlen(seccomp))) { /* the monitor's own is not shown */
        shown = proc_filters(pid, own ? to->reader : NULL);
        text_print(to, "%s%u\n", seccomp,
                   shown ? SECCOMP_MODE_FILTER
                   : own ? to->reader->seccomp.mode
                         : 0);
    } else if (!strncmp(line, filters, strlen(filters))) {
        text_print(to, "%s%u\n", filters, proc_filters(pid, own ? to->reader : NULL));
    } else {
        text_line(to, line);
    }
}

/* A line is a name of 26 columns, the soft and the hard limit of 21, the unit. */
#define LIMIT_SOFT 26
#define LIMIT_HARD 47
#define LIMIT_UNIT 68

static uint64_t limit_at(const char *column)
{
    return *column == 'u' ? RLIM_INFINITY : strtoul(column, NULL, 10);
}

static void print_limit(char text[24], uint64_t limit)
{
    (void)snprintf(text, 24, limit == RLIM_INFINITY ? "unlimited" : "%lu", limit);
}

/* Those that the host has otherwise: its soft limit of cores is 0, see core_limit. */
static void write_limit(struct text *to, const char *line, bool own)
{
    static const struct {
        const char *name;
        uint64_t resource;
    } known[] = {{"Max core file size", RLIMIT_CORE},
                 {"Max data size", RLIMIT_DATA},
                 {"Max processes", RLIMIT_NPROC},
                 {"Max address space", RLIMIT_AS}};
    char soft[24], hard[24];
    struct rlimit limit;

    for (size_t i = 0; i < ARRAY_LEN(known) && strlen(line) >= LIMIT_UNIT; i++) {
        if (!strncmp(line, known[i].name, strlen(known[i].name))) {
            limit = (struct rlimit){limit_at(line + LIMIT_SOFT), limit_at(line + LIMIT_HARD)};
            limits_to_payload(known[i].resource, &limit);
            if (own && known[i].resource == RLIMIT_CORE) {
                limit.rlim_cur = core_limit;
            }
            print_limit(soft, limit.rlim_cur);
            print_limit(hard, limit.rlim_max);
            text_print(to, "%-26s%-21s%-21s%s\n", known[i].name, soft, hard, line + LIMIT_UNIT);
            return;
        }
    }
    text_line(to, line);
}

/* ---- where lists of mappings are read ---- */

/*
 * This process's mappings, as the host lists them, at hidden descriptors: opened before there is
 * another thread that could read them by the number that they get at first.
 */
static struct {
    const char *name;
    int fd;
} lists[] = {{"maps", -1}, {"smaps", -1}, {"numa_maps", -1}};
static bool lists_open; /* they are this process's */

void proc_open_lists(void)
{
    char name[PROC_AT];

    for (size_t i = 0; i < ARRAY_LEN(lists) && !lists_open; i++) {
        (void)snprintf(name, sizeof(name), "self/%s", lists[i].name);
        int fd = openat(pin_proc(), name, O_RDONLY | O_CLOEXEC);

        if (lists[i].fd >= 0) { /* of the process that this one was forked from */
            (void)dup3(fd, lists[i].fd, O_CLOEXEC);
            (void)close(fd);
        } else if (fd >= 0) {
            lists[i].fd = fd_hide(fd);
        }
    }
    lists_open = true;
}

void proc_after_fork(void)
{
    lists_open = false;
}

/* The list that `last` is made of, from its start, or -1. */
static int own_list(const struct vcpu *vcpu, const char *last)
{
    if (!lists_open) {
        if (vcpu->vforked) { /* whose descriptors its parent has not */
            return -1;
        }
        proc_open_lists();
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (!strcmp(lists[i].name, last)) {
            return lists[i].fd >= 0 && lseek(lists[i].fd, 0, SEEK_SET) == 0 ? lists[i].fd : -1;
        }
    }
    return -1;
}

/* ---- which file ---- */

static void write_lines(struct text *to, struct maps *text, const struct proc_file *what, bool own)
{
    char *line;

    while ((line = maps_line(text))) {
        if (!strcmp(what->last, "stat")) {
            write_stat(to, line, what->pid);
        } else if (!strcmp(what->last, "limits")) {
            write_limit(to, line, own);
        } else {
            write_status(to, line, what, own);
        }
    }
}

/* What of a thread that waits in the monitor would only tell of the monitor. */
static bool write_fixed(struct text *to, const char *last, bool own)
{
    size_t size;
    const void *auxv = stack_auxv(&size);

    if (!strcmp(last, "syscall")) {
        text_line(to, "running");
    } else if (!strcmp(last, "wchan")) {
        text_add(to, "0", 1);
    } else if (own && !strcmp(last, "auxv")) {
        text_add(to, auxv, size);
    } else {
        return !strcmp(last, "stack");
    }
    return true;
}

/* Of another process the kernel has what stack.c told it; a kernel that took none of that has what
 * was the monitor's, which is not shown. */
static void write_others_auxv(struct text *to, int fd)
{
    uint64_t pairs[2 * 64];
    ssize_t n = read(fd, pairs, sizeof(pairs));

    for (ssize_t i = 0; i < n / 8; i++) {
        n = offset_is_monitors(pairs[i]) ? 0 : n;
    }
    if (n > 0) {
        text_add(to, pairs, (size_t)n);
    }
}

/* The host's file that `what` is made of. */
static int open_text(const struct proc_file *what, const char *from)
{
    char name[PROC_AT];

    (void)snprintf(name, sizeof(name), "%s/%s", what->folder, from);
    return openat(pin_proc(), name, O_RDONLY | O_CLOEXEC);
}

/* A list of mappings to be written by a thread whose descriptors no other has. */
struct writing {
    struct text *to;
    const struct proc_file *what;
    const char *from;
    bool own, done;
};

static void write_apart(void *of)
{
    struct writing *writing = of;
    struct maps text = {.fd = open_text(writing->what, writing->from)};

    writing->done = text.fd >= 0;
    if (writing->done) {
        proc_write_mappings(writing->to, &text, writing->what->last, writing->own);
        (void)close(text.fd);
    }
}

/* Of mappings: of this process by its hidden descriptors, else apart. */
static bool write_mappings(struct text *to, const struct proc_file *what, bool own)
{
    const char *from = strcmp(what->last, "smaps_rollup") != 0 ? what->last : "smaps";
    struct maps text = {.fd = own ? own_list(to->reader, from) : -1};
    struct writing writing = {to, what, from, own, false};

    if (text.fd >= 0) {
        proc_write_mappings(to, &text, what->last, own);
        return true;
    }
    return apart_run(signal_vcpu(), write_apart, &writing) && writing.done;
}

static void write_opened(struct text *to, int fd, const struct proc_file *what, bool own)
{
    struct maps text = {.fd = fd};

    if (!strcmp(what->last, "auxv")) {
        write_others_auxv(to, fd);
    } else if (strstr(what->last, "mount")) {
        mounts_write(to, &text, what);
    } else {
        write_lines(to, &text, what, own);
    }
}

#define READ_TRIES 100

/* Read what the host says, and write what the payload shall read. What was opened has been read
 * where it is still there: another thread may have put its own file at the number. */
static bool write_read(struct text *to, const struct proc_file *what, bool own)
{
    bool is_read = false;
    struct stat st;

    if (strstr(what->last, "maps")) {
        return write_mappings(to, what, own);
    }
    for (int tries = 0; !is_read && tries < READ_TRIES; tries++) {
        int fd = open_text(what, what->last);

        if (fd < 0) {
            return false;
        }
        text_clear(to);
        write_opened(to, fd, what, own);
        is_read = fstat(fd, &st) == 0 && pin_is_on_proc(&st);
        (void)close(fd);
    }
    return is_read;
}

bool proc_write(struct text *to, const struct proc_file *what)
{
    bool own = what->pid == proc_self(), locked = own && strstr(what->last, "maps"), done;

    if (locked) {
        mm_lock();
    }
    done = write_fixed(to, what->last, own) || write_read(to, what, own);
    if (locked) {
        mm_unlock();
    }
    return done;
}
