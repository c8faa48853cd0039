// SPDX-License-Identifier: Apache-2.0
/*
 * elf_find.c: find the payload's file.
 */
#include "base/base.h"
#include "program/program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Find name in PATH as execvp does. The first file that may be executed; false when there is none.
 */
static bool search_path(const char *name, char found[PATH_MAX])
{
    const char *path = getenv("PATH");
    struct stat st;

    if (!path) {
        path = "/usr/local/bin:/bin:/usr/bin";
    }
    for (;;) {
        const char *end = strchrnul(path, ':');
        int n = (int)(end - path);

        if (snprintf(found, PATH_MAX, "%.*s/%s", n ? n : 1, n ? path : ".", name) < PATH_MAX &&
            stat(found, &st) == 0 && S_ISREG(st.st_mode) && file_may_execute(found)) {
            return true;
        }
        if (!*end) {
            return false;
        }
        path = end + 1;
    }
}

/* The payload's path, from what the command line says. */
static const char *payload_path(char buffer[PATH_MAX])
{
    const char *name = options.payload;
    struct stat st;

    if (!*name) {
        die(STATUS_NOT_FOUND, "give the path of a payload", "the payload's name is empty");
    }
    if (strchr(name, '/') || (!options.search && stat(name, &st) == 0)) {
        return name;
    }
    if (!search_path(name, buffer)) {
        die(STATUS_NOT_FOUND, "give the payload's path, or add its folder to PATH",
            "cannot run %s: there is no executable file of that name in PATH", name);
    }
    return buffer;
}

void elf_check_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;

        die(missing ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN, "give the path of a payload",
            "cannot run %s: %m", path);
    }
    if (S_ISDIR(st.st_mode)) {
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: it is a directory", path);
    }
    if (!S_ISREG(st.st_mode)) {
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: it is not a regular file", path);
    }
    if (!file_may_execute(path)) {
        die(STATUS_CANNOT_RUN, "make it executable with chmod +x",
            "cannot run %s: permission denied (mode %04o)", path, st.st_mode & 07777);
    }
}

const char *elf_find(char found[4096])
{
    const char *path = payload_path(found);

    elf_check_file(path);
    return path;
}

bool payload_beside(const char *program, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s.km", program) < PATH_MAX && access(path, F_OK) == 0;
}
