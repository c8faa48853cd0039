// SPDX-License-Identifier: Apache-2.0
/*
 * core_pattern.c: the file to which the host's kernel would write a process's core: core(5).
 */
#include "base/base.h"
#include "calls/calls.h"
#include "program/program.h"
#include "task/task.h"
#include "watch/watch.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static bool read_word(const char *name, char *word, size_t size)
{
    int fd = openat(pin_proc(), name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, word, size - 1);

    if (fd >= 0) {
        (void)close(fd);
    }
    word[n < 0 ? 0 : n] = 0;
    word[strcspn(word, "\n")] = 0;
    return n > 0;
}

static void put_name(struct line *line, const char *name)
{
    for (; *name; name++) {
        line_put(line, "%c", *name == '/' ? '!' : *name);
    }
}

static void put_program(struct line *line, char what)
{
    const char *slash = strrchr(image.path, '/');
    char name[17] = "";

    if (what == 'e') {
        (void)prctl(PR_GET_NAME, name);
        put_name(line, name);
    } else {
        put_name(line, what == 'f' && slash ? slash + 1 : image.path);
    }
}

static void put(struct line *line, char what, int signo)
{
    struct utsname host = {0};

    switch (what) {
    case 'p':
    case 'P':
    case 'i':
    case 'I':
        line_put(line, "%d", what == 'p' || what == 'P' ? getpid() : (int)syscall(__NR_gettid));
        break;
    case 'u':
        line_put(line, "%u", getuid());
        break;
    case 'g':
        line_put(line, "%u", getgid());
        break;
    case 'd':
        line_put(line, "1");
        break;
    case 's':
        line_put(line, "%d", signo);
        break;
    case 't':
        line_put(line, "%ld", (long)time(NULL));
        break;
    case 'c':
        line_put(line, "%lu", core_limit);
        break;
    case 'h':
        (void)uname(&host);
        put_name(line, host.nodename);
        break;
    case 'e':
    case 'f':
    case 'E':
        put_program(line, what);
        break;
    case '%':
        line_put(line, "%%");
        break;
    default: /* left out, as there */
        break;
    }
}

bool core_pattern_path(int signo, char path[PATH_MAX])
{
    char pattern[256], uses_pid[8];
    struct line line = {.used = 0};
    bool has_pid = false;

    if (!read_word("sys/kernel/core_pattern", pattern, sizeof(pattern)) || *pattern == '|' ||
        *pattern == '@' || !*pattern) {
        return false; /* a program or a service of the host's takes it */
    }
    for (const char *at = pattern; *at; at++) {
        if (*at == '%' && at[1]) {
            has_pid |= *++at == 'p';
            put(&line, *at, signo);
        } else {
            line_put(&line, "%c", *at);
        }
    }
    if (!has_pid && read_word("sys/kernel/core_uses_pid", uses_pid, sizeof(uses_pid)) &&
        strcmp(uses_pid, "0") != 0) {
        line_put(&line, ".%d", getpid());
    }
    (void)snprintf(path, PATH_MAX, "%.*s", (int)line.used, line.text);
    return true;
}
