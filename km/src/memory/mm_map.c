// SPDX-License-Identifier: Apache-2.0
/*
 * mm_map.c: the payload's memory: mmap, munmap, mremap, shmat, madvise and brk. The host's mapping
 * comes first, then the guest's page tables, and the other way round when it goes.
 */
#include "base/base.h"
#include "memory/memory.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/shm.h>

/* What mmap(2) knew before MAP_SHARED_VALIDATE: LEGACY_MAP_MASK of the kernel's linux/mman.h. */
#define FLAGS_LEGACY                                                                               \
    (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN |       \
     MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB |          \
     MAP_32BIT | (MAP_HUGE_MASK << MAP_HUGE_SHIFT))

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* since Linux 6.11 */
#endif

#define NATIVE_TOP ((1UL << 47) - PAGE_SIZE) /* TASK_SIZE of a process that is in no VM */
#define LOW_TOP (1UL << 31)                  /* of MAP_32BIT */

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static bool some_grow; /* some mapping grows, or did */

bool mm_map_grows(void)
{
    return __atomic_load_n(&some_grow, __ATOMIC_RELAXED);
}

static uint64_t brk_start, brk_end; /* brk_end: as the payload set it, not rounded */

/* Host mapping at exactly addr; what the payload had there is replaced, what is not its own never.
 */
static int64_t map_at(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
    void *p;

    if (vma_covers(addr, addr + len)) {
        flags |= MAP_FIXED;
    } else {
        int64_t error = mm_unmap(addr, len);

        if (error < 0) {
            return error;
        }
        flags |= MAP_FIXED_NOREPLACE;
    }
    mm_take_out(addr, len);
    if (prot & PROT_EXEC && !(prot & PROT_WRITE) &&
        (flags & (MAP_PRIVATE | MAP_ANONYMOUS)) == MAP_PRIVATE) {
        flags |= MAP_NORESERVE; /* the host's mapping stays one when site.c has written to it */
    }
    p = mmap((void *)addr, len, mm_host_prot(prot), flags, fd, (off_t)offset);
    if (p == MAP_FAILED) {
        return -errno;
    }
    if (p != (void *)addr) { /* before Linux 4.17 the flag is only a hint */
        (void)munmap(p, len);
        return -EEXIST;
    }
    return 0;
}

uint64_t mm_find_gap(uint64_t len)
{
    return vma_find_gap(len, PAGE_SIZE, layout.mmap_top);
}

/* Try free ranges from the top down: the host may have something of its own in one. */
static int64_t map_anywhere(uint64_t *addr, uint64_t len, int prot, int flags, int fd,
                            uint64_t offset)
{
    uint64_t align = len >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE;
    uint64_t top = flags & MAP_32BIT ? LOW_TOP : layout.mmap_top;
    int64_t error;

    do {
        *addr = vma_find_gap(len, align, top);
        if (!*addr) {
            return -ENOMEM;
        }
        top = *addr;
        error = map_at(*addr, len, prot, flags & ~MAP_32BIT, fd, offset);
    } while (error == -EEXIST);
    return error;
}

static bool gap_at(uint64_t addr, uint64_t len)
{
    const struct vma *next = vma_find(addr);

    return addr >= GUEST_BOTTOM && guest_ok(addr, len) && (!next || next->start >= addr + len);
}

/* Make of the ways to share a mapping one of three. False where there is none such. */
static bool judge_type(int *flags)
{
    int type = *flags & MAP_TYPE;

    if (*flags & MAP_ANONYMOUS) {
        return type == MAP_SHARED || type == MAP_PRIVATE || type == MAP_DROPPABLE;
    }
    if (type == MAP_SHARED_VALIDATE && !(*flags & ~FLAGS_LEGACY)) {
        *flags = (*flags & ~MAP_TYPE) | MAP_SHARED;
        type = MAP_SHARED;
    }
    return type == MAP_SHARED || type == MAP_PRIVATE;
}

/* What the kernel says of a mapping's arguments, in its order: 0 where one can be. */
static int64_t judge_map(uint64_t addr, uint64_t len, int *flags, int fd, uint64_t offset)
{
    int exact = *flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    void *p;

    if (!len) {
        return -EINVAL;
    }
    if (len > GUEST_TOP || (exact && addr > NATIVE_TOP - ROUND_UP(len, PAGE_SIZE))) {
        return -ENOMEM;
    }
    if (exact && addr % PAGE_SIZE) {
        return -EINVAL;
    }
    if (*flags & MAP_ANONYMOUS && *flags & MAP_HUGETLB && offset % HUGE_SIZE) {
        return -EINVAL;
    }
    if (judge_type(flags)) {
        return 0;
    }
    if (*flags & MAP_ANONYMOUS) {
        return -EINVAL;
    }
    p = mmap(NULL, len, PROT_NONE, *flags & ~exact, fd, (off_t)offset); /* of no type that is */
    if (p != MAP_FAILED) {
        (void)munmap(p, len);
    }
    return p == MAP_FAILED ? -errno : -EINVAL;
}

/* Whether a mapping can be where it is wished, but need not be. */
static bool may_be_at(uint64_t addr, uint64_t len, int flags)
{
    return addr && gap_at(addr, len) && !(flags & MAP_HUGETLB && addr % HUGE_SIZE) &&
           !(flags & MAP_32BIT && addr + len > LOW_TOP);
}

/* Whether the payload's limits leave room for what judge_map() has found to be right. */
static bool has_room(uint64_t addr, uint64_t len, int prot, int flags)
{
    uint64_t start = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ? addr : 0;
    struct vma more = {
        .start = start, .end = start + ROUND_UP(len, PAGE_SIZE), .prot = prot, .flags = flags};

    return limit_allows(&more, flags & MAP_FIXED);
}

int64_t mm_map(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
    int exact = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    bool dense = prefault_is_dense(len, prot, flags);
    int kind = dense ? VMA_DENSE : 0;
    int64_t error;

    error = judge_map(addr, len, &flags, fd, offset);
    if (error < 0 || !has_room(addr, len, prot, flags)) {
        return error < 0 ? error : -ENOMEM;
    }
    len = ROUND_UP(len, flags & MAP_HUGETLB && flags & MAP_ANONYMOUS ? HUGE_SIZE : PAGE_SIZE);
    error = -EEXIST;
    if (flags & MAP_GROWSDOWN && flags & MAP_ANONYMOUS && flags & MAP_PRIVATE) {
        kind = VMA_GROWS;
        __atomic_store_n(&some_grow, true, __ATOMIC_RELAXED);
    }
    flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN);
    if (exact) {
        if (!guest_ok(addr, len)) {
            return -ENOMEM;
        }
        if (addr < GUEST_BOTTOM) {
            return -EPERM;
        }
        if (exact & MAP_FIXED_NOREPLACE && !gap_at(addr, len)) {
            return -EEXIST;
        }
        error = map_at(addr, len, prot, flags, fd, offset);
    } else {
        addr = ROUND_DOWN(addr, PAGE_SIZE);
        if (may_be_at(addr, len, flags)) {
            error = map_at(addr, len, prot, flags & ~MAP_32BIT, fd, offset);
        }
        if (error == -EEXIST) {
            error = map_anywhere(&addr, len, prot, flags, fd, offset);
        }
    }
    if (error < 0) {
        return error;
    }
    if ((flags & MAP_TYPE) == MAP_DROPPABLE) { /* the host knows what may become of it */
        flags = (flags & ~MAP_TYPE) | MAP_PRIVATE;
    }
    (void)vma_remove(addr, addr + len);
    error = vma_add((struct vma){.start = addr,
                                 .end = addr + len,
                                 .prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC),
                                 .flags = (flags & VMA_MMAP_FLAGS) | kind});
    if (error < 0) {
        (void)munmap((void *)addr, len);
        return error;
    }
    if (dense) {
        (void)madvise((void *)addr, len, MADV_HUGEPAGE);
    } else {
        mm_bring(addr, len, prot, flags | (exact & MAP_FIXED));
    }
    return (int64_t)addr;
}

int64_t mm_unmap(uint64_t addr, uint64_t len)
{
    uint64_t end;

    if (addr % PAGE_SIZE || !len || !guest_ok(addr, len)) {
        return -EINVAL;
    }
    end = addr + ROUND_UP(len, PAGE_SIZE);
    if (!vma_find(addr) || vma_find(addr)->start >= end) {
        return 0;
    }
    mm_take_out(addr, end - addr);
    for (struct vma *vma = vma_find(addr), *next; vma && vma->start < end; vma = next) {
        uint64_t from = vma->start > addr ? vma->start : addr;
        uint64_t to = vma->end;

        for (next = vma_next(vma); next && next->start == to; next = vma_next(next)) {
            to =
                next->end; /* KVM forgets all of it at one time; between others may be the host's */
        }
        if (munmap((void *)from, (to < end ? to : end) - from) < 0) {
            return -errno;
        }
    }
    return vma_remove(addr, end);
}

/* ---- mremap ---- */

static int64_t move_vma(struct vma vma, uint64_t old, uint64_t old_len, uint64_t len, int flags,
                        uint64_t addr)
{
    bool keep = flags & MREMAP_DONTUNMAP;
    void *p;

    if (flags & MREMAP_FIXED) {
        int64_t error = mm_unmap(addr, len);

        if (error < 0) {
            return error;
        }
    } else if (!keep || !may_be_at(addr, len, 0)) {
        addr = vma_find_gap(len, len >= HUGE_SIZE ? HUGE_SIZE : PAGE_SIZE, layout.mmap_top);
        if (!addr) {
            return -ENOMEM;
        }
    }
    p = mmap((void *)addr, len, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != (void *)addr) { /* the host's own */
        return -ENOMEM;
    }
    mm_take_out(addr, len);
    mm_take_out(old, old_len);
    p = mremap((void *)old, old_len, len,
               MREMAP_MAYMOVE | MREMAP_FIXED | (keep ? MREMAP_DONTUNMAP : 0), (void *)addr);
    if (p == MAP_FAILED) {
        int64_t error = -errno;

        (void)munmap((void *)addr, len);
        return error;
    }
    if (!keep && old_len) {
        (void)vma_remove(old, old + old_len);
    }
    vma.start = addr;
    vma.end = addr + len;
    return vma_add(vma) < 0 ? -ENOMEM : (int64_t)addr;
}

/* What the kernel says of the arguments before it looks at the mapping; check_mremap_params(). */
static bool may_remap(uint64_t old, uint64_t old_len, uint64_t len, uint64_t flags, uint64_t addr)
{
    if (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || old % PAGE_SIZE ||
        !len || len > NATIVE_TOP) {
        return false;
    }
    return !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) ||
           (addr <= NATIVE_TOP - len && !(addr % PAGE_SIZE) && flags & MREMAP_MAYMOVE &&
            !(flags & MREMAP_DONTUNMAP && len != old_len) &&
            (addr >= old + old_len || old >= addr + len));
}

/* A mapping that is to be longer where it is, or elsewhere. */
static int64_t widen(const struct vma *vma, uint64_t old, uint64_t old_len, uint64_t len, int flags)
{
    struct vma wider = *vma;

    if (old + old_len == vma->end && gap_at(vma->end, len - old_len)) {
        site_leave_islands(vma->end, old + len);
    }
    if (old + old_len == vma->end && gap_at(vma->end, len - old_len) &&
        mremap((void *)old, old_len, len, 0) != MAP_FAILED) {
        wider.start = vma->end;
        wider.end = old + len;
        return vma_add(wider) < 0 ? -ENOMEM : (int64_t)old;
    }
    return flags & MREMAP_MAYMOVE ? move_vma(wider, old, old_len, len, 0, 0) : -ENOMEM;
}

/* Where the new mapping shall be, if that is said. */
static int64_t judge_place(uint64_t addr, uint64_t len, int flags)
{
    if (!(flags & MREMAP_FIXED)) {
        return 0;
    }
    return addr < GUEST_BOTTOM ? -EPERM : guest_ok(addr, len) ? 0 : -ENOMEM;
}

int64_t mm_remap(uint64_t old, uint64_t old_len, uint64_t len, uint64_t flags, uint64_t addr)
{
    bool moves = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP), shrinks;
    const struct vma *found = old < GUEST_TOP ? vma_find(old) : NULL;
    struct vma vma, more = {.start = 0};
    int64_t error;

    len = ROUND_UP(len, PAGE_SIZE);
    old_len = ROUND_UP(old_len, PAGE_SIZE);
    shrinks = old_len > len;
    if (!may_remap(old, old_len, len, flags, addr)) {
        return -EINVAL;
    }
    if (!found || old < found->start || found->flags & VMA_VDSO) {
        return -EFAULT;
    }
    vma = *found;
    if (!moves && old_len >= len) {
        error = shrinks ? mm_unmap(old + len, old_len - len) : 0;
        return error < 0 ? error : (int64_t)old;
    }
    if (!old_len && !(vma.flags & MAP_SHARED)) { /* else it is mapped a second time */
        return -EINVAL;
    }
    if ((shrinks ? len : old_len) > vma.end - old) {
        return -EFAULT;
    }
    error = judge_place(addr, len, (int)flags);
    if (!error && shrinks) {
        error = mm_unmap(old + len, old_len - len);
        old_len = len;
    }
    if (error < 0) {
        return error;
    }
    more.end = flags & MREMAP_DONTUNMAP ? len : len - old_len;
    more.prot = vma.prot;
    more.flags = vma.flags;
    if (!limit_allows(&more, false) || backing_copy(old, old_len) < 0) {
        return -ENOMEM;
    }
    site_put_back(old, old + old_len);
    return moves ? move_vma(vma, old, old_len, len, (int)flags, addr)
                 : widen(&vma, old, old_len, len, (int)flags);
}

/* ---- shmat ---- */

int64_t mm_attach(int id, uint64_t addr, uint64_t size, int flags)
{
    static unsigned number;
    uint64_t len = ROUND_UP(size, PAGE_SIZE);
    void *p;

    if (addr && flags & SHM_RND) {
        addr = ROUND_DOWN(addr, PAGE_SIZE);
    }
    if (addr % PAGE_SIZE || (flags & SHM_REMAP && !addr)) {
        return -EINVAL;
    }
    if (!addr) {
        addr = vma_find_gap(len, PAGE_SIZE, layout.mmap_top);
    } else if (!gap_at(addr, len) && (!(flags & SHM_REMAP) || !vma_covers(addr, addr + len))) {
        return -EINVAL;
    }
    if (!addr || !limit_allows(&(struct vma){.end = len, .flags = MAP_SHARED}, false)) {
        return -ENOMEM;
    }
    if (flags & SHM_REMAP && mm_unmap(addr, len) < 0) {
        return -EINVAL;
    }
    mm_take_out(addr, len);
    p = shmat(id, (void *)addr, flags & ~(SHM_EXEC | SHM_REMAP)); /* into a free place only */
    if (p == (void *)-1) {
        return -errno;
    }
    (void)vma_remove(addr, addr + len);
    return vma_add((struct vma){.start = addr,
                                .end = addr + len,
                                .prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
                                        (flags & SHM_EXEC ? PROT_EXEC : 0),
                                .flags = MAP_SHARED | VMA_SHM(number++)}) < 0
               ? -ENOMEM
               : (int64_t)addr;
}

int64_t mm_detach(uint64_t addr)
{
    const struct vma *vma = addr < GUEST_TOP ? vma_find(addr) : NULL;
    uint64_t end;
    int flags;

    if (!vma || vma->start != addr || !(vma->flags & VMA_SHM(0))) {
        return -EINVAL;
    }
    for (flags = vma->flags, end = addr; vma && vma->start == end && vma->flags == flags;
         vma = vma_next((struct vma *)vma)) { /* what mprotect(2) cut is one attachment still */
        end = vma->end;
    }
    mm_take_out(addr, end - addr);
    if (shmdt((void *)addr) < 0) {
        return -errno;
    }
    return vma_remove(addr, end);
}

/* ---- madvise, brk ---- */

int64_t mm_advise(uint64_t addr, uint64_t len, int advice)
{
    uint64_t size = ROUND_UP(len, PAGE_SIZE);

    if (addr % PAGE_SIZE || size < len || addr + size < addr) {
        return -EINVAL;
    }
    if (!size || !guest_ok(addr, size) || advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE) {
        if (madvise(NULL, 0, advice) < 0) {
            return -errno;
        }
        return !size ? 0 : guest_ok(addr, size) ? -EPERM : -ENOMEM;
    }
    if (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED) {
        site_put_back(addr, addr + len);
    }
    if ((advice == MADV_DONTNEED || advice == MADV_FREE) && !(addr % PAGE_SIZE) &&
        backing_forget(addr, ROUND_UP(len, PAGE_SIZE)) < 0) {
        return -ENOMEM;
    }
    return madvise((void *)addr, len, advice) < 0 ? -errno : 0;
}

void mm_set_brk(uint64_t start, uint64_t end)
{
    brk_start = start;
    brk_end = end;
}

void mm_get_brk(uint64_t *start, uint64_t *end)
{
    *start = brk_start;
    *end = brk_end;
}

uint64_t mm_brk(uint64_t addr)
{
    uint64_t now = ROUND_UP(brk_end, PAGE_SIZE), wanted = ROUND_UP(addr, PAGE_SIZE);

    if (addr < brk_start || addr >= GUEST_TOP) {
        return brk_end;
    }
    if (wanted > now) {
        if (!gap_at(now, wanted - now) ||
            mm_map(now, wanted - now, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) < 0) {
            return brk_end;
        }
    } else if (wanted < now && mm_unmap(wanted, now - wanted) < 0) {
        return brk_end;
    }
    brk_end = addr;
    return brk_end;
}
