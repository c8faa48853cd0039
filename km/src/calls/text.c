// SPDX-License-Identifier: Apache-2.0
/*
 * text.c: a text that is put together in memory and written to a file piece by piece: stdio would
 * ask the host for memory, and what kind of file it is, each time.
 */
#include "base/base.h"
#include "calls/calls.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static void write_out(struct text *text)
{
    text->failed = text->failed ||
                   (text->used && write(text->fd, text->piece, text->used) != (ssize_t)text->used);
    text->used = 0;
}

void text_begin(struct text *text, const struct vcpu *reader, int fd)
{
    text->reader = reader;
    text->fd = fd;
    text->used = 0;
    text->failed = false;
}

void text_add(struct text *text, const void *bytes, size_t count)
{
    const char *from = bytes;

    while (count) {
        size_t part = sizeof(text->piece) - text->used;

        part = part < count ? part : count;
        memcpy(text->piece + text->used, from, part);
        text->used += part;
        from += part;
        count -= part;
        if (text->used == sizeof(text->piece)) {
            write_out(text);
        }
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

bool text_end(struct text *text)
{
    write_out(text);
    return !text->failed;
}
