// SPDX-License-Identifier: Apache-2.0
/*
 * proc_maps.c: the lists of a process's mappings in /proc, without the monitor's and with the
 * rights that the payload's memory has in the guest; proc_pid_maps(5), proc_pid_smaps(5) and
 * numa_maps.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/proc.h"
#include "memory/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

static void write_head(struct text *to, const struct head *head)
{
    text_print(to, "%08lx-%08lx %s %08lx", head->start, head->end, head->rights, head->offset);
    text_line(to, head->rest);
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
static void write_own(struct text *to, const struct head *all, bool whole)
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
static void write_vdso(struct text *to)
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

static void write_maps(struct text *to, struct maps *maps, bool own, bool details)
{
    bool shown = false, vdso_shown = details;
    struct head head;
    char *line;

    while ((line = maps_line(maps))) {
        if (!parse(line, &head)) {
            if (shown) {
                text_line(to, line);
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

            shown = vma && vma->start < head.end && !(vma->flags & VMA_VDSO);
            if (shown) {
                write_own(to, &head, details);
            }
        } else if (shown) {
            write_head(to, &head);
        }
    }
}

/* The lines whose address is the payload's; a mapping is a line. */
static void write_numa_maps(struct text *to, struct maps *maps)
{
    char *line;

    while ((line = maps_line(maps))) {
        if (strtoul(line, NULL, 16) < GUEST_TOP) {
            text_line(to, line);
        }
    }
}

#define ROLLUP_MAX 40

/* The sums of the lines "NAME: N kB" of smaps. */
struct sums {
    char names[ROLLUP_MAX][24];
    uint64_t values[ROLLUP_MAX];
    size_t count;
};

static void add_line(struct sums *sums, const char *line)
{
    size_t length = strcspn(line, ":"), i = 0;

    if (!line[length] || length >= sizeof(sums->names[0]) || !strstr(line, " kB") ||
        !strncmp(line, "Size:", 5) || strstr(line, "PageSize:")) {
        return;
    }
    while (i < sums->count &&
           (strncmp(sums->names[i], line, length) != 0 || sums->names[i][length])) {
        i++;
    }
    if (i == sums->count) {
        if (i == ROLLUP_MAX) {
            return;
        }
        memcpy(sums->names[i], line, length);
        sums->count++;
    }
    sums->values[i] += strtoul(line + length + 1, NULL, 10);
}

/* smaps_rollup is the sum of smaps: of what the payload has. */
static void write_rollup(struct text *to, struct maps *smaps)
{
    struct sums sums = {0};
    uint64_t start = 0, end = 0;
    bool counts = false;
    struct head head;
    char *line;

    while ((line = maps_line(smaps))) {
        if (parse(line, &head)) {
            counts = head.start < GUEST_TOP;
            start = start || !counts ? start : head.start;
            end = counts ? head.end : end;
        } else if (counts) {
            add_line(&sums, line);
        }
    }
    text_print(to, "%08lx-%08lx ---p 00000000 00:00 0 %24s[rollup]\n", start, end, "");
    for (size_t i = 0; i < sums.count; i++) {
        text_print(to, "%s:%*lu kB\n", sums.names[i], (int)(23 - strlen(sums.names[i])),
                   sums.values[i]);
    }
}

void proc_write_mappings(struct text *to, struct maps *list, const char *last, bool own)
{
    if (!strcmp(last, "numa_maps")) {
        write_numa_maps(to, list);
    } else if (!strcmp(last, "smaps_rollup")) {
        write_rollup(to, list);
    } else {
        write_maps(to, list, own, !strcmp(last, "smaps"));
    }
}
