// SPDX-License-Identifier: Apache-2.0
/*
 * km.h: what the monitor's files know of each other. A file of src/ includes this first.
 *
 * Addresses: a gva (guest virtual) of payload memory equals the hva (host virtual) of the same
 * byte. A gpa (guest physical) is handed out compactly, see memslot.c. All three are uint64_t; only
 * an address that passed guest_ok() may be given to the host kernel on the payload's behalf.
 */
#ifndef KM_H
#define KM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PAGE_SIZE 4096UL
#define HUGE_SIZE (2UL << 20)
#define ROUND_DOWN(x, to) ((x) & ~((uint64_t)(to) - 1))
#define ROUND_UP(x, to) ROUND_DOWN((x) + (uint64_t)(to) - 1, to)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * The address space. The payload gets [GUEST_BOTTOM, GUEST_TOP); the 4 GiB above it are never
 * mapped, so that a string or a structure of bounded size that starts below GUEST_TOP cannot reach
 * further. The monitor lives above: its image (linked there by the Makefile), its memory, its
 * stack.
 */
#define GUEST_BOTTOM 0x10000UL
#define GUEST_TOP 0x6fff00000000UL
#define SYSTEM_HVA 0x7d0000000000UL  /* structures that the guest's CPU reads; also their gva */
#define VMA_HVA 0x7d1000000000UL     /* the list of VMAs */
#define RUN_HVA 0x7d2000000000UL     /* kvm_run of each vCPU */
#define VCPU_HVA 0x7d4000000000UL    /* struct vcpu[] */
#define STACK_HVA 0x7d5000000000UL   /* the monitor's stack of each thread but the first */
#define EXEC_HVA 0x7d6000000000UL    /* argv and envp on the way through execve */
#define SCRATCH_HVA 0x7d3000000000UL /* copies of what the payload points to, one area a vCPU */

/* Exit statuses of the monitor's own failures; as env, chroot and docker run have them. */
enum {
    STATUS_ELSEWHERE = 124, /* a snapshot cannot go on here, but may elsewhere */
    STATUS_FAILED = 125,
    STATUS_CANNOT_RUN = 126,
    STATUS_NOT_FOUND = 127,
};

/* Options that the monitor of the next program gets too, when the payload calls execve. */
enum { CARRIED_TRACE, CARRIED_STATS, CARRIED_COREDUMP, CARRIED_COUNT };

struct options {
    const char *payload; /* as given */
    char **argv;         /* as the payload sees it, NULL at the end */
    int kvm_fd;          /* an open descriptor of /dev/kvm, or -1 */
    int keeper_fd;       /* an open socket to the keeper, or -1 */
    int report_fd;       /* an open descriptor that --trace and --stats write to, or -1 */
    int seccomp_fd;      /* an open descriptor of what seccomp_save() wrote, or -1 */
    int payload_fd;      /* an open descriptor of the payload, or -1: `payload` is its name only */
    bool search;         /* look a payload without a slash up in PATH only */
    bool inspect;        /* print what the payload is, run nothing */
    bool trace;          /* report each system call */
    const char *trace_calls; /* their names, separated by commas, or NULL: all */
    bool stats;              /* report counts and times at the end */
    bool report_shared;      /* report_fd is another process's too */
    const char *report_file; /* or NULL: standard error */
    const char *coredump;    /* the absolute path of the core to write, %p: the process, or NULL */
    const char *snapshot;    /* the absolute path of the snapshot to write, or NULL */
    bool live;               /* the program goes on after it */
    const char *gdb;         /* a port, or a socket's path, to wait for gdb at, or NULL */
    const char *gdb_session; /* the connection with gdb that the program before had, or NULL */
    const char *carried[CARRIED_COUNT]; /* words of the command line, or NULL */
};

/* One virtual machine: this process has one. */
struct vm {
    int kvm_fd;
    int vm_fd;
    size_t run_size;          /* bytes of a kvm_run mapping */
    bool hardware;            /* svm or vmx; else KVM in software (PVM), see cpu.c */
    unsigned slot_count;      /* memslots in use; the next one's number */
    uint64_t next_gpa;        /* for payload memory, see memslot.c */
    uint64_t root_gpa;        /* of the page tables: CR3 */
    struct kvm_cpuid2 *cpuid; /* what every vCPU is told */
};

/* What an exception stub's exit left: the interrupted state and why. */
struct exception {
    unsigned vector;
    uint64_t error, cr2;
};

/* One vCPU, driven by one host thread. */
struct vcpu {
    struct vm *vm;
    int fd;
    unsigned id;
    struct kvm_run *run;
    struct kvm_regs *regs;  /* run->s.regs.regs: valid after each exit, written back when dirty */
    unsigned char *scratch; /* SCRATCH_SIZE bytes for copies of guest structures */
    size_t scratch_used;
    uint8_t *stub;             /* in system memory: its code and its data, a page each */
    void *tss;                 /* in system memory: the exception stack, see cpu.c */
    void *host_thread;         /* pthread_t that drives it or did last, or NULL: the first thread */
    bool tsc_is_host;          /* RDTSC in the guest is RDTSC on the host */
    bool has_stack;            /* for a thread: thread.c */
    bool vforked;              /* the thread is the child of a vfork, in its parent's memory */
    struct vcpu *next_free;    /* in the list of vCPUs without a thread */
    uint64_t clear_tid;        /* set_tid_address(2): zeroed and woken when the thread ends */
    uint64_t robust_list;      /* set_robust_list(2) */
    unsigned host_faults;      /* how often in a row KVM_RUN failed with EFAULT */
    uint64_t mm_seen;          /* mm_changes() when the guest was entered */
    uint64_t signal_mask;      /* what the payload's thread blocks */
    uint8_t held_info[2][128]; /* siginfo of what is held: SIGSEGV's, SIGBUS's */
    bool mask_lent;            /* signal_mask is for one call only; own_mask is the thread's */
    uint64_t own_mask;
    uint64_t signals_held;    /* SIGSEGV or SIGBUS that came from outside while blocked */
    uint8_t signal_info[128]; /* siginfo of the waiting or the forced signal */
    struct exception fault;   /* of the forced signal, for its frame */
    struct {
        struct filter *filters; /* the newest, or NULL */
        unsigned mode;          /* of prctl(PR_GET_SECCOMP) */
        uint64_t synced;        /* of sys_seccomp.c */
    } seccomp;
    struct {
        uint64_t sp;
        int32_t flags, padding;
        uint64_t size;
    } altstack; /* stack_t */
};
#define SCRATCH_SIZE (256UL << 10)

extern struct options options;

/* ---- log.c: messages for the person who ran km ---- */

/*
 * Write "km: WHAT." and "To fix: FIX." to standard error and end km with `status`. In both, %m is
 * errno's text.
 */
_Noreturn void die(int status, const char *fix, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and go on. */
void complain(const char *fix, const char *what, ...) __attribute__((format(printf, 2, 3)));

#define FIX_KVM "run `kontain check`, which says what is wrong with KVM on this host"
#define FIX_REPORT "report this, with the payload and the output of `kontain check --json`"

/* ---- options.c ---- */

/* Fill `options` from the command line, or print help, version or an error and exit. */
void options_parse(char **argv);

/* `python` may be a link to km that stands for `python.km` beside it: whether, and its path. */
bool payload_beside(const char *program, char path[4096]);

/* ---- kvm.c: the VM and its vCPUs ---- */

/* musl's ioctl() takes the request as an int. */
#define kvm_ioctl(fd, request, arg) ioctl(fd, (int)(request), arg)

/* Make the VM. Must be called before anything else of KVM. Ends km when KVM refuses. */
void vm_create(struct vm *vm);

/* Give the guest [gpa, gpa + size) backed by the host's memory at hva. 0, or -errno. */
int vm_add_memslot(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t hva, uint32_t flags);

/*
 * A vCPU that no thread drives, in 64-bit mode at CPL 3: a parked one or a new one. NULL, with
 * errno set, when KVM makes no more.
 */
struct vcpu *vcpu_acquire(struct vm *vm);

#define VCPUS_MAX 4096

/* Park a vCPU whose thread ends. */
void vcpu_release(struct vcpu *vcpu);

/*
 * In the child of fork(): the VM stayed with the parent. Make one like it around the copied memory,
 * with `vcpu` as its only vCPU that has a thread; its registers are cpu_load()'s to restore.
 */
void vm_restore(struct vm *vm, struct vcpu *vcpu);

/*
 * Whether a child would find what it needs for that: address space; descriptors, free ones or those
 * of the VM that it has not, unless the limit is below them now.
 */
bool vm_can_restore(const struct vm *vm);

/* Close one that fd_hide() returned. */
void fd_close_hidden(int fd);

/*
 * The payload's limit on descriptors is not for the monitor's: raise it as far as it may be, and
 * return what it was, for fd_lower_limit(); 0 when that does not help.
 */
uint64_t fd_raise_limit(void);
void fd_lower_limit(uint64_t old);

/* Move a descriptor of the monitor out of the way of the payload's: the new number, or -1. */
int fd_hide(int fd);

/* Whether `fd` is one of the monitor's: for the payload it does not exist. */
bool fd_is_hidden(uint64_t fd);

/* The lowest of the monitor's descriptors from `fd` on, or UINT64_MAX. */
uint64_t fd_next_hidden(uint64_t fd);

/* What a guest has of XSAVE: x87 SSE AVX AVX-512; not AMX, which asks for permission, nor PKU. */
#define XFEATURES 0xe7U

/* ---- keeper.c: a service that makes VMs begin and end faster ---- */

/* Be it, at a socket of this path. */
_Noreturn void keeper_serve(const char *path);

/* Look whether there is one. Must be called before the payload can change what is at its path. */
void keeper_find(void);

/* The process ends or becomes another: let the keeper close the VM, if there is one. */
void keeper_take(const struct vm *vm);

/* ---- cpu.c: x86-64 state that the guest's CPU reads ---- */

enum {
    PORT_SYSCALL = 0x10,   /* the syscall stub */
    PORT_EXCEPTION = 0x20, /* + vector: the exception stubs */
    VECTOR_COUNT = 32,
};

/* Lay out GDT, IDT, stubs and the first page tables in system memory, and give it to the VM. */
void cpu_system_create(struct vm *vm);

/* Put a new vCPU into 64-bit mode at CPL 3. */
void cpu_init(struct vcpu *vcpu);

/*
 * Read the frame that the CPU pushed for `vector`, and put the vCPU back where it was: `regs` are
 * the payload's again, CPL 3. False when the frame is not one that the payload's execution can
 * cause.
 */
bool cpu_leave_exception(struct vcpu *vcpu, unsigned vector, struct exception *exception);

#define FLAG_TF 0x100UL /* RFLAGS: a trap after each instruction */

/*
 * Bring a vCPU that stands in the syscall stub to where the payload goes on, so that any of its
 * registers can be changed.
 */
void cpu_leave_stub(struct vcpu *vcpu);

/* All that a payload's thread has in its CPU, standing at an instruction of its own. */
struct cpu_state {
    struct kvm_regs regs;
    uint64_t fs_base, gs_base;
    struct kvm_xsave xsave;
};

/* Whether a vCPU that was interrupted is about to tell the monitor why it is in a stub. */
bool cpu_in_stub(struct vcpu *vcpu);

void cpu_save(struct vcpu *vcpu, struct cpu_state *state);
void cpu_load(struct vcpu *vcpu, const struct cpu_state *state);

/* The si_code of a floating point exception, from the unit's status words. */
int cpu_fpe_code(struct vcpu *vcpu, unsigned vector);

/* RFLAGS as a payload may have them. */
uint64_t cpu_clean_flags(uint64_t rflags);

/* Set the payload's FS or GS base. */
void cpu_set_fs_base(struct vcpu *vcpu, uint64_t base);
void cpu_set_gs_base(struct vcpu *vcpu, uint64_t base);
void cpu_get_bases(struct vcpu *vcpu, uint64_t *fs, uint64_t *gs);

/* ---- stub.c: where SYSCALL leads in the guest ---- */

/* Give a new vCPU its stub: the address for LSTAR. */
uint64_t stub_create(struct vcpu *vcpu);

/* Fill in what it answers, for the thread that calls and drives the vCPU. */
void stub_set_answers(struct vcpu *vcpu);

/* The payload's call was served: fill in again what it may have changed. */
void stub_after_call(struct vcpu *vcpu, uint64_t number);
void stub_after_fork(struct vcpu *vcpu, bool new_user_namespace);

/* Where a vCPU was interrupted in its stub, set it back to where it leaves. Whether it was. */
bool stub_settle(struct vcpu *vcpu);

/* Whether it stands where it left. */
bool stub_has_left(const struct vcpu *vcpu);

/* ---- pagetable.c: the guest's page tables ---- */

/* A page of system memory for the CPU's structures, zeroed: its hva, which is its gva too. */
void *system_page(struct vm *vm);
uint64_t system_gpa(const void *page);

enum { PT_WRITE = 2, PT_USER = 4 };
#define PT_NX (1UL << 63)

/* Give all of it to a new VM of a forked process. */
void system_restore(struct vm *vm);

/* Map [gva, gva + size) to gpa with these rights; 2 MiB pages where all three allow it. */
void pt_map(struct vm *vm, uint64_t gva, uint64_t size, uint64_t gpa, uint64_t rights);

/* Forget [gva, gva + size). Host memory must be zapped afterwards: a CPU may still know the page.
 */
void pt_unmap(struct vm *vm, uint64_t gva, uint64_t size);

/* Change the rights of what is mapped in [gva, gva + size). Host memory must be zapped afterwards.
 */
void pt_protect(struct vm *vm, uint64_t gva, uint64_t size, uint64_t rights);

/* Whether gva is mapped with all of `rights` (PT_WRITE, PT_USER); `fetch` asks for execution. */
bool pt_allows(struct vm *vm, uint64_t gva, uint64_t rights, bool fetch);

/* ---- memslot.c: which gpa backs which gva ---- */

/* A stretch of the payload's address space that one memslot backs: [start, end), from gpa on. */
struct backing {
    uint64_t start, end, gpa;
};

/*
 * Back gva by guest-physical memory, with a new memslot if need be, and describe how the part of
 * [start, end) around gva is backed. False when KVM has no slot left.
 */
bool memslot_back(struct vm *vm, uint64_t gva, uint64_t start, uint64_t end,
                  struct backing *backing);

/* Give all blocks to a new VM of a forked process. */
void memslot_restore(struct vm *vm);

/* ---- vma.c: the list of the payload's mappings, the single truth about its memory ---- */

struct vma {
    uint64_t start, end; /* [start, end), page aligned */
    int prot;            /* PROT_READ, PROT_WRITE, PROT_EXEC as the payload asked */
    int flags;           /* MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, or VMA_VDSO */
};

#define VMA_VDSO 0x10000000 /* backed by vdso.c, not by the host's memory at the same address */

/* System V shared memory; with the attachment's number, so that neighbours are not merged. */
#define VMA_SHM(number) (0x20000000 | (int)(((number) & 0xffff) << 8))

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

#define LAYOUT_BLOCK (32UL << 20)      /* what a memslot backs, at least */
#define LAYOUT_STACK_MIN (128UL << 10) /* the smallest stack; so much is present at the start */

struct layout {
    uint64_t stack_top, stack_size; /* the stack is [stack_top - stack_size, stack_top) */
    uint64_t image;                 /* where a position-independent program begins */
    uint64_t mmap_top;              /* mappings go below, from there down */
};

extern struct layout layout;

/* Choose them at random. Must be called before mm_init(). */
void layout_choose(void);

/* ---- mm.c: the payload's memory ---- */

/* Whether the payload may name [addr, addr + len) to the kernel. */
static inline bool guest_ok(uint64_t addr, uint64_t len)
{
    return addr < GUEST_TOP && len <= GUEST_TOP - addr;
}

void mm_init(struct vm *vm);
/* Held around every call below, and over fork(). */
void mm_lock(void);
void mm_unlock(void);
/* A number that changes whenever present memory changed its rights or went away. */
uint64_t mm_changes(void);
/* As mmap(2) for the payload: an address, or -errno. fd and offset as there. */
int64_t mm_map(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset);
int64_t mm_unmap(uint64_t addr, uint64_t len);
int64_t mm_protect(uint64_t addr, uint64_t len, int prot);
int64_t mm_remap(uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t new_addr);
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
 * The page fault of an access: 0 when the access can be tried again, SIGSEGV's si_code, or
 * MM_NO_FILE behind the end of a mapped file.
 */
int mm_fault(uint64_t addr, uint64_t error);
#define MM_NO_FILE (-1)
/* KVM failed on some page of a mapped file: let the next access to any of them fault, to see which.
 */
void mm_forget_files(void);
/* A free place for `len` bytes, as mmap would choose it; 0 when there is none. */
uint64_t mm_find_gap(uint64_t len);
/* Make [addr, addr + len) present in the guest before it is touched. */
void mm_populate(uint64_t addr, uint64_t len);

/* ---- prefault.c ---- */

/* [addr, addr + len) was just mapped with these of mmap(2): bring what is likely to be used. */
void prefault(uint64_t addr, uint64_t len, int prot, int flags);

/* [addr, addr + len) is about to be written first at addr: bring it when what is below is in use.
 */
void prefault_next(uint64_t addr, uint64_t len);

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
/* Make it present, at its first touch. False when KVM refuses. */
bool vdso_back(struct vm *vm);
/* Where its ELF image is, or 0. */
uint64_t vdso_image(void);
/* Where the monitor finds the byte at gva: elsewhere for the vDSO, else there. */
uint64_t vdso_hva(uint64_t gva);
/* Give it to the new VM of a forked process. */
void vdso_restore(struct vm *vm);

/* ---- process.c, thread.c, exec.c: more than one process and thread ---- */

/* Start a payload's thread with this state. Its tid, or -errno. */
int64_t thread_start(struct vcpu *parent, uint64_t flags, const struct cpu_state *state,
                     uint64_t parent_tid, uint64_t child_tid);

/* One that a snapshot has, which waits for threads_go(). Its tid of the host, or -errno. */
int64_t thread_resume(struct vcpu *first, const struct cpu_state *state, uint64_t mask,
                      struct vcpu **made);
void threads_go(void);

/* End this payload thread, by signal -status if that is below 0; the process too when it is the
 * last. */
_Noreturn void thread_end(struct vcpu *vcpu, int status);

/* In the child of fork(): this thread is the only one. */
void thread_after_fork(void);

/* Held over fork(), so that the child finds the threads' list whole. */
void thread_lock(void);
void thread_unlock(void);

/* Whether the process has more than one payload thread. */
bool thread_several(void);

/* Keep a descriptor of km's own program, for execve. */
void exec_init(void);
/* Whether `path` leads to km's own program. */
bool exec_is_monitor(const char *path);

/* pin.c: whether a descriptor that was just made is what it is called, and not another thread's. */
bool pin_is(int fd, const char *wanted);

/* ---- script.c ---- */

#define SCRIPT_DEPTH_MAX 5  /* as the kernel follows #! lines */
#define SCRIPT_LINE_MAX 256 /* BINPRM_BUF_SIZE */

/* What #! lines put before the arguments, in place of argv[0]. */
struct script {
    const char *head[2 * SCRIPT_DEPTH_MAX + 2];
    size_t count;
    size_t depth;
    char lines[SCRIPT_DEPTH_MAX][SCRIPT_LINE_MAX];
};

/*
 * When the file at `path`, open at `fd` or -1, is a script, put its interpreter, the line's
 * argument and `path` in front, and return 1. 0 when it is none, -ENOEXEC for a line without
 * interpreter, -ELOOP. Closes `fd`.
 */
int script_resolve(struct script *script, const char *path, int fd);

/* ---- elf.c, stack.c: the payload's image and what it finds on its stack ---- */

struct image {
    uint64_t entry;     /* where the payload starts: its loader's entry, or its own */
    uint64_t own_entry; /* AT_ENTRY */
    uint64_t phdr;      /* gva of the program headers */
    unsigned phdr_count;
    uint64_t loader_base; /* AT_BASE: where PT_INTERP's file was put, or 0 */
    uint64_t start, end;  /* of the image in memory; the break starts at its end */
    bool has_loader;
    bool stack_executable; /* PT_GNU_STACK */
    const char *execfn;    /* the path that was opened: AT_EXECFN */
    int snapshot_fd;       /* the open file when it is a snapshot, else -1 */
    char path[4096];       /* the same, resolved: what /proc/self/exe shows */
};

/*
 * Whether the file's mode lets this process execute it, also on a filesystem mounted noexec: that
 * keeps an image's programs from running outside a VM, not inside.
 */
bool file_may_execute(const char *path);

/* Find options.payload, and its loader if it names one, and check both. Ends km with 126 or 127. */
void image_open(struct image *to);

/* inspect.c: print what file options.payload is, and end km. */
_Noreturn void inspect_payload(void);

/* Map what image_open() found. */
void image_load(struct image *to);

/* Make the stack: argv, envp, auxv as execve(2) leaves them. Returns the stack pointer. */
uint64_t stack_create(const struct image *from, uint64_t vdso, char **argv, char **envp);

/* The auxiliary vector that stack_create() left, and its bytes. */
const void *stack_auxv(size_t *size);

/* What of the stack /proc/PID/{cmdline,environ,stat} show, see PR_SET_MM in prctl(2). */
struct stack_shown {
    uint64_t sp, arg_start, arg_end, env_end;
};

const struct stack_shown *stack_get_shown(void);

/* Show it, and this auxiliary vector, as stack_create() does. */
void stack_show(const struct stack_shown *what, const void *from, size_t size);

extern struct image image;

/* ---- cpuid.c: what the CPU can do, and what the guest's CPUID instruction answers ---- */

/* Whether the CPU itself can run VMs. Without that it is KVM in software (PVM), see cpu.c. */
bool cpuid_has_virtualization(void);

/* What every vCPU of this VM is to be told, valid for ever; `hardware` and `kvm_fd` are set. */
struct kvm_cpuid2 *cpuid_read(const struct vm *vm);

/* ---- lock.c: the monitor locks itself in ---- */

/* Let [addr, addr + size) of the monitor be mapped as it is for ever; a child of fork() too. */
void lock_memory(uint64_t addr, uint64_t size);

/* Must be called before the payload's first instruction. Ends km when the host refuses. */
void lock_in(void);

/* ---- vcpu.c: the run loop ---- */

/* Run the payload's thread on this vCPU until the process ends. */
_Noreturn void vcpu_run(struct vcpu *vcpu);

/* ---- stop.c: threads that are stopped from outside; see stop.h ---- */

/* A thread is about to drive this vCPU, made by `parent` or NULL; drives it; does so no more. */
void stop_enter(struct vcpu *vcpu, const struct vcpu *parent);
void stop_set_tid(const struct vcpu *vcpu, pid_t tid);
void stop_leave(const struct vcpu *vcpu);

/* In the child of fork(): this thread is the only one. */
void stop_after_fork(struct vcpu *vcpu);

/* The child of a vfork takes the vCPU, while its thread's state is kept in `state`; it has ended.
 */
void stop_away(const struct vcpu *vcpu, struct cpu_state *state);
void stop_back(const struct vcpu *vcpu);

/* Whether this signal is stop.c's own; whether the thread is to stop. */
bool stop_is_kick(const void *signal_info);
bool stop_is_wanted(const struct vcpu *vcpu);

/* ---- gdb.c, gdb_threads.c: --gdb ---- */

/* Wait for gdb; the thread of `vcpu`, the only one, stops before its first instruction. */
void gdb_start(struct vcpu *vcpu);

/* The word of the command line by which the next program keeps gdb, and its descriptor; or NULL. */
const char *gdb_carry(const struct vcpu *vcpu, int *fd);

/* The signal that the payload gets instead of `signo`, when gdb was asked: it may be none, 0. */
int gdb_signal(struct vcpu *vcpu, int signo, void *info);

/* An exception: true when it was gdb's, a breakpoint or a step. */
bool gdb_fault(struct vcpu *vcpu, unsigned vector);

/* Around KVM_RUN: at an instruction of the payload; about to enter; back, from the syscall stub. */
void gdb_before_guest(struct vcpu *vcpu);
void gdb_enter_guest(struct vcpu *vcpu);
void gdb_left_guest(struct vcpu *vcpu, bool in_call);

/* A thread ended; the process did, with a status or by a signal. */
void gdb_thread_ended(const struct vcpu *vcpu);
void gdb_exit(int status);
void gdb_death(int signo);

/* gdb stays with the parent. While a vfork's child has its memory, there are no breakpoints. */
void gdb_after_fork(struct vcpu *vcpu);
void gdb_before_vfork(void);
void gdb_after_vfork(void);

/* ---- coredump.c ---- */

/* Write the core that options ask for. The process must die of `signo` afterwards. */
void coredump_write(struct vcpu *vcpu, int signo);

/* ---- snapshot.c: a running program in a file, and back; snapshot.h ---- */

#define SNAPSHOT_MAGIC "\x7fkmsnap" /* 8 bytes, with its end */

/* Read and judge what image_open() found. Ends km when it cannot be resumed here. */
void snapshot_open(void);

/* Map its memory, instead of a program's, and become its process; then, locked in, its threads. */
void snapshot_resume(struct vcpu *vcpu);
void snapshot_resume_threads(struct vcpu *vcpu);

/* Whether an open(2) of the payload asks for a snapshot; what it returns then. */
bool snapshot_is_asked(uint64_t path);

/* The payload made this socketpair. */
void snapshot_note_pair(const int ends[2]);
int64_t snapshot_ask(struct vcpu *vcpu, uint64_t open_flags);

/* ---- ids.c: the numbers of processes and threads of a resumed program ---- */

/* Room for so many threads; one of them; all are known. */
bool ids_reserve(size_t threads);
void ids_add(pid_t shown, pid_t host);
void ids_complete(void);

/* Whether any is not the host's. */
bool ids_translated(void);

/* The host's number of what a call names, a group's with a minus too; the payload's number. */
uint64_t ids_to_host(uint64_t shown);
pid_t ids_shown(pid_t host);

/* The result of a call that may return one; a siginfo that may name who sent it. */
int64_t ids_of_result(uint64_t number, int64_t result);
void ids_of_info(uint8_t info[128]);

/* ---- ending.c: what is said when the payload ends ---- */

void ending_exit(const struct vcpu *vcpu, int status, bool of_process);
void ending_exec(const struct vcpu *vcpu);
void ending_death(struct vcpu *vcpu, int signo);

/* ---- fault.c: exceptions become signals ---- */

void fault_handle(struct vcpu *vcpu, const struct exception *exception);

/* ---- signal.c: signals of the payload ---- */

/* The kernel's struct sigaction, of rt_sigaction(2). */
struct action {
    uint64_t handler, flags, restorer, mask;
};

#define SIGNAL_MAX 64
#define SIGNAL_STOP (SIGNAL_MAX + 1) /* waits: not a signal, but stop.c */
#define SIGNAL_BIT(signo) (1UL << ((signo) - 1))

/* Set by the host's handler: the signal that waits to be delivered on this thread, or 0. */
extern _Thread_local int signal_waiting;

/* The vCPU that the calling thread drives. */
struct vcpu *signal_vcpu(void);

/* Must be called once, and by each further thread the other, before its vCPU runs. */
void signal_init(struct vcpu *vcpu);
void signal_init_thread(struct vcpu *vcpu, uint64_t mask);

/* All handlers become the default, as CLONE_CLEAR_SIGHAND says. */
void signal_clear_handlers(void);

/* Keep all signals from this thread while it changes what their handler looks at. */
void signal_hold(void);
void signal_release(struct vcpu *vcpu);

/* The payload's actions, all of them, to bring back after a vfork. */
void signal_actions_save(struct action to[SIGNAL_MAX + 1]);
void signal_actions_load(const struct action from[SIGNAL_MAX + 1]);

/* Deliver what waits: the payload's handler is what the vCPU runs next, or the process dies. */
void signal_deliver(struct vcpu *vcpu);

/* Whether a call that the waiting signal broke off is made again; `restarts`: as SA_RESTART says.
 */
bool signal_restarts(bool restarts);

/* A signal that the payload's own instruction caused: its handler runs next, or it dies of it. */
void signal_force(struct vcpu *vcpu, int signo, int code, uint64_t addr);

/* The same with all that its siginfo says. */
void signal_force_info(struct vcpu *vcpu, const void *forced);

/*
 * Whether a siginfo that the payload made says that an instruction caused the signal; then its
 * si_code is changed on the way through the host, and changed back at delivery.
 */
bool signal_disguise(int signo, uint8_t info[128]);

/* Whether the default action of `signo` is to die with a core. */
bool signal_dumps_core(int signo);

/* Die of `signo` as a process does that has no handler for it. */
_Noreturn void signal_die(int signo);

/* The payload's action for signo; set one, for the host too. */
const struct action *signal_action(int signo);
int64_t signal_set_action(int signo, const struct action *action);

/*
 * Make a call that blocks *mask while it waits, such as sigsuspend(2). A signal that ends it finds
 * its handler under that mask; what the thread blocks after it is as before.
 */
int64_t signal_call_under_mask(struct vcpu *vcpu, uint64_t *mask, uint64_t number,
                               const uint64_t *args);

/* Make `mask` what the payload blocks. */
void signal_set_mask(struct vcpu *vcpu, uint64_t mask);

/* Bytes of the XSAVE image of the features that a guest has here, in standard form. */
uint32_t xsave_size(uint64_t *features);

/* ---- sigframe.c: what the kernel leaves on the stack for a handler ---- */

/* Save the payload's state on its stack and enter its handler. False when the stack is not there.
 */
bool sigframe_push(struct vcpu *vcpu, const struct action *action, int signo, uint64_t old_mask);

/* Restore what sigframe_push() saved, as far as a payload may set it. False for a bad frame. */
bool sigframe_pop(struct vcpu *vcpu, uint64_t *mask);

#endif /* KM_H */
