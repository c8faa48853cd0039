// SPDX-License-Identifier: Apache-2.0
/*
 * helper_call.c: which system calls the helper makes: those that the table marks, where they do not
 * wait.
 */
#include "calls/calls.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static enum helped helped_of(uint64_t number)
{
    return number < SYSCALL_COUNT ? syscall_table[number].helped : HELPED_NOT;
}

bool helper_may_make(uint64_t number)
{
    return helped_of(number) == HELPED || helped_of(number) == HELPED_ON_FILE;
}

/*
 * Whether a descriptor is open at a file or folder of a disk or of memory: there nothing is awaited
 * that a signal could end. Other filesystems have files at which readers wait.
 */
static bool is_on_file(uint64_t fd)
{
    struct statfs fs;
    struct stat st;

    if (fstat((int)fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        return false;
    }
    return major(st.st_dev) || (fstatfs((int)fd, &fs) == 0 &&
                                (fs.f_type == TMPFS_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC ||
                                 fs.f_type == BTRFS_SUPER_MAGIC));
}

/* Whether a copy is to be made anew, which takes the payload's own thread. */
static bool reads_anew(uint32_t number, const uint64_t *args)
{
    bool begins = (number == __NR_lseek && (!args[1] || args[2] == SEEK_CUR)) ||
                  (number == __NR_pread64 && !args[3]);
    struct proc_file file;

    return begins && proc_copy_at((int)args[0], &file);
}

bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result)
{
    if (!helper_may_make(number) || (helped_of(number) == HELPED_ON_FILE && !is_on_file(args[0])) ||
        reads_anew(number, args)) {
        return false;
    }
    if (number == __NR_getpriority && (int)args[0] == PRIO_PROCESS && !(int)args[1]) {
        args[1] = (uint64_t)freeze_of(vcpu)->tid; /* the kernel means the thread that asks */
    }
    *result = syscall_serve(vcpu, number, args);
    return *result != -EFBIG; /* nothing was written, and SIGXFSZ is for who asked */
}
