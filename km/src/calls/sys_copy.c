// SPDX-License-Identifier: Apache-2.0
/*
 * sys_copy.c: calls on a descriptor that ask for, or change, more than a file's content. Of a
 * copy of a file of /proc they answer as of such a file: they are made on another one of /proc, of
 * the same operations, whose content a payload may have.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/opening.h"
#include "calls/proc.h"
#include "machine/machine.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define STAND_IN "self/statm"

int copy_access(int fd)
{
    return fcntl(fd, F_GETFL) & (int)OPEN_ACCESS;
}

int64_t copy_pin_other(struct vcpu *vcpu, int access)
{
    int fd = openat(pin_proc(), STAND_IN, access | O_CLOEXEC);
    int64_t error = fd < 0 ? -errno : pin_set(vcpu, fd);

    if (fd >= 0) {
        (void)close(fd);
    }
    return error;
}

int64_t copy_call(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    uint64_t with_pin[6] = {0, args[1], args[2], args[3], args[4], args[5]};
    struct proc_file file;
    int64_t result;

    if (!proc_copy_at((int)args[0], &file)) {
        return host_syscall(number, args);
    }
    result = copy_pin_other(vcpu, copy_access((int)args[0]));
    if (!result) {
        with_pin[0] = (uint64_t)vcpu->pin;
        result = host_syscall(number, with_pin);
        pin_clear(vcpu);
    }
    return result;
}

#define CALL(name)                                                                                 \
    HANDLER(name)                                                                                  \
    {                                                                                              \
        return copy_call(vcpu, __NR_##name, args);                                                 \
    }

CALL(fsync)
CALL(fdatasync)
CALL(fchmod)
CALL(fallocate)
CALL(fsetxattr)
CALL(fgetxattr)
CALL(flistxattr)
CALL(fremovexattr)
CALL(name_to_handle_at)
