// SPDX-License-Identifier: Apache-2.0
/*
 * guest.c: the monitor reads and writes the payload's memory.
 */
#include "memory/memory.h"

#include <errno.h>
#include <limits.h>

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

int64_t guest_read_path(char *to, uint64_t addr)
{
    for (size_t i = 0; i < PATH_MAX; i++) {
        if (guest_read(&to[i], addr + i, 1) < 0) {
            return -EFAULT;
        }
        if (!to[i]) {
            return i ? 0 : -ENOENT;
        }
    }
    return -ENAMETOOLONG;
}
