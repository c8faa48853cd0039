// SPDX-License-Identifier: Apache-2.0
/*
 * script.c: programs that begin with #! are run by the interpreter that they name, as execve(2)
 * does.
 */
#include "program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Split "#! INTERPRETER [ARGUMENT]" in place; both without the white space around them. */
static void split(char *line, char **interpreter, char **argument)
{
    char *end;

    line += 2;
    line += strspn(line, " \t");
    for (end = line + strlen(line); end > line && (end[-1] == ' ' || end[-1] == '\t'); end--) {
        end[-1] = 0;
    }
    *interpreter = line;
    line += strcspn(line, " \t");
    *argument = NULL;
    if (*line) {
        *line++ = 0;
        *argument = line + strspn(line, " \t");
    }
}

/*
 * End the first line where load_script() in the kernel does. 0, or what it says: ENOEXEC also where
 * the interpreter's name may go on behind what was read.
 */
static int end_line(char *line, size_t n)
{
    char *end = memchr(line, '\n', n);
    const char *name = line + 2;

    line[n] = 0;
    if (end) {
        *end = 0;
    }
    name += strspn(name, " \t");
    if (!*name) { /* without the line's end it has a name, "", which is the working folder's */
        return end || n == SCRIPT_LINE_MAX ? -ENOEXEC : -EACCES;
    }
    if (!end && strlen(line) == SCRIPT_LINE_MAX) {
        if (!strpbrk(name, " \t")) {
            return -ENOEXEC;
        }
        line[SCRIPT_LINE_MAX - 1] = 0;
    }
    return 0;
}

int script_resolve(struct script *script, const char *path, int fd)
{
    char *interpreter, *argument, *line = script->lines[script->depth];
    ssize_t n;
    size_t keep = script->count ? script->count - 1 : 0;
    int error;

    if (fd < 0) {
        return 0; /* who opens it next will say why */
    }
    n = read(fd, line, SCRIPT_LINE_MAX);
    (void)close(fd);
    if (n < 2 || line[0] != '#' || line[1] != '!') {
        return 0;
    }
    error = end_line(line, (size_t)n);
    if (error) {
        return error;
    }
    split(line, &interpreter, &argument);
    if (++script->depth == SCRIPT_DEPTH_MAX) {
        return -ELOOP;
    }
    /* What stood first is replaced by interpreter, argument, script. */
    memmove(&script->head[argument ? 3 : 2], &script->head[1], keep * sizeof(script->head[0]));
    script->head[0] = interpreter;
    script->head[1] = argument;
    script->head[argument ? 2 : 1] = path;
    script->count = keep + (argument ? 3 : 2);
    return 1;
}
