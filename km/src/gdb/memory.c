// SPDX-License-Identifier: Apache-2.0
/*
 * memory.c: the payload's memory as gdb reads and writes it, and the breakpoints in it.
 *
 * /proc/self/mem reaches what the payload itself may only execute or read: a write to a page of a
 * program's file makes a private copy of it, which the guest then sees.
 */
#include "memory/memory.h"
#include "base/base.h"
#include "gdb/gdb.h"
#include "task/task.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define BREAKPOINTS_MAX 4096
#define INT3 0xcc

static int mem = -1;

static struct breakpoint {
    uint64_t addr;
    uint8_t covered; /* the byte that INT3 replaced */
} breakpoints[BREAKPOINTS_MAX];
static size_t count;
static unsigned lifted; /* by vforks: only `breakpoints` knows of them */

void memory_open(void)
{
    int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        die(STATUS_FAILED, "mount proc at /proc", "gdb cannot look at memory: /proc/self/mem: %m");
    }
    mem = fd_hide(fd);
}

/* Up to the end of the page where one cannot be reached. */
static size_t read_raw(uint64_t addr, void *bytes, size_t size)
{
    size_t done = 0;

    while (done < size && guest_ok(addr + done, 1)) {
        uint64_t at = addr + done, room = ROUND_DOWN(at, PAGE_SIZE) + PAGE_SIZE - at;
        size_t part = size - done < room ? size - done : room;

        if (vdso_pread(mem, (char *)bytes + done, part, at) != (ssize_t)part) {
            break;
        }
        done += part;
    }
    return done;
}

static bool write_raw(uint64_t addr, const void *bytes, size_t size)
{
    return guest_ok(addr, size) && pwrite(mem, bytes, size, (off_t)addr) == (ssize_t)size;
}

static struct breakpoint *find(uint64_t addr)
{
    for (size_t i = 0; i < count; i++) {
        if (breakpoints[i].addr == addr) {
            return &breakpoints[i];
        }
    }
    return NULL;
}

/* As the payload's program is, without the breakpoints. */
size_t memory_read(uint64_t addr, void *bytes, size_t size)
{
    size_t n = read_raw(addr, bytes, size);

    for (size_t i = 0; !lifted && i < count; i++) {
        if (breakpoints[i].addr - addr < n) {
            ((uint8_t *)bytes)[breakpoints[i].addr - addr] = breakpoints[i].covered;
        }
    }
    return n;
}

size_t memory_write(uint64_t addr, const void *bytes, size_t size)
{
    uint8_t byte;

    if (!write_raw(addr, bytes, size)) {
        return 0;
    }
    for (size_t i = 0; !lifted && i < count; i++) { /* they stay, over what is new */
        if (breakpoints[i].addr - addr < size) {
            breakpoints[i].covered = ((const uint8_t *)bytes)[breakpoints[i].addr - addr];
            byte = INT3;
            (void)write_raw(breakpoints[i].addr, &byte, 1);
        }
    }
    return size;
}

/* ---- breakpoints ---- */

static bool lower(struct breakpoint *breakpoint)
{
    static const uint8_t int3 = INT3;

    return read_raw(breakpoint->addr, &breakpoint->covered, 1) == 1 &&
           write_raw(breakpoint->addr, &int3, 1);
}

static bool lift(const struct breakpoint *breakpoint)
{
    return write_raw(breakpoint->addr, &breakpoint->covered, 1);
}

bool breakpoint_insert(uint64_t addr)
{
    struct breakpoint *new = &breakpoints[count];
    bool done;

    if (find(addr) || count == BREAKPOINTS_MAX) {
        return count < BREAKPOINTS_MAX;
    }
    freeze_lock();
    *new = (struct breakpoint){.addr = addr};
    done = lifted || lower(new);
    count += done;
    freeze_unlock();
    return done;
}

bool breakpoint_remove(uint64_t addr)
{
    struct breakpoint *old = find(addr);

    if (!old) {
        return true;
    }
    freeze_lock();
    if (!lifted) {
        (void)lift(old); /* where the payload unmapped it, there is nothing to restore */
    }
    *old = breakpoints[--count];
    freeze_unlock();
    return true;
}

bool breakpoint_is_at(uint64_t addr)
{
    return find(addr) != NULL;
}

void breakpoints_forget(void)
{
    while (count) {
        (void)breakpoint_remove(breakpoints[0].addr);
    }
}

void breakpoints_lift(void)
{
    freeze_lock();
    for (size_t i = 0; !lifted && i < count; i++) {
        (void)lift(&breakpoints[i]);
    }
    lifted++;
    freeze_unlock();
}

void breakpoints_lower(void)
{
    freeze_lock();
    lifted--;
    for (size_t i = 0; !lifted && i < count; i++) {
        (void)lower(&breakpoints[i]);
    }
    freeze_unlock();
}

void breakpoints_after_fork(void)
{
    fd_close_hidden(mem); /* the parent's memory */
    if (count && !lifted) {
        mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
        for (size_t i = 0; i < count; i++) {
            (void)lift(&breakpoints[i]);
        }
        (void)close(mem);
    }
    count = lifted = 0;
    mem = -1;
}
