// SPDX-License-Identifier: Apache-2.0
/*
 * The child of a vfork puts another folder at a number that its parent has used much, and forks:
 * what the monitor remembers of the parent's number must not be taken for the grandchild's.
 */
#include "payload.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NUMBER 50
#define CALLS 20000
#define HIDDEN 256 /* no descriptor of this program's is above */

static char entries[8192];

/* So often that the helper makes the calls, and looks what the number is open at. */
static void use(void)
{
    for (int i = 0; i < CALLS; i++) {
        (void)lseek(NUMBER, 0, SEEK_CUR);
    }
}

/* How many of the monitor's descriptors the folder lists. */
static int list(void)
{
    long size;
    int found = 0;

    while ((size = syscall(SYS_getdents64, NUMBER, entries, sizeof(entries))) > 0) {
        const struct dirent *entry;

        for (long at = 0; at < size; at += entry->d_reclen) {
            entry = (const void *)(entries + at);
            found += atoi(entry->d_name) >= HIDDEN;
        }
    }
    return found;
}

static int in_grandchild(void)
{
    pid_t child = (pid_t)syscall(SYS_fork);
    int status;

    if (!child) {
        _exit(list());
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(void)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY), status;
    pid_t child;

    CHECK(folder >= 0 && dup2(folder, NUMBER) == NUMBER);
    use();
    child = vfork();
    if (!child) {
        _exit(dup2(open("/proc/self/fd", O_RDONLY | O_DIRECTORY), NUMBER) == NUMBER
                  ? in_grandchild()
                  : 1);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    return 0;
}
