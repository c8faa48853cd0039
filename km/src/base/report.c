// SPDX-License-Identifier: Apache-2.0
/*
 * report.c: where --trace and --stats write, and how: each line at once, so that lines of several
 * threads and processes do not mix.
 */
#include "base/base.h"

#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

void report_open(void)
{
    const char *path = options.report_file;
    int fd = options.report_fd;

    if (!options.trace && !options.stats) {
        return;
    }
    if (path) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    } else if (fd < 0) {
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    if (fd < 0) {
        die(STATUS_FAILED, "name a file that can be written with -o",
            "cannot write the report to %s: %m", path ? path : "standard error");
    }
    options.report_fd = fd_hide(fd);
}

void line_put(struct line *line, const char *format, ...)
{
    size_t room = sizeof(line->text) - line->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    line->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void line_write(const struct line *line)
{
    (void)!write(options.report_fd, line->text, line->used);
}
