// SPDX-License-Identifier: Apache-2.0
/*
 * sys_memory.c: the system calls of memory, between the payload's registers and mm.c.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "calls/mounts.h"
#include "calls/pin.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>

/* Each call of mm.c is made alone. */
#define LOCKED(call)                                                                               \
    do {                                                                                           \
        int64_t result_;                                                                           \
        (void)vcpu;                                                                                \
        mm_lock();                                                                                 \
        result_ = (call);                                                                          \
        mm_unlock();                                                                               \
        return result_;                                                                            \
    } while (0)

static int64_t map_file(int fd, const uint64_t *args)
{
    int64_t result;

    if (args[2] & PROT_EXEC && mounts_refuse(fd)) {
        return -EPERM;
    }
    mm_lock();
    result = mm_map(args[0], args[1], (int)args[2], (int)args[3], fd, args[5]);
    mm_unlock();
    return result;
}

#define ADDRESS_END (1UL << 47) /* of what a process natively has */
#define TABLE_LEAST (1UL << 34)
#define TABLE_FLAGS ((uint64_t)MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE | MAP_ANONYMOUS)

/* Sanitizers of threads and of memory have their tables where only a process has memory: they end
 * with a message that does not say why. */
static void note_address(const uint64_t *args, int64_t result)
{
    static uint32_t noted;

    bool is_table = args[3] == TABLE_FLAGS && args[1] >= TABLE_LEAST && (int)args[4] == -1;

    if (result < 0 && is_table && args[0] >= GUEST_TOP && args[0] < ADDRESS_END &&
        !__atomic_exchange_n(&noted, 1, __ATOMIC_RELAXED)) {
        complain(
            "build it without -fsanitize=thread or memory, or run it outside a VM",
            "the program asks for memory at 0x%lx, which a VM does not have: a thread or memory "
            "sanitizer puts its tables there",
            args[0]);
    }
}

/* void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset) */
HANDLER(mmap)
{
    int64_t result;

    if (args[5] % PAGE_SIZE) {
        return -EINVAL;
    }
    if (!(args[3] & MAP_ANONYMOUS)) {
        return fd_is_hidden(args[4]) ? -EBADF : pin_map(vcpu, (int)args[4], map_file, args);
    }
    mm_lock();
    result = mm_map(args[0], args[1], (int)args[2], (int)args[3], -1, args[5]);
    mm_unlock();
    note_address(args, result);
    return result;
}

/* int munmap(void *addr, size_t length) */
HANDLER(munmap)
{
    LOCKED(mm_unmap(args[0], args[1]));
}

/* int mprotect(void *addr, size_t len, int prot) */
HANDLER(mprotect)
{
    LOCKED(mm_protect(args[0], args[1], args[2]));
}

/* int brk(void *addr): the kernel's call returns the break */
HANDLER(brk)
{
    LOCKED((int64_t)mm_brk(args[0]));
}

/* void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *new_address)
 */
HANDLER(mremap)
{
    LOCKED(mm_remap(args[0], args[1], args[2], args[3], args[4]));
}

/* int madvise(void *addr, size_t length, int advice) */
HANDLER(madvise)
{
    LOCKED(mm_advise(args[0], args[1], (int)args[2]));
}

/* ---- which pages are there ---- */

static uint32_t locks; /* some page may be locked, and so be there untouched */

static int64_t lock_pages(uint64_t number, const uint64_t *args)
{
    __atomic_store_n(&locks, 1, __ATOMIC_RELAXED);
    return host_syscall(number, args);
}

/* int mlock(const void *addr, size_t len), and its kin */
HANDLER(mlock)
{
    (void)vcpu;
    return lock_pages(__NR_mlock, args);
}

HANDLER(mlock2)
{
    (void)vcpu;
    return lock_pages(__NR_mlock2, args);
}

HANDLER(mlockall)
{
    (void)vcpu;
    return lock_pages(__NR_mlockall, args);
}

#define LOOKED_AT_MAX 1024 /* pages of one call */

/* Whether a page, which is there for the host, is the payload's own and all zero. */
static bool is_untouched(uint64_t page)
{
    static const char zeroes[PAGE_SIZE];
    const struct vma *vma = vma_find(page);
    char content[PAGE_SIZE];

    return vma && vma->start <= page && vma->flags & MAP_ANONYMOUS && vma->flags & MAP_PRIVATE &&
           guest_read(content, page, sizeof(content)) == 0 &&
           !memcmp(content, zeroes, sizeof(content));
}

/*
 * int mincore(void *addr, size_t length, unsigned char *vec)
 *
 * prefault.c brings pages before they are touched. One of only zeroes is said not to be there: the
 * kernel, too, takes such a page back when it likes.
 */
HANDLER(mincore)
{
    int64_t result = host_syscall(__NR_mincore, args);
    uint64_t pages = ROUND_UP(args[1], PAGE_SIZE) / PAGE_SIZE;
    unsigned char vec[LOOKED_AT_MAX];

    (void)vcpu;
    if (result < 0 || pages > LOOKED_AT_MAX || __atomic_load_n(&locks, __ATOMIC_RELAXED) ||
        guest_read(vec, args[2], pages) < 0) {
        return result;
    }
    mm_lock();
    for (uint64_t i = 0; i < pages; i++) {
        if (vec[i] & 1 && is_untouched(args[0] + i * PAGE_SIZE)) {
            vec[i] &= 0xfe;
        }
    }
    mm_unlock();
    return guest_write(args[2], vec, pages);
}

/*
 * int remap_file_pages(void *addr, size_t size, int prot, size_t pgoff, int flags)
 *
 * The host replaces pages of a shared mapping by others of the same file, with the same rights: for
 * the list of mappings nothing changes.
 */
HANDLER(remap_file_pages)
{
    if (!guest_ok(args[0], args[1])) {
        return -EINVAL;
    }
    LOCKED(host_syscall(__NR_remap_file_pages, args));
}

/* long futex(uint32_t *uaddr, int op, uint32_t val, struct timespec *, uint32_t *uaddr2, uint32_t
 * val3)
 *
 * What the last three are depends on the operation: where they are not looked at, they are whatever
 * the payload's registers held.
 */
HANDLER(futex)
{
    (void)vcpu;
    switch ((int)args[1] & FUTEX_CMD_MASK) {
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
    case FUTEX_UNLOCK_PI:
    case FUTEX_TRYLOCK_PI:
        return host_syscall(__NR_futex, args);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
    case FUTEX_WAKE_OP:
        return guest_ok(args[4], 4) ? host_syscall(__NR_futex, args) : -EFAULT;
    case FUTEX_WAIT_REQUEUE_PI:
        if (!guest_ok(args[4], 4)) {
            return -EFAULT;
        }
        break;
    default:
        break;
    }
    return guest_ok(args[3], 16) ? host_syscall(__NR_futex, args) : -EFAULT;
}

/*
 * long futex_waitv(struct futex_waitv *waiters, unsigned nr, unsigned flags, struct timespec *,
 * clockid_t)
 */
HANDLER(futex_waitv)
{
    struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } waiters[128]; /* FUTEX_WAITV_MAX */
    uint64_t with_copy[6], count = (uint32_t)args[1];

    (void)vcpu;
    memcpy(with_copy, args, sizeof(with_copy));
    if (count <= ARRAY_LEN(waiters) && args[0]) { /* else the kernel says what comes first */
        bool reads = guest_read(waiters, args[0], count * sizeof(*waiters)) == 0;

        for (uint64_t i = 0; reads && i < count; i++) {
            if (!guest_ok(waiters[i].address, sizeof(waiters->value))) {
                waiters[i].address = NOWHERE | (waiters[i].address & 7);
            }
        }
        with_copy[0] = reads ? (uint64_t)waiters : NOWHERE;
    }
    return host_syscall(__NR_futex_waitv, with_copy);
}

/* int get_mempolicy(int *mode, unsigned long *nodes, unsigned long maxnode, void *addr, int flags)
 */
HANDLER(get_mempolicy)
{
    (void)vcpu;
    return guest_ok(args[3], 1) ? host_syscall(__NR_get_mempolicy, args) : -EFAULT;
}

/* ---- protection keys: as on a CPU that has none; pkeys(7) ---- */

/* int pkey_alloc(unsigned flags, unsigned access_rights) */
HANDLER(pkey_alloc)
{
    (void)vcpu;
    (void)args;
    return -EINVAL;
}

/* int pkey_free(int pkey) */
HANDLER(pkey_free)
{
    (void)vcpu;
    (void)args;
    return -EINVAL;
}

/* int pkey_mprotect(void *addr, size_t len, int prot, int pkey): without a key it is mprotect */
HANDLER(pkey_mprotect)
{
    int64_t judged = (int)args[3] == -1 ? 1 : mm_judge_protect(args[0], args[1], args[2]);

    if (judged <= 0) {
        return judged;
    }
    return (int)args[3] == -1 ? sys_mprotect(vcpu, args) : -EINVAL;
}
