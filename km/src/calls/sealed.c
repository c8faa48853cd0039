// SPDX-License-Identifier: Apache-2.0
/*
 * sealed.c: a file of bytes that goes to the next program's monitor, and that the payload cannot
 * change on the way.
 *
 * A file is made at a number that another thread of the payload can guess: it may keep a descriptor
 * of the file, write to it, map it, or put a file of its own there. So only the last state counts:
 * a file at a pin, where the payload puts none, that the monitor seals and then compares with the
 * bytes that it shall have.
 */
#include "calls/calls.h"
#include "calls/pin.h"
#include "machine/machine.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool has_bytes(int fd, const void *bytes, size_t size)
{
    struct stat st;
    void *found;
    bool same;

    if (fcntl(fd, F_GET_SEALS) < 0 || (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS ||
        fstat(fd, &st) < 0 || st.st_size != (off_t)size) {
        return false;
    }
    found = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (found == MAP_FAILED) {
        return false;
    }
    same = !memcmp(found, bytes, size);
    (void)munmap(found, size);
    return same;
}

bool sealed_make(struct vcpu *vcpu, const void *bytes, size_t size)
{
    bool pinned = pin_memory(vcpu, "km", MFD_ALLOW_SEALING) == 0;

    if (pinned && pwrite(vcpu->pin, bytes, size, 0) == (ssize_t)size &&
        fcntl(vcpu->pin, F_ADD_SEALS, SEALS) == 0 && has_bytes(vcpu->pin, bytes, size)) {
        return true;
    }
    if (pinned) {
        pin_clear(vcpu);
    }
    return false;
}
