// SPDX-License-Identifier: Apache-2.0
/*
 * trace.h: what the files of --trace and --stats know of each other: the text that they write.
 */
#ifndef KM_TRACE_H
#define KM_TRACE_H

#include "syscall.h"

#define LINE_SIZE 4096

/* Text that is written as a whole; what does not fit is cut off. */
struct line {
    char text[LINE_SIZE];
    size_t used;
};

/* ---- report.c ---- */

void line_put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_write(const struct line *line);

/* ---- trace_names.c ---- */

/* The errno's name, as ENOENT; NULL when it has none. */
const char *name_of_errno(int error);

/* A value by its names of the list `shown`: a constant, or flags with `|` between them. */
void show_name(struct line *line, enum shown shown, uint64_t value);

/* The siginfo's si_code, which depends on the signal. */
void show_signal_code(struct line *line, int signo, int code);

/* ---- trace_structs.c ---- */

/* `size` bytes of the payload as characters in quotes, up to a zero byte where it is a string. */
void show_bytes(struct line *line, uint64_t addr, uint64_t size, bool string);

/* The structures of the list `shown` that lie in the payload's [addr, addr + size). */
void show_structs(struct line *line, enum shown shown, uint64_t addr, uint64_t size);

/* A siginfo, which is not the payload's memory but the monitor's. */
void show_siginfo(struct line *line, const void *p);

#endif /* KM_TRACE_H */
