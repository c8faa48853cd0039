// SPDX-License-Identifier: Apache-2.0
/*
 * guest.c: the monitor reads and writes the payload's memory.
 */
#include "memory/memory.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* guest_copy.S */
int64_t guest_copy(void *to, const void *from, uint64_t len);
int64_t guest_cmpxchg(void *at, uint32_t old, uint32_t new);

static _Thread_local struct {
    int signo, code;
} fault; /* the last one of this thread in guest_copy.S */

void guest_note_fault(int signo, int code)
{
    fault.signo = signo;
    fault.code = code;
}

int guest_probe(const void *page, bool write, int *code)
{
    uint32_t word;
    bool failed = guest_copy(&word, page, sizeof(word)) < 0 ||
                  (write && guest_cmpxchg((void *)page, word, word) == -EFAULT);

    *code = failed ? fault.code : 0;
    return failed ? fault.signo : 0;
}

int64_t guest_read(void *to, uint64_t addr, uint64_t len)
{
    if (!len) { /* of nothing, from anywhere */
        return 0;
    }
    return guest_ok(addr, len) ? guest_copy(to, (const void *)addr, len) : -EFAULT;
}

int64_t guest_write(uint64_t addr, const void *from, uint64_t len)
{
    return guest_ok(addr, len) ? guest_copy((void *)addr, from, len) : -EFAULT;
}

int64_t guest_compare_exchange(uint64_t addr, uint32_t old, uint32_t new)
{
    return guest_ok(addr, sizeof(new)) ? guest_cmpxchg((void *)addr, old, new) : -EFAULT;
}

uint64_t guest_read_piece(char *to, uint64_t addr)
{
    uint64_t size = GUEST_PIECE - addr % GUEST_PIECE;

    return guest_read(to, addr, size) < 0 ? 0 : size;
}

int64_t guest_read_path(char *to, uint64_t addr)
{
    char piece[GUEST_PIECE];

    for (uint64_t done = 0, size; done < PATH_MAX; done += size) {
        const char *end;

        size = guest_read_piece(piece, addr + done);
        if (!size) {
            return -EFAULT;
        }
        size = size < PATH_MAX - done ? size : PATH_MAX - done;
        memcpy(to + done, piece, size);
        end = memchr(piece, 0, size);
        if (end) {
            return end - piece + (int64_t)done ? 0 : -ENOENT;
        }
    }
    return -ENAMETOOLONG;
}
