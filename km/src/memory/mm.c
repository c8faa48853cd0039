// SPDX-License-Identifier: Apache-2.0
/*
 * mm.c: the payload's memory: the guest's part of it, page faults, and mprotect.
 *
 * A VMA is the kernel's promise to the payload; the host's mapping at the same address holds the
 * bytes; the guest's page tables follow lazily. The host is never asked for PROT_EXEC: execution is
 * the guest's, so that payload files work from a filesystem mounted noexec.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FILE_WINDOW (16UL << 20) /* 32 KiB of page tables */
#define PROT_SEM 8               /* asm-generic/mman-common.h */

static struct vm *vm;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t changes;

void mm_init(struct vm *the_vm)
{
    vm = the_vm;
    vma_init();
    site_init(the_vm);
}

void mm_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void mm_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

uint64_t mm_changes(void)
{
    return __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
}

static void changed(void)
{
    __atomic_fetch_add(&changes, 1, __ATOMIC_RELEASE);
}

void mm_take_out(uint64_t addr, uint64_t len)
{
    changed();
    site_leave_islands(addr, addr + len);
    site_forget(addr, addr + len);
    pt_unmap(vm, addr, len);
}

/* x86 pages that can be written or executed can be read. */
int mm_host_prot(int prot)
{
    return prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? PROT_READ | (prot & PROT_WRITE)
                                                       : PROT_NONE;
}

static uint64_t guest_rights(int prot)
{
    return PT_USER | (prot & PROT_WRITE ? PT_WRITE : 0) | (prot & PROT_EXEC ? 0 : PT_NX);
}

/*
 * Enter the part of [start, end) that one memslot around gva backs into the page tables. Returns
 * where that part ends, or 0 when there is no slot left.
 */
static uint64_t map_block(const struct vma *vma, uint64_t gva, uint64_t start, uint64_t end)
{
    struct backing part;

    if (!memslot_back(vm, gva, vma->end - vma->start, &part)) {
        return 0;
    }
    start = start > part.start ? start : part.start;
    end = end < part.end ? end : part.end;
    pt_map(vm, start, end - start, part.gpa + (start - part.start), guest_rights(vma->prot));
    return end;
}

/* Private memory without a file: the host makes each page when it is touched. */
static bool is_new(int flags)
{
    return (flags & (MAP_ANONYMOUS | MAP_PRIVATE)) == (MAP_ANONYMOUS | MAP_PRIVATE);
}

void mm_populate(uint64_t addr, uint64_t len)
{
    uint64_t end = addr + len;

    for (struct vma *vma = vma_find(addr); vma && vma->start < end; vma = vma_next(vma)) {
        uint64_t gva = vma->start > addr ? vma->start : addr;
        uint64_t stop = vma->end < end ? vma->end : end;

        while (mm_host_prot(vma->prot) && !(vma->flags & VMA_VDSO) && gva && gva < stop) {
            gva = map_block(vma, gva, gva, stop); /* without a slot, a touch will tell */
        }
    }
}

void mm_bring(uint64_t addr, uint64_t len, int prot, int flags)
{
    uint64_t brought = prefault_new(addr, len, prot, flags);

    if (flags & MAP_POPULATE || (len <= POPULATE_FILE_MAX && !is_new(flags))) {
        brought = len;
    }
    mm_populate(addr, brought);
}

/* ---- page faults ---- */

/*
 * Make KVM forget what it knows of pages whose rights in the page tables changed, where no change
 * of the host's rights does it by itself. Nothing of their content is lost. The host gets more
 * rights for a moment, or where it refuses that, fewer: then what another thread does there is
 * tried again.
 */
static void zap(uint64_t start, uint64_t size, int prot)
{
    int host = mm_host_prot(prot);
    int more = host & PROT_WRITE ? host | PROT_EXEC : host | PROT_WRITE;

    changed();
    if (mprotect((void *)start, size, more) < 0) {
        (void)mprotect((void *)start, size, PROT_NONE);
    }
    (void)mprotect((void *)start, size, host);
}

#define DOUBTS 512
static unsigned
    doubts; /* so many faults are looked at page by page, since the host has none for one */

/* Enter what is around a page into the page tables: of a large file, some of it. */
static bool fault_in(const struct vma *vma, uint64_t page, bool write)
{
    struct span around = {ROUND_DOWN(page, FILE_WINDOW),
                          ROUND_DOWN(page, FILE_WINDOW) + FILE_WINDOW};

    if (doubts) {
        doubts--;
        return map_block(vma, page, page, page + PAGE_SIZE);
    }
    if (is_new(vma->flags)) {
        around = prefault_touched(vma, page, write);
    }
    return map_block(vma, page, around.start > vma->start ? around.start : vma->start,
                     around.end < vma->end ? around.end : vma->end);
}

/*
 * The page is below a mapping that grows: let it grow down to there, where expand_downwards() in
 * the kernel does. The mapping that has the page, or NULL.
 */
static struct vma *grow(const struct vma *vma, uint64_t page)
{
    const struct vma *below = vma_find(page > GROWS_GUARD ? page - GROWS_GUARD : 0);
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) < 0 || vma->end - page > limit.rlim_cur ||
        (below->start < vma->start && below->prot && !(below->flags & VMA_GROWS)) ||
        mm_map(page, vma->start - page, vma->prot,
               (vma->flags & VMA_MMAP_FLAGS) | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0) < 0) {
        return NULL;
    }
    return vma_find(page);
}

void mm_grow(uint64_t addr)
{
    const struct vma *vma;

    mm_lock();
    vma = addr < GUEST_TOP ? vma_find(addr) : NULL;
    if (vma && addr < vma->start && vma->flags & VMA_GROWS) {
        (void)grow(vma, ROUND_DOWN(addr, PAGE_SIZE));
    }
    mm_unlock();
}

int mm_fault(uint64_t addr, uint64_t error, int *code)
{
    bool write = error & 2, fetch = error & 16, entered;
    struct vma *vma = addr < GUEST_TOP ? vma_find(addr) : NULL;
    int wanted = write ? PROT_WRITE : fetch ? PROT_EXEC : PROT_READ | PROT_WRITE | PROT_EXEC;
    uint64_t page = ROUND_DOWN(addr, PAGE_SIZE);

    *code = SEGV_MAPERR;
    if (vma && addr < vma->start && vma->flags & VMA_GROWS) {
        vma = grow(vma, page);
    }
    if (!vma || addr < vma->start) {
        return SIGSEGV;
    }
    if (!(vma->prot & wanted)) {
        /* Linux brings a page before it finds that it is not to be executed */
        int signo = fetch && vma->prot ? guest_probe((const void *)page, false, code) : 0;

        *code = signo ? *code : SEGV_ACCERR;
        return signo ? signo : SIGSEGV;
    }
    if (vma->flags & VMA_VDSO) {
        return vdso_back(vm, page, code);
    }
    entered = pt_allows(vm, page, PT_USER | (write ? PT_WRITE : 0), fetch);
    if (entered || doubts || !(vma->flags & MAP_ANONYMOUS)) {
        int signo = guest_probe((const void *)page, write, code);

        if (signo) {
            doubts = 0;
            return signo;
        }
        *code = SEGV_MAPERR;
    }
    if (entered) {
        zap(page, PAGE_SIZE, vma->prot);
        return 0;
    }
    return fault_in(vma, page, write) ? 0 : SIGSEGV;
}

/* What KVM knows of the page is nothing: so no host memory has to be zapped, see pagetable.c. */
void mm_distrust(void)
{
    doubts = DOUBTS;
    for (struct vma *vma = vma_find(0); vma; vma = vma_next(vma)) {
        pt_unmap(vm, vma->start, vma->end - vma->start);
    }
}

/* ---- code ---- */

bool mm_write_code(uint64_t addr, const void *bytes, uint64_t len)
{
    uint64_t start = ROUND_DOWN(addr, PAGE_SIZE), size = ROUND_UP(addr + len, PAGE_SIZE) - start;
    const struct vma *vma = vma_find(addr);
    bool written;

    changed();
    pt_unmap(vm, start, size);
    written = mprotect((void *)start, size, PROT_READ | PROT_WRITE) == 0 &&
              guest_write(addr, bytes, len) == 0;
    (void)mprotect((void *)start, size, mm_host_prot(vma->prot));
    mm_populate(start, size);
    return written;
}

/* ---- mprotect ---- */

/*
 * Of what was reserved before, little is used at first: of all but the lowest pages, the guard of a
 * thread's stack, and of the first piece of a heap, which has no memory in use below.
 */
static bool is_sparse(const struct vma *vma, uint64_t from, uint64_t to)
{
    const struct vma *below = vma_find(vma->start - 1);

    if (from > vma->start) {
        return to == vma->end;
    }
    return to < vma->end && (below == vma || !(below->prot & PROT_WRITE));
}

static int64_t protect_vma(const struct vma *vma, uint64_t from, uint64_t to, int prot)
{
    uint64_t size = to - from;
    int before = mm_host_prot(vma->prot), after = mm_host_prot(prot);

    changed();
    pt_protect(vm, from, size, guest_rights(prot));
    if (after == PROT_NONE) {
        pt_unmap(vm, from, size);
    }
    if (before != after && mprotect((void *)from, size, after) < 0) {
        int64_t error = -errno;

        pt_protect(vm, from, size, guest_rights(vma->prot));
        return error;
    }
    if (before == after && vma->prot & PROT_EXEC && !(prot & PROT_EXEC)) {
        zap(from, size, prot);
    }
    return 0;
}

#define GROWTH ((uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP))

int64_t mm_judge_protect(uint64_t addr, uint64_t len, uint64_t prot)
{
    static const uint64_t known = GROWTH | PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM;

    if ((prot & GROWTH) == GROWTH || addr % PAGE_SIZE) {
        return -EINVAL;
    }
    if (!len) {
        return 0;
    }
    if (addr + ROUND_UP(len, PAGE_SIZE) <= addr) {
        return -ENOMEM;
    }
    return prot & ~known ? -EINVAL : 1;
}

/* Let *addr be where the rights of a mapping change; 0 or -errno. What grows down is changed from
 * its start on, if that is wished; nothing grows up. */
static int64_t begin_protect(uint64_t *addr, uint64_t end, uint64_t prot)
{
    const struct vma *vma = *addr < GUEST_TOP ? vma_find(*addr) : NULL;

    if (!vma || vma->start >= end || (vma->start > *addr && !(prot & PROT_GROWSDOWN))) {
        return -ENOMEM;
    }
    if (prot & PROT_GROWSDOWN) {
        *addr = vma->start;
    }
    if (prot & GROWTH && !(prot & PROT_GROWSDOWN &&
                           (vma->flags & VMA_GROWS ||
                            (vma->start < layout.stack_top && layout.stack_top <= vma->end)))) {
        return -EINVAL;
    }
    return guest_ok(*addr, end - *addr) && vma_covers(*addr, end) ? 0 : -ENOMEM;
}

int64_t mm_protect(uint64_t addr, uint64_t len, uint64_t asked)
{
    uint64_t end = addr + ROUND_UP(len, PAGE_SIZE);
    int prot = (int)asked & (PROT_READ | PROT_WRITE | PROT_EXEC); /* PROT_SEM: of any memory */
    bool was_reserved, is_stack; /* of the first mapping, as programs do it */
    struct vma first;
    int64_t error = mm_judge_protect(addr, len, asked);
    int flags;

    if (error <= 0) {
        return error;
    }
    error = begin_protect(&addr, end, asked);
    if (error < 0) {
        return error;
    }
    len = end - addr;
    first = *vma_find(addr);
    first.end = first.end < end ? first.end : end;
    flags = first.flags & ~MAP_NORESERVE;
    flags |= is_sparse(vma_find(addr), addr, first.end) ? MAP_STACK : 0;
    was_reserved = is_new(flags) && mm_host_prot(first.prot) == PROT_NONE;
    is_stack = was_reserved && prot & PROT_WRITE && addr > vma_find(addr)->start &&
               first.end == vma_find(addr)->end;
    if (prot & PROT_WRITE) {
        site_put_back(addr, end);
    }
    for (struct vma *vma = vma_find(addr); vma && vma->start < end; vma = vma_next(vma)) {
        uint64_t from = vma->start > addr ? vma->start : addr, to = vma->end < end ? vma->end : end;

        error = prot & PROT_WRITE && !limit_allows_writing(vma, from, to)
                    ? -ENOMEM
                    : protect_vma(vma, from, to, prot);
        if (error < 0) {
            return error;
        }
    }
    error = vma_set_prot(addr, end, prot);
    if (!error && was_reserved) {
        mm_bring(addr, first.end - addr, prot, flags);
        if (is_stack) { /* the thread that makes it writes to its end at once */
            addr = prefault_stack(addr, first.end);
            mm_populate(addr, first.end - addr);
        }
    } else if (!error && len <= POPULATE_MAX) {
        mm_populate(addr, len);
    }
    return error;
}
