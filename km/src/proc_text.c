// SPDX-License-Identifier: Apache-2.0
/*
 * proc_text.c: the files of /proc that tell of a process in a VM, as they would tell of its program
 * alone: without the monitor's mappings and KVM's thread, with the rights that the payload's memory
 * has in the guest; proc_pid_limits(5), proc_pid_maps(5), proc_pid_stat(5), proc_pid_status(5).
 */
#include "coredump.h"
#include "mounts.h"
#include "seccomp.h"
#include "syscall.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    char path[PROC_AT + 32], comm[sizeof(kvms)] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "%d/task/%s/comm", pid, tid);
    file = proc_open(path);
    if (file) {
        (void)!fgets(comm, sizeof(comm), file);
        (void)fclose(file);
    }
    return !strcmp(comm, kvms) || !strcmp(comm, HELPER_NAME "\n");
}

/* How many threads the payload of this process has, where the host counts `all`. */
static unsigned long count_threads(pid_t pid, unsigned long all)
{
    char path[PROC_AT];
    const struct dirent *entry;
    DIR *tasks;
    int fd;

    (void)snprintf(path, sizeof(path), "%d/task", pid);
    fd = openat(pin_proc(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tasks = fd < 0 ? NULL : fdopendir(fd);
    if (!tasks) {
        (void)close(fd);
        return all;
    }
    for (entry = readdir(tasks); entry; entry = readdir(tasks)) {
        if (*entry->d_name != '.' && proc_is_monitors_thread(pid, entry->d_name)) {
            all--;
        }
    }
    (void)closedir(tasks);
    return all;
}

/* ---- stat, status ---- */

/* The number of threads is the 20th field; the second is in parentheses and may hold anything. */
static void write_stat(FILE *to, char *line, pid_t pid)
{
    char *field = strrchr(line, ')'), *rest;
    unsigned long all;

    for (int i = 2; field && i < 20; i++) {
        field = strchr(field + 1, ' ');
    }
    if (field) {
        all = strtoul(field, &rest, 10);
        (void)fprintf(to, "%.*s %lu%s\n", (int)(field - line), line, count_threads(pid, all), rest);
    } else {
        (void)fprintf(to, "%s\n", line);
    }
}

/* The signals that the payload handles: the host also has the monitor's own. */
static uint64_t caught(void)
{
    uint64_t set = 0;

    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (signal_action(signo)->handler > 1) { /* neither SIG_DFL nor SIG_IGN */
            set |= SIGNAL_BIT(signo);
        }
    }
    return set;
}

static void write_status(FILE *to, const char *line, pid_t pid, bool own)
{
    static const char threads[] = "Threads:\t", handled[] = "SigCgt:\t";
    static const char seccomp[] = "Seccomp:\t", filters[] = "Seccomp_filters:\t";

    if (!strncmp(line, threads, strlen(threads))) {
        (void)fprintf(to, "%s%lu\n", threads,
                      count_threads(pid, strtoul(line + strlen(threads), NULL, 10)));
    } else if (own && !strncmp(line, handled, strlen(handled))) {
        (void)fprintf(to, "%s%016lx\n", handled, caught());
    } else if (!strncmp(line, seccomp, strlen(seccomp))) { /* the monitor's own is not shown */
        (void)fprintf(to, "%s%u\n", seccomp, own ? signal_vcpu()->seccomp.mode : 0);
    } else if (!strncmp(line, filters, strlen(filters))) {
        (void)fprintf(to, "%s%u\n", filters, own ? seccomp_count(signal_vcpu()) : 0);
    } else {
        (void)fprintf(to, "%s\n", line);
    }
}

/* The host's soft limit of cores is 0, see core_limit. A line is a name of 26 columns, then the
 * soft limit in 21. */
static void write_limit(FILE *to, const char *line, bool own)
{
    static const char core[] = "Max core file size";
    char soft[24] = "unlimited";

    if (!own || strncmp(line, core, strlen(core)) != 0 || strlen(line) < 47) {
        (void)fprintf(to, "%s\n", line);
        return;
    }
    if (core_limit != ~0UL) {
        (void)snprintf(soft, sizeof(soft), "%lu", core_limit);
    }
    (void)fprintf(to, "%-26s%-21s%s\n", core, soft, line + 47);
}

/* ---- maps, smaps ---- */

/* A line of maps, taken apart: START-END RIGHTS OFFSET and the rest as it is. */
struct head {
    uint64_t start, end, offset;
    char rights[5];
    const char *rest;
};

static bool parse(const char *line, struct head *head)
{
    char *end;

    head->start = strtoul(line, &end, 16);
    if (*end != '-') {
        return false;
    }
    head->end = strtoul(end + 1, &end, 16);
    if (*end != ' ' || strlen(end) < sizeof(" rwxp 0")) {
        return false;
    }
    memcpy(head->rights, end + 1, 4);
    head->rights[4] = 0;
    head->offset = strtoul(end + 6, &end, 16);
    head->rest = end;
    return true;
}

static void write_head(FILE *to, const struct head *head)
{
    (void)fprintf(to, "%08lx-%08lx %s %08lx%s\n", head->start, head->end, head->rights,
                  head->offset, head->rest);
}

static void set_rights(struct head *head, int prot)
{
    head->rights[0] = prot & PROT_READ ? 'r' : '-';
    head->rights[1] = prot & PROT_WRITE ? 'w' : '-';
    head->rights[2] = prot & PROT_EXEC ? 'x' : '-';
}

/*
 * One mapping of the host is several where the payload's rights differ in it. `whole`: it is
 * followed by its details, and stays one, with the rights of its start.
 */
static void write_own(FILE *to, const struct head *all, bool whole)
{
    for (const struct vma *vma = vma_find(all->start); vma && vma->start < all->end;
         vma = vma_next((struct vma *)vma)) {
        struct head part = *all;

        part.start = vma->start > all->start ? vma->start : all->start;
        part.end = vma->end < all->end ? vma->end : all->end;
        if (part.offset) {
            part.offset += part.start - all->start;
        } else if (strchr(part.rest, '/')) {
            part.offset = part.start - all->start;
        }
        if (whole) {
            part = *all;
        }
        set_rights(&part, vma->prot);
        write_head(to, &part);
        if (whole) {
            return;
        }
    }
}

/* The host has the vDSO elsewhere, among what is the monitor's. */
static void write_vdso(FILE *to)
{
    uint64_t at = vdso_image();
    const struct vma *vma = at ? vma_find(at) : NULL;
    struct head head = {.rights = "r--p", .rest = " 00:00 0                          [vvar]"};

    if (!vma || !(vma->flags & VMA_VDSO)) {
        return;
    }
    head.start = vma->start;
    head.end = at;
    write_head(to, &head);
    head = (struct head){.start = at,
                         .end = vma->end,
                         .rights = "r-xp",
                         .rest = " 00:00 0                          [vdso]"};
    write_head(to, &head);
}

static void write_maps(FILE *to, struct maps *maps, bool own, bool details)
{
    bool shown = false, vdso_shown = details;
    struct head head;
    char *line;

    while ((line = maps_line(maps))) {
        if (!parse(line, &head)) {
            if (shown) {
                (void)fprintf(to, "%s\n", line);
            }
            continue;
        }
        shown = head.start < GUEST_TOP || strstr(line, "[vsyscall]");
        if (own && !vdso_shown && head.start >= GUEST_TOP) {
            write_vdso(to);
            vdso_shown = true;
        }
        if (shown && own && head.start < GUEST_TOP) {
            const struct vma *vma = vma_find(head.start);

            shown = vma && vma->start < head.end;
            write_own(to, &head, details);
        } else if (shown) {
            write_head(to, &head);
        }
    }
}

/* ---- which file ---- */

bool proc_write(int to, int fd, const struct proc_file *what)
{
    struct maps text = {.fd = fd};
    const char *last = what->last;
    bool own = what->pid == proc_self(), maps = strstr(last, "maps");
    bool mounts = strstr(last, "mount");
    int copy = dup(to);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    char *line;

    if (!file) {
        (void)close(copy);
        return false;
    }
    if (maps && own) {
        mm_lock();
    }
    if (maps) {
        write_maps(file, &text, own, !strcmp(last, "smaps"));
    } else if (mounts) {
        mounts_write(file, &text, what);
    } else {
        while ((line = maps_line(&text))) {
            if (!strcmp(last, "stat")) {
                write_stat(file, line, what->pid);
            } else if (!strcmp(last, "limits")) {
                write_limit(file, line, own);
            } else {
                write_status(file, line, what->pid, own);
            }
        }
    }
    if (maps && own) {
        mm_unlock();
    }
    return fclose(file) == 0;
}
