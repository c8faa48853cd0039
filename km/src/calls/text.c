// SPDX-License-Identifier: Apache-2.0
/*
 * text.c: a text that is put together in memory: stdio would ask the host for memory, and what kind
 * of file it is, each time. The caller writes it, to a file that nobody can exchange meanwhile.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *bytes_of(struct text *text)
{
    return text->more ? text->more : text->piece;
}

/* Have room for `count` bytes more. */
static bool grow(struct text *text, size_t count)
{
    size_t room = text->room;
    char *more;

    while (room - text->used < count) {
        room *= 2;
    }
    if (room == text->room) {
        return true;
    }
    more = realloc(text->more, room);
    if (!more) {
        text->failed = true;
        return false;
    }
    if (!text->more) {
        memcpy(more, text->piece, text->used);
    }
    text->more = more;
    text->room = room;
    return true;
}

void text_begin(struct text *text, const struct vcpu *reader)
{
    text->reader = reader;
    text->more = NULL;
    text->used = 0;
    text->room = sizeof(text->piece);
    text->failed = false;
}

void text_clear(struct text *text)
{
    text->used = 0;
}

void text_add(struct text *text, const void *bytes, size_t count)
{
    if (grow(text, count)) {
        memcpy(bytes_of(text) + text->used, bytes, count);
        text->used += count;
    }
}

void text_line(struct text *text, const char *line)
{
    text_add(text, line, strlen(line));
    text_add(text, "\n", 1);
}

void text_print(struct text *text, const char *format, ...)
{
    char part[TEXT_PRINTED];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(part, sizeof(part), format, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof(part)) {
        text->failed = true;
    } else {
        text_add(text, part, (size_t)length);
    }
}

bool text_put(struct text *text, int fd)
{
    size_t at = 0;
    ssize_t n = 1;

    while (!text->failed && n > 0 && at < text->used) {
        n = pwrite(fd, bytes_of(text) + at, text->used - at, (off_t)at);
        at += n > 0 ? (size_t)n : 0;
    }
    return !text->failed && at == text->used && ftruncate(fd, (off_t)at) == 0;
}

void text_end(struct text *text)
{
    free(text->more);
    text->more = NULL;
}
