// SPDX-License-Identifier: Apache-2.0
/*
 * query.c: answers to gdb's questions about the process: the stub's features, the threads, the
 * program, its auxiliary vector, the siginfo of the last signal.
 */
#include "gdb/gdb.h"
#include "program/program.h"
#include "task/task.h"

#include <stdlib.h>
#include <string.h>

static bool begins(const char *text, const char *with, const char **rest)
{
    size_t length = strlen(with);

    *rest = text + length;
    return !strncmp(text, with, length);
}

static void answer_supported(const char *theirs, struct packet *reply)
{
    session.swbreak = strstr(theirs, "swbreak+");
    session.exec_events = strstr(theirs, "exec-events+");
    session.no_resumed = strstr(theirs, "no-resumed+");
    packet_put(reply,
               "PacketSize=%x;QStartNoAckMode+;QPassSignals+;qXfer:features:read+;"
               "qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;vContSupported+;"
               "swbreak+;exec-events%c;no-resumed+",
               PACKET_SIZE - 64, session.exec_events ? '+' : '-');
}

/* QPassSignals:NUMBER;NUMBER... */
static void answer_pass_signals(const char *numbers, struct packet *reply)
{
    session.pass = 0;
    while (*numbers) {
        char *end;
        int signo = signal_from_gdb((unsigned)strtoul(numbers, &end, 16));

        if (end == numbers) {
            break;
        }
        session.pass |= signo ? SIGNAL_BIT(signo) : 0;
        numbers = *end == ';' ? end + 1 : end;
    }
    packet_put(reply, "OK");
}

static void answer_threads(struct packet *reply)
{
    char separator = 'm';

    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        packet_put(reply, "%c%x", separator, thread->tid);
        separator = ',';
    }
}

/* OFFSET,LENGTH of an object, as `l` for its end or `m` for more. */
static void answer_part(const char *range, const void *object, size_t size, struct packet *reply)
{
    char *end;
    size_t offset = strtoul(range, &end, 16);
    size_t length = *end == ',' ? strtoul(end + 1, NULL, 16) : 0, most = PACKET_SIZE / 2 - 8;

    offset = offset < size ? offset : size;
    length = length < most ? length : most;
    length = length < size - offset ? length : size - offset;
    packet_put(reply, "%c", offset + length < size ? 'm' : 'l');
    packet_put_binary(reply, (const char *)object + offset, length);
}

static bool answer_transfer(const char *what, struct freezable *thread, struct packet *reply)
{
    const struct gdb_thread *own = gdb_thread_of(thread);
    const char *rest;
    const void *object;
    size_t size;

    if (begins(what, "features:read:target.xml:", &rest)) {
        object = registers_description(&size);
    } else if (begins(what, "auxv:read::", &rest)) {
        object = stack_auxv(&size);
    } else if (begins(what, "exec-file:read:", &rest)) {
        object = image.path;
        size = strlen(image.path);
        rest = strchr(rest, ':');
    } else if (begins(what, "siginfo:read::", &rest) && own->info) {
        object = own->info;
        size = sizeof(siginfo_t);
    } else {
        packet_put(reply, "E01");
        return true;
    }
    if (rest) {
        answer_part(*rest == ':' ? rest + 1 : rest, object, size, reply);
    }
    return true;
}

bool query_answer(const char *query, struct freezable *thread, struct packet *reply)
{
    const char *rest;

    if (begins(query, "qSupported", &rest)) {
        answer_supported(rest, reply);
    } else if (begins(query, "QPassSignals:", &rest)) {
        answer_pass_signals(rest, reply);
    } else if (!strcmp(query, "qC")) {
        packet_put(reply, "QC%x", thread->tid);
    } else if (!strcmp(query, "qfThreadInfo")) {
        answer_threads(reply);
    } else if (!strcmp(query, "qsThreadInfo")) {
        packet_put(reply, "l");
    } else if (begins(query, "qAttached", &rest)) {
        packet_put(reply, "0"); /* it was made for gdb, and ends with it */
    } else if (begins(query, "qXfer:", &rest)) {
        return answer_transfer(rest, thread, reply);
    } else {
        return false;
    }
    return true;
}
