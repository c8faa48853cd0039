// SPDX-License-Identifier: Apache-2.0
/*
 * sys_root.c: chroot.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/opening.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Let the folder that the pin is be the root, and the working folder what it was. */
static int64_t enter_root(const struct vcpu *vcpu)
{
    static const uint64_t itself[6] = {(uint64_t)"."};
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int64_t result = back < 0 || fchdir(back) < 0 || fchdir(vcpu->pin) < 0
                         ? -errno
                         : host_syscall(__NR_chroot, itself);

    (void)(back < 0 ? 0 : fchdir(back) + close(back));
    return result;
}

/* Whether the pin is the folder of what a process's descriptors are, where browsers go to have no
 * files: below it are numbers only. */
static bool is_of_numbers(const struct vcpu *vcpu)
{
    struct proc_file file = {0};
    struct stat st;

    if (fstat(vcpu->pin, &st) == 0) {
        proc_look(vcpu->pin, &st, &file);
    }
    return file.is_ours && !strcmp(file.last, "fdinfo") && !*file.entry;
}

/*
 * int chroot(const char *path)
 *
 * Any other root in a proc(5) is refused: the kernel tells the names of files from there on, which
 * then are not what they are to be judged by. While the other threads stand still, nobody puts such
 * a root, or another working folder, in the place of this one.
 */
HANDLER(chroot)
{
    int64_t fd, result;

    opening_leaves_root();
    if (!FIRST_LOCK) {
        return host_syscall(__NR_chroot, args);
    }
    fd = host_syscall(__NR_openat,
                      (uint64_t[6]){(uint64_t)AT_FDCWD, args[0], O_PATH | O_DIRECTORY | O_CLOEXEC});
    if (fd < 0) {
        return fd;
    }
    result = pin_set(vcpu, (int)fd);
    (void)close((int)fd);
    if (result < 0) {
        return result;
    }
    if (!vcpu->vforked) { /* the child of a vfork has a root of its own, and no threads */
        freeze_all(freeze_of(vcpu));
    }
    result = proc_has(vcpu->pin) && !is_of_numbers(vcpu) ? -EACCES : enter_root(vcpu);
    if (!result) {
        pin_follow_root(vcpu);
    }
    if (!vcpu->vforked) {
        freeze_thaw();
    }
    pin_clear(vcpu);
    return result;
}
