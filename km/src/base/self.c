// SPDX-License-Identifier: Apache-2.0
/*
 * self.c: km's own file, which km executes for each next program of the payload.
 *
 * It is open at one descriptor from the first start on, through each execve: the filter of
 * sandbox_filter.c lets nothing else be executed, and nothing be moved there. The path that
 * execveat takes is the empty string, at an address where nobody can write another.
 */
#include "base/base.h"
#include "top.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static int own = -1;
static struct stat program; /* of it */
static bool inside;         /* a VM of km's */

static void open_own(void)
{
    int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);

    if (fd < 0) {
        fd = open((const char *)getauxval(AT_EXECFN), O_PATH | O_CLOEXEC);
    }
    own = fd < 0 ? -1 : fd_hide(fd);
    if (own >= 0) {
        (void)fcntl(own, F_SETFD, 0);
    }
}

/* Whether uname(2) is answered by km. */
static bool is_kontain(void)
{
    struct utsname host;
    size_t length, suffix = strlen(RELEASE_SUFFIX);

    if (uname(&host) < 0) {
        return false;
    }
    length = strlen(host.release);
    return length > suffix && !strcmp(host.release + length - suffix, RELEASE_SUFFIX);
}

void self_open(void)
{
    int fd = sandbox_program();

    if (fd == SANDBOX_NONE) {
        open_own();
    } else if (fd >= 0) {
        own = fd;
        fd_note_hidden(fd);
    }
    if (own >= 0) {
        (void)fstat(own, &program);
    }
    if (mmap((void *)EMPTY_HVA, PAGE_SIZE, PROT_READ,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)EMPTY_HVA) {
        inside = is_kontain();
        if (!inside) {
            die(STATUS_FAILED, FIX_REPORT, "the address 0x%lx is not free: %m", EMPTY_HVA);
        }
    }
}

bool self_is_inside(void)
{
    return inside;
}

int self_fd(void)
{
    return own;
}

bool self_is_file(const struct stat *st)
{
    return program.st_ino && program.st_ino == st->st_ino && program.st_dev == st->st_dev;
}

bool self_is(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && self_is_file(&st);
}

int64_t self_execute(char *const *argv, char *const *envp)
{
    return own < 0
               ? -ENOENT
               : host_syscall(__NR_execveat, (uint64_t[6]){(uint64_t)own, EMPTY_HVA, (uint64_t)argv,
                                                           (uint64_t)envp, AT_EMPTY_PATH});
}
