// SPDX-License-Identifier: Apache-2.0
/*
 * sys_offset.c: refuse calls that name a place of the monitor's memory as an offset in a file.
 *
 * It is the second lock behind proc_judge(): for a payload with a descriptor of its own
 * /proc/PID/mem, the offsets are the addresses. Those in registers are judged by the host's kernel,
 * sandbox_filter.c; here are those in the payload's memory.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/fd_kind.h"
#include "calls/handlers.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool offset_is_monitors(uint64_t offset)
{
    return offset >= GUEST_TOP && offset < HOST_TOP;
}

/* ---- lseek ---- */

static int64_t seek(uint64_t fd, uint64_t offset, uint64_t whence)
{
    return host_syscall(__NR_lseek, (uint64_t[6]){fd, offset, whence});
}

/* The position in a folder is what its filesystem calls it: ext4 takes numbers up to 2^63. */
static int64_t seek_in_folder(struct vcpu *vcpu, uint64_t fd, uint64_t offset)
{
    int64_t result = fcntl((int)fd, F_GETFD) < 0 ? -EBADF : pin_set(vcpu, (int)fd);
    struct stat st;

    if (!result) {
        result = fstat(vcpu->pin, &st) == 0 && S_ISDIR(st.st_mode)
                     ? seek((uint64_t)vcpu->pin, offset, SEEK_IN_FOLDER)
                     : -EINVAL;
        pin_clear(vcpu);
    }
    return result;
}

/* In a copy of a file of /proc as in that file: it has no size, and auxv alone an end. */
static int64_t seek_from_end(const struct proc_file *file, const uint64_t *args)
{
    if (strcmp(file->last, "auxv") != 0) {
        return -EINVAL;
    }
    return (uint32_t)args[2] == SEEK_END ? seek(args[0], args[1], SEEK_SET) : -ENXIO;
}

/*
 * off_t lseek(int fd, off_t offset, int whence)
 *
 * Steps would lead anywhere, backwards too, where a position is an unsigned number. So a step
 * becomes the place where it leads. Who moves one position from two threads at the same time may
 * find one of two steps.
 */
HANDLER(lseek)
{
    uint64_t offset = args[1];
    uint32_t whence = (uint32_t)args[2];
    struct proc_file file;
    bool is_copy = fd_kind(vcpu, args[0]) != IS_AT_ONCE; /* perhaps */
    int64_t at;

    if (is_copy && whence > SEEK_CUR && proc_copy_at((int)args[0], &file)) {
        return seek_from_end(&file, args);
    }
    if (whence == SEEK_CUR && offset) {
        at = seek(args[0], 0, SEEK_CUR);
        if (at < 0 && at >= -4095) {
            return at;
        }
        offset += (uint64_t)at; /* below the begin, too: there some devices have a position */
        whence = SEEK_SET;
    }
    if (is_copy && whence == SEEK_SET && !offset) {
        proc_copy_renew(vcpu, (int)args[0]);
    }
    return whence == SEEK_SET && offset_is_monitors(offset) ? seek_in_folder(vcpu, args[0], offset)
                                                            : seek(args[0], offset, whence);
}

/* ---- from the begin ---- */

/* A call that reads from the offset of argument 3. */
static int64_t read_at(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    if (!args[3] && fd_kind(vcpu, args[0]) != IS_AT_ONCE) {
        proc_copy_renew(vcpu, (int)args[0]);
    }
    return host_syscall(number, args);
}

/* ssize_t pread64(int fd, void *buf, size_t count, off_t offset) */
HANDLER(pread64)
{
    return read_at(vcpu, __NR_pread64, args);
}

/* ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset) */
HANDLER(preadv)
{
    return read_at(vcpu, __NR_preadv, args);
}

/* ssize_t preadv2(the same, int flags) */
HANDLER(preadv2)
{
    return read_at(vcpu, __NR_preadv2, args);
}

/* A call that writes at an offset. Of a text of proc(5) but one the kernel says that it has none
 * before it says that it is not open to write: seq_open() of its fs/seq_file.c. */
static int64_t write_at(uint64_t number, const uint64_t *args)
{
    int64_t result = host_syscall(number, args);
    struct proc_file file;

    return result == -EBADF && proc_copy_at((int)args[0], &file) && strcmp(file.last, "auxv") != 0
               ? -ESPIPE
               : result;
}

/* ssize_t pwrite64(int fd, const void *buf, size_t count, off_t offset) */
HANDLER(pwrite64)
{
    (void)vcpu;
    return write_at(__NR_pwrite64, args);
}

/* ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) */
HANDLER(pwritev)
{
    (void)vcpu;
    return write_at(__NR_pwritev, args);
}

/* ssize_t pwritev2(the same, int flags) */
HANDLER(pwritev2)
{
    (void)vcpu;
    return write_at(__NR_pwritev2, args);
}

/* ---- pointers to offsets ---- */

/* What of an argument that points to an offset the kernel gets a copy of. */
struct copied {
    uint64_t addr; /* the payload's, or 0 */
    uint64_t offset;
};

static int64_t copy_in(struct copied *copy, uint64_t *arg)
{
    *copy = (struct copied){.addr = *arg};
    if (!copy->addr) {
        return 0;
    }
    if (guest_read(&copy->offset, copy->addr, sizeof(copy->offset)) < 0) {
        *arg = GUEST_TOP; /* where nothing is: the kernel says what comes first */
        copy->addr = 0;
        return 0;
    }
    *arg = (uint64_t)&copy->offset;
    return offset_is_monitors(copy->offset) ? -EINVAL : 0;
}

static int64_t copy_out(const struct copied *copy)
{
    return copy->addr ? guest_write(copy->addr, &copy->offset, sizeof(copy->offset)) : 0;
}

/*
 * A call whose arguments number i and j point to offsets, or are null. From the result `least` on
 * the kernel writes them back, also where they are as before.
 */
static int64_t call_with_offsets(uint64_t number, const uint64_t *args, unsigned i, unsigned j,
                                 int64_t least)
{
    struct copied one, other = {0};
    uint64_t with_copies[6];
    int64_t result;

    memcpy(with_copies, args, sizeof(with_copies));
    result = copy_in(&one, &with_copies[i]);
    if (!result && j != i) {
        result = copy_in(&other, &with_copies[j]);
    }
    if (result < 0) {
        return result;
    }
    result = host_syscall(number, with_copies);
    if (result < least) {
        return result;
    }
    return copy_out(&one) < 0 || copy_out(&other) < 0 ? -EFAULT : result;
}

/* A copy cannot be read so, as the file that it is in the place of: -errno, or 0. */
static int64_t refuse_copy(uint64_t fd)
{
    struct proc_file file;

    if (!proc_copy_at((int)fd, &file)) {
        return 0;
    }
    return copy_access((int)fd) == O_WRONLY ? -EBADF : -EINVAL;
}

/* ssize_t sendfile(int out, int in, off_t *offset, size_t count) */
HANDLER(sendfile)
{
    int64_t error = refuse_copy(args[1]);

    (void)vcpu;
    return error < 0 ? error : call_with_offsets(__NR_sendfile, args, 2, 2, INT64_MIN);
}

/* ssize_t splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size, unsigned flags)
 */
HANDLER(splice)
{
    int64_t error = refuse_copy(args[0]);

    (void)vcpu;
    return error < 0 ? error : call_with_offsets(__NR_splice, args, 1, 3, 0);
}

/* ssize_t copy_file_range(the same) */
HANDLER(copy_file_range)
{
    (void)vcpu;
    return call_with_offsets(__NR_copy_file_range, args, 1, 3, 1);
}
