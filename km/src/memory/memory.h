// SPDX-License-Identifier: Apache-2.0
/*
 * memory.h: the payload's memory.
 */
#ifndef KM_MEMORY_H
#define KM_MEMORY_H

#include "base/base.h"
#include "machine/machine.h"

/* ---- vma.c: the list of the payload's mappings, the single truth about its memory ---- */

struct vma {
    uint64_t start, end; /* [start, end), page aligned */
    int prot;            /* PROT_READ, PROT_WRITE, PROT_EXEC as the payload asked */
    int flags;           /* of VMA_MMAP_FLAGS, VMA_GROWS, VMA_DENSE, or VMA_VDSO */
};

#define VMA_GROWS 0x01000000    /* MAP_GROWSDOWN: a touch below it makes it grow */
#define GROWS_GUARD (1UL << 20) /* what stays free below: stack_guard_gap in the kernel */

#define VMA_SPARSE (MAP_NORESERVE | MAP_STACK) /* little of it is used, or much later */
#define VMA_MMAP_FLAGS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | VMA_SPARSE)
#define VMA_VDSO 0x10000000 /* backed by vdso.c, not by the host's memory at the same address */

#define VMA_DENSE 0x40000000 /* of huge pages from the first touch on */

/* System V shared memory; with the attachment's number, so that neighbours are not merged. */
#define VMA_SHM(number) (0x20000000 | (int)(((number) & 0xffff) << 8)) /* below VMA_GROWS */

void vma_init(void);
/* The first VMA that ends after addr, or NULL; vma_next() of the last is NULL. */
struct vma *vma_find(uint64_t addr);
struct vma *vma_next(struct vma *vma);
/* Add, remove, change: existing VMAs are cut at the edges as needed. 0, or -ENOMEM. */
int vma_add(struct vma vma);
int vma_remove(uint64_t start, uint64_t end);
int vma_set_prot(uint64_t start, uint64_t end, int prot);
/* Whether VMAs cover all of [start, end). */
bool vma_covers(uint64_t start, uint64_t end);
/* The highest free range of `size` bytes, aligned, that ends at or below `top`; 0 if there is none.
 */
uint64_t vma_find_gap(uint64_t size, uint64_t align, uint64_t top);

/* ---- layout.c: where the payload's image, stack and mappings go ---- */

#define LAYOUT_STACK_MIN (128UL << 10) /* the smallest stack; so much is present at the start */

struct layout {
    uint64_t stack_top, stack_size; /* the stack is [stack_top - stack_size, stack_top) */
    uint64_t image;                 /* where a position-independent program begins */
    uint64_t mmap_top;              /* mappings go below, from there down */
    uint64_t islands;               /* ISLAND_PAGES pages for islands, in reach of all of these */
};

extern struct layout layout;

/* Choose them at random. Must be called before mm_init(). */
void layout_choose(void);

/* ---- limit.c: the payload's limits of address space and data ---- */

/* Whether it may have this as well, or, if it replaces, in the place of what is mapped there. */
bool limit_allows(const struct vma *more, bool replaces);

/* Whether it may write to [start, end) of a mapping as well. */
bool limit_allows_writing(const struct vma *vma, uint64_t start, uint64_t end);

/* ---- mm.c, mm_map.c: the payload's memory ---- */

/* Whether the payload may name [addr, addr + len) to the kernel. */
static inline bool guest_ok(uint64_t addr, uint64_t len)
{
    return addr < GUEST_TOP && len <= GUEST_TOP - addr;
}

/* ---- guest.c ---- */

/* Copy [addr, addr + len) of the payload; -EFAULT where it is not its own or not mapped. */
int64_t guest_read(void *to, uint64_t addr, uint64_t len);
int64_t guest_write(uint64_t addr, const void *from, uint64_t len);

/*
 * What an access of the monitor's own to the page is answered by: 0, or the signal and its si_code.
 * So would be one of the payload's where the host cannot give the page.
 */
int guest_probe(const void *page, bool write, int *code);

/* For the handler of signals: such an access got this one. */
void guest_note_fault(int signo, int code);

/* Write `new` where `old` stands, atomically: 0, -EAGAIN when something else stands there, -EFAULT.
 */
int64_t guest_compare_exchange(uint64_t addr, uint32_t old, uint32_t new);

/* Copy what of the payload's memory is from addr to the next multiple of GUEST_PIECE, which no end
 * of a page parts: the number of bytes, or 0 where they are not its own or not mapped. */
#define GUEST_PIECE 64UL
uint64_t guest_read_piece(char *to, uint64_t addr);

/* Copy a path of at most PATH_MAX bytes with its end: 0, -EFAULT, -ENAMETOOLONG, -ENOENT if empty.
 */
int64_t guest_read_path(char *to, uint64_t addr);

/* ---- */

/* Mappings up to these sizes are entered in the page tables before the first touch: when their
 * rights change, and those of files when they are mapped. An exit for a page fault costs as much as
 * 10,000 entries. */
#define POPULATE_MAX (1UL << 20)
#define POPULATE_FILE_MAX (16UL << 20)

void mm_init(struct vm *vm);
/* Held around every call below, and over fork(). */
void mm_lock(void);
void mm_unlock(void);
/* A number that changes whenever present memory changed its rights or went away. */
uint64_t mm_changes(void);
/* Take [addr, addr + len) out of the guest's page tables; the host's memory must change afterwards.
 */
void mm_take_out(uint64_t addr, uint64_t len);
/* As mmap(2) for the payload: an address, or -errno. fd and offset as there. */
int64_t mm_map(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset);
int64_t mm_unmap(uint64_t addr, uint64_t len);
/* As mprotect(2), and what it says before it looks at a mapping: 1 where there is more to do. */
int64_t mm_protect(uint64_t addr, uint64_t len, uint64_t asked);
int64_t mm_judge_protect(uint64_t addr, uint64_t len, uint64_t prot);
int64_t mm_remap(uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t flags,
                 uint64_t new_addr);
/* As shmat(2), for a segment of `size` bytes, and shmdt(2). */
int64_t mm_attach(int id, uint64_t addr, uint64_t size, int flags);
int64_t mm_detach(uint64_t addr);
int64_t mm_advise(uint64_t addr, uint64_t len, int advice);
/* As brk(2): the new break, or the old one. mm_set_brk() says where it starts and where it is. */
uint64_t mm_brk(uint64_t addr);
void mm_set_brk(uint64_t start, uint64_t end);
void mm_get_brk(uint64_t *start, uint64_t *end);
/* The host's rights to memory that the payload has with these. */
int mm_host_prot(int prot);
/*
 * The page fault of an access: 0 when the access can be tried again, or the signal that Linux
 * answers it with and its si_code.
 */
int mm_fault(uint64_t addr, uint64_t error, int *code);
/* The host will access it for a system call: what grows there grows, as by the program's access. */
void mm_grow(uint64_t addr);
/* Whether there is, or was, a mapping that grows. */
bool mm_map_grows(void);
/* The host cannot give KVM some page: let the next access to each fault, to see which. */
void mm_distrust(void);
/* A free place for `len` bytes, as mmap would choose it; 0 when there is none. */
uint64_t mm_find_gap(uint64_t len);
/* Make [addr, addr + len) present in the guest before it is touched. */
void mm_populate(uint64_t addr, uint64_t len);
/* So, with what is likely to be used of it, when it was just mapped with these of mmap(2). */
void mm_bring(uint64_t addr, uint64_t len, int prot, int flags);

/*
 * Change the bytes of code that the payload cannot write. They are within two pages of one VMA; no
 * thread executes there meanwhile. False when the host has no memory.
 */
bool mm_write_code(uint64_t addr, const void *bytes, uint64_t len);

/* ---- padding.c ---- */

#define PADDING_READ 32UL /* so many bytes behind `size` can be read, too */

/*
 * In code from `addr` on, where an instruction begins: where `wanted` bytes are that are never
 * executed, and that are free; from its beginning, or 0.
 */
size_t padding_find(const uint8_t *code, size_t size, uint64_t addr, size_t wanted,
                    bool (*is_free)(uint64_t addr));

/* ---- site.c: call sites that jump; with mm_lock() held ---- */

void site_init(struct vm *vm);

/* Let the site whose SYSCALL ends at `next`, and which makes the call `number`, jump. False: there
 * is no room for that, or it is not to be changed. */
bool site_make(uint64_t next, uint32_t number);

/* All sites in [from, to) are as the file has them, but for what another thread may be about to
 * execute of the padding. */
void site_put_back(uint64_t from, uint64_t to);

/* Likewise, without mm_lock(), all there are; `stopped`: no other thread is in the guest. */
void site_put_back_all(bool stopped);

/* A vCPU that was interrupted in the padding stands at the site: whether it was; without
 * mm_lock(). */
bool site_settle(struct vcpu *vcpu);

/* Their bytes went away. */
void site_forget(uint64_t from, uint64_t to);

/* The payload maps something at [from, to). */
void site_leave_islands(uint64_t from, uint64_t to);

/* ---- prefault.c ---- */

struct span {
    uint64_t start, end; /* [start, end), page aligned */
};

/*
 * [addr, addr + len) was just mapped with these of mmap(2): bring what is likely to be used. The
 * size of that, from addr on.
 */
uint64_t prefault_new(uint64_t addr, uint64_t len, int prot, int flags);

/* A thread's stack was just made of what was reserved: bring its end, which is used first. Where
 * that begins. */
uint64_t prefault_stack(uint64_t bottom, uint64_t top);

/* Whether new memory that is mapped with these will be used all over, as one that is large is. */
bool prefault_is_dense(uint64_t len, int prot, int flags);

/*
 * A page of private memory without a file is touched, which the guest does not have: bring what
 * will be touched with it. What of the mapping the guest is to have.
 */
struct span prefault_touched(const struct vma *vma, uint64_t page, bool write);

/* ---- backing.c: payload memory that the host has from a snapshot's file ---- */

/* [start, start + size) is so. */
bool backing_add(uint64_t start, uint64_t size);

/*
 * Make what of [addr, addr + len) is so ordinary memory, with its content or without. Before what
 * the host does otherwise to a file's. 0, or -errno.
 */
int64_t backing_copy(uint64_t addr, uint64_t len);
int64_t backing_forget(uint64_t addr, uint64_t len);

/* So with memory that is a snapshot's. */
void prefault_piece(uint64_t addr, uint64_t len, int prot);

/* ---- vdso.c ---- */

/* Reserve the place of the host's vDSO. The gva of its ELF image for AT_SYSINFO_EHDR, or 0. */
uint64_t vdso_create(const struct vcpu *vcpu);
/* What the monitor has of its ELF image, and the bytes; NULL where the host has none. */
const void *vdso_content(size_t *size);
/* Make what the host has of it present, at a first touch of `page`. As mm_fault(). */
int vdso_back(struct vm *vm, uint64_t page, int *code);
/*
 * The kernel found nothing at [addr, addr + len): let it find a copy of what the payload finds, if
 * that is of it. False when it is not, or there is one already.
 */
bool vdso_lend(uint64_t addr, uint64_t len);
/* Where its ELF image is, or 0. */
uint64_t vdso_image(void);
/* As pread(2) of the payload's memory by its file `mem`, where the vDSO is not. */
ssize_t vdso_pread(int mem, void *to, size_t size, uint64_t gva);
/* Give it to the new VM of a forked process. */
void vdso_restore(struct vm *vm);

/* ---- maps.c: the host's list of this process's mappings ---- */

/* One mapping of the payload, as proc_pid_smaps(5) tells. */
struct mapping {
    uint64_t start, end, offset;
    uint64_t anonymous; /* bytes that are no file's; 0 where only /proc/self/maps was read */
    char path[4096];    /* of the file, or empty */
};

struct maps {
    int fd;
    size_t length, at; /* of the text in the buffer: all, used */
    bool more;         /* `next` is a mapping whose details follow */
    struct mapping next;
    char text[16384];
};

/* Open /proc/self/`name`, maps or smaps. False, with errno set, where it cannot be read. */
bool maps_open(struct maps *maps, const char *name);
/* The next line, without its end; NULL after the last. `fd` may be any file's. */
char *maps_line(struct maps *maps);
bool maps_next(struct maps *maps, struct mapping *mapping);
void maps_close(struct maps *maps);

#define PAGES_AT_ONCE 512

/*
 * Find out which pages from `start` on are there, by /proc/self/pagemap: how many were looked at,
 * up to `end` and PAGES_AT_ONCE. Where the host does not tell, all are.
 */
size_t maps_pages(int pagemap, uint64_t start, uint64_t end, bool there[PAGES_AT_ONCE]);

#endif /* KM_MEMORY_H */
