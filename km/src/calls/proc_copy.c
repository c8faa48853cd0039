// SPDX-License-Identifier: Apache-2.0
/*
 * proc_copy.c: the files in memory that hold a text of proc_text.c, which a payload gets in the
 * place of the host's file, and the numbers that make one look like that file.
 *
 * It has its name from the host's file, by which every process knows it that gets a descriptor of
 * it. A payload may give a file of its own such a name: then it hears of a file that it can open,
 * and its own one gets the text of that.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* since Linux 6.3: nobody may execute it, as nobody may such a file */
#endif

static const char memory[] = "/memfd:"; /* begins what the kernel calls a file in memory */
static const char begin[] = "/memfd:/proc/";

int64_t proc_rewrite(struct vcpu *vcpu, const struct proc_file *file)
{
    char name[PROC_AT];
    struct text text;
    int64_t error;

    (void)snprintf(name, sizeof(name), "/proc/%s/%s", file->folder, file->last);
    text_begin(&text, vcpu);
    error = proc_write(&text, file) ? pin_memory(vcpu, name, MFD_NOEXEC_SEAL) : -EACCES;
    if (error == -EINVAL) {
        error = pin_memory(vcpu, name, 0);
    }
    if (!error && !text_put(&text, vcpu->pin)) {
        pin_clear(vcpu);
        error = -ENOMEM;
    }
    text_end(&text);
    return error;
}

/* ---- which it is ---- */

const char *proc_copy_name(const char *path)
{
    return strncmp(path, begin, sizeof(begin) - 1) != 0 ? NULL : path + sizeof(memory) - 1;
}

bool proc_copy_may_be(const struct stat *st)
{
    return !st->st_nlink && S_ISREG(st->st_mode) && !major(st->st_dev);
}

bool proc_copy_of(int fd, const struct stat *st, struct proc_file *file)
{
    char path[PATH_MAX];

    memset(file, 0, sizeof(*file));
    if (proc_copy_may_be(st) && fd_path(fd, path) > 0 && proc_copy_name(path)) {
        proc_take_apart(path, file);
    }
    file->is_ours = file->pid && proc_is_rewritten(file);
    return file->is_ours;
}

bool proc_copy_at(int fd, struct proc_file *file)
{
    struct stat st;

    return fstat(fd, &st) == 0 && proc_copy_of(fd, &st, file);
}

/* ---- its text, again ---- */

/* Whether it is a copy of what this host's monitors have, whose text can be made again. */
static bool is_renewed(int fd, struct proc_file *file)
{
    return proc_copy_at(fd, file) && proc_is_monitors(file);
}

void proc_copy_renew(struct vcpu *vcpu, int fd)
{
    struct proc_file file;
    char name[FD_NAME];
    struct text text;
    int to, folder;

    if (!is_renewed(fd, &file)) {
        return;
    }
    folder = fd_name(vcpu, fd, name);
    to = openat(folder, name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (to < 0) {
        return;
    }
    text_begin(&text, vcpu);
    /* another thread may have put another file at one of the two numbers, but none at the pin */
    if (pin_set(vcpu, to) == 0) {
        if (is_renewed(vcpu->pin, &file) && proc_write(&text, &file)) {
            (void)text_put(&text, vcpu->pin);
        }
        pin_clear(vcpu);
    }
    text_end(&text);
    (void)close(to);
}
