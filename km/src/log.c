// SPDX-License-Identifier: Apache-2.0
/*
 * log.c: messages for the person who ran km.
 */
#include "km.h"

#include <stdarg.h>
#include <unistd.h>

_Noreturn void die(int status, const char *fix, const char *what, ...)
{
    char text[8192];
    size_t room = sizeof(text), n;
    va_list args;

    n = (size_t)snprintf(text, room, "km: ");
    va_start(args, what);
    n += (size_t)vsnprintf(text + n, room - n, what, args);
    va_end(args);
    if (n < room) {
        n += (size_t)snprintf(text + n, room - n, ".\nTo fix: %s.\n", fix);
    }
    (void)!write(STDERR_FILENO, text, n < room ? n : room - 1);
    _exit(status);
}
