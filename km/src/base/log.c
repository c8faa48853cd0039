// SPDX-License-Identifier: Apache-2.0
/*
 * log.c: messages for the person who ran km.
 */
#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

static void say(const char *fix, const char *what, va_list args)
{
    char text[8192];
    size_t room = sizeof(text), n;
    int error = errno;

    fix = limits_fix(fix, what, error);
    errno = error;
    n = (size_t)snprintf(text, room, "km: ");
    n += (size_t)vsnprintf(text + n, room - n, what, args);
    if (n < room) {
        n += (size_t)snprintf(text + n, room - n, ".\nTo fix: %s.\n", fix);
    }
    (void)!write(STDERR_FILENO, text, n < room ? n : room - 1);
}

_Noreturn void die(int status, const char *fix, const char *what, ...)
{
    int error = errno;
    va_list args;

    hooks.fails(error);
    errno = error;
    va_start(args, what);
    say(fix, what, args);
    va_end(args);
    _exit(status);
}

void complain(const char *fix, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    say(fix, what, args);
    va_end(args);
}
