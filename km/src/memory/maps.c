// SPDX-License-Identifier: Apache-2.0
/*
 * maps.c: the host's list of this process's mappings, of which the payload's have the same
 * addresses; proc_pid_maps(5), proc_pid_smaps(5), proc_pid_pagemap(5).
 */
#include "base/base.h"
#include "memory/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool maps_open(struct maps *maps, const char *name)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/%s", name);
    maps->fd = open(path, O_RDONLY | O_CLOEXEC);
    maps->length = maps->at = 0;
    maps->more = false;
    return maps->fd >= 0;
}

void maps_close(struct maps *maps)
{
    (void)close(maps->fd);
}

/* The next line, without its end; NULL after the last. */
char *maps_line(struct maps *maps)
{
    char *line, *end;
    ssize_t n;

    for (;;) {
        line = maps->text + maps->at;
        maps->text[maps->length] = 0;
        end = strchr(line, '\n');
        if (end) {
            break;
        }
        memmove(maps->text, line, maps->length - maps->at);
        maps->length -= maps->at;
        maps->at = 0;
        n = read(maps->fd, maps->text + maps->length, sizeof(maps->text) - 1 - maps->length);
        if (n <= 0) {
            return NULL;
        }
        maps->length += (size_t)n;
    }
    *end = 0;
    maps->at = (size_t)(end - maps->text) + 1;
    return line;
}

/* START-END PERMISSIONS OFFSET DEVICE INODE PATH; false for a line of details. */
static bool parse_head(const char *line, struct mapping *mapping)
{
    char *rest;

    *mapping = (struct mapping){.start = strtoul(line, &rest, 16)};
    if (*rest != '-') {
        return false;
    }
    mapping->end = strtoul(rest + 1, &rest, 16);
    mapping->offset = strtoul(rest + sizeof(" rwxp"), &rest, 16);
    rest = strchr(rest, '/');
    if (rest) {
        (void)snprintf(mapping->path, sizeof(mapping->path), "%s", rest);
    }
    return true;
}

bool maps_next(struct maps *maps, struct mapping *mapping)
{
    static struct mapping head; /* large, and one reader at a time */
    bool found = maps->more;
    char *line;

    *mapping = maps->next;
    maps->more = false;
    while ((line = maps_line(maps))) {
        if (parse_head(line, &head)) {
            if (found) {
                maps->next = head;
                maps->more = true;
                return true;
            }
            *mapping = head;
            found = true;
        } else if (!strncmp(line, "Anonymous:", strlen("Anonymous:"))) {
            mapping->anonymous = strtoul(line + strlen("Anonymous:"), NULL, 10) << 10;
        }
    }
    return found;
}

#define PAGE_THERE (3UL << 62) /* present or swapped out; admin-guide/mm/pagemap.rst */

size_t maps_pages(int pagemap, uint64_t start, uint64_t end, bool there[PAGES_AT_ONCE])
{
    uint64_t entries[PAGES_AT_ONCE] = {0}, left = (end - start) / PAGE_SIZE;
    size_t count = left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE;
    ssize_t n = pread(pagemap, entries, count * sizeof(*entries),
                      (off_t)(start / PAGE_SIZE * sizeof(*entries)));

    for (size_t i = 0; i < count; i++) {
        there[i] = n != (ssize_t)(count * sizeof(*entries)) || entries[i] & PAGE_THERE;
    }
    return count;
}
