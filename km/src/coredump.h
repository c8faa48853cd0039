// SPDX-License-Identifier: Apache-2.0
/*
 * coredump.h: what the files of --coredump know of each other.
 */
#ifndef KM_COREDUMP_H
#define KM_COREDUMP_H

#include "stop.h"

/* A core that is being written. After an error nothing more is. */
struct core {
    int fd, error; /* errno's value */
    uint64_t at;   /* where core_append() goes on */
};

void core_write(struct core *core, uint64_t at, const void *bytes, size_t size);
void core_append(struct core *core, const void *bytes, size_t size);

/* ---- coredump_notes.c ---- */

/* Append all notes: of the thread that dies of `signo`, the process, and the other threads. */
void core_append_notes(struct core *core, struct vcpu *vcpu, int signo);

/* ---- maps.c: the host's list of this process's mappings ---- */

/* One mapping of the payload, as proc_pid_smaps(5) tells. */
struct mapping {
    uint64_t start, end, offset;
    uint64_t anonymous; /* bytes that are no file's; 0 where only /proc/self/maps was read */
    char path[4096];    /* of the file, or empty */
};

struct maps {
    int fd;
    size_t length, at; /* of the text in the buffer: all, used */
    bool more;         /* `next` is a mapping whose details follow */
    struct mapping next;
    char text[16384];
};

/* Open /proc/self/`name`, maps or smaps. False, with errno set, where it cannot be read. */
bool maps_open(struct maps *maps, const char *name);
/* The next line, without its end; NULL after the last. `fd` may be any file's. */
char *maps_line(struct maps *maps);
bool maps_next(struct maps *maps, struct mapping *mapping);
void maps_close(struct maps *maps);

#define PAGES_AT_ONCE 512

/*
 * Find out which pages from `start` on are there, by /proc/self/pagemap: how many were looked at,
 * up to `end` and PAGES_AT_ONCE. Where the host does not tell, all are.
 */
size_t maps_pages(int pagemap, uint64_t start, uint64_t end, bool there[PAGES_AT_ONCE]);

#endif /* KM_COREDUMP_H */
