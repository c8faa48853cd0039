// SPDX-License-Identifier: Apache-2.0
/*
 * machine.h: the virtual machine, its vCPUs, and what their CPUs read.
 */
#ifndef KM_MACHINE_H
#define KM_MACHINE_H

#include "base/base.h"

/* One virtual machine: this process has one. */
struct vm {
    int kvm_fd;
    int vm_fd;
    size_t run_size;          /* bytes of a kvm_run mapping */
    bool shares_registers;    /* in kvm_run, since Linux 4.17; else calls pass them */
    uint64_t shared_at_exit;  /* those that each exit leaves there */
    bool has_run;             /* one of its vCPUs, for no instruction at least */
    bool hardware;            /* svm or vmx; else KVM in software (PVM), see cpu.c */
    unsigned slot_count;      /* memslots in use; the next one's number */
    uint64_t next_gpa;        /* for payload memory, see memslot.c */
    uint64_t gpa_end;         /* no page table can name an address from here on */
    uint64_t root_gpa;        /* of the page tables: CR3 of most vCPUs */
    struct kvm_cpuid2 *cpuid; /* what every vCPU is told */
};

/* What an exception stub's exit left: the interrupted state and why. */
struct exception {
    unsigned vector;
    uint64_t error, cr2;
};

/* stack_t of sigaltstack(2). */
struct altstack {
    uint64_t sp;
    uint32_t flags, padding;
    uint64_t size;
};

/* One vCPU, driven by one host thread. Each room has members of its own here. */
struct vcpu {
    /* ---- machine ---- */

    struct vm *vm;
    int fd;
    unsigned id;
    struct kvm_run *run;
    struct kvm_regs *regs;  /* run->s.regs.regs: valid after each exit, written back when dirty */
    uint64_t root_gpa;      /* of the page tables: CR3 */
    uint8_t *stub;          /* in system memory: its code and its data, a page each */
    void *tss;              /* in system memory: the exception stack, see cpu.c */
    bool tsc_is_host;       /* RDTSC in the guest is RDTSC on the host */
    bool tsc_forbidden;     /* RDTSC is a fault: prctl(PR_SET_TSC) */
    uint32_t shown_number;  /* of the host's CPU: what the guest's instructions say */
    bool poisoned;          /* KVM has found memory that the hardware has lost */
    struct vcpu *next_free; /* in the list of vCPUs without a thread */

    /* ---- memory ---- */

    unsigned host_faults; /* how often in a row KVM_RUN failed with EFAULT, at these registers */
    struct kvm_regs host_fault_regs;
    uint64_t mm_seen; /* mm_changes() when the guest was entered */

    /* ---- task ---- */

    void *host_thread;    /* pthread_t that drives it or did last, or NULL: the first thread */
    bool has_stack;       /* for a thread: thread.c */
    bool vforked;         /* the thread is the child of a vfork, in its parent's memory */
    bool children_apart;  /* they are to be in another PID namespace than the thread */
    uint64_t clear_tid;   /* set_tid_address(2): zeroed and woken when the thread ends */
    uint64_t robust_list; /* set_robust_list(2) */
    uint64_t robust_next; /* that the guest may name in place of it, or 0: robust.c */
    uint64_t signal_mask; /* what the payload's thread blocks */
    bool mask_lent;       /* signal_mask is for one call only; own_mask is the thread's */
    bool mask_in_guest;   /* the guest runs, and may change the mask in its stub's data */
    bool mask_was_lent;   /* the guest could, when it was last entered: else it has come there by
                             itself, and its filters say whether it may */
    bool mask_is_asked;   /* the next such call leaves */
    bool holds_back;      /* KVM has been told of held_back */
    uint64_t held_back;   /* signals that do not end KVM_RUN; all of these are in signal_mask */
    uint64_t own_mask;
    uint64_t signals_held;     /* SIGSEGV or SIGBUS that came from outside while blocked */
    uint64_t signals_wanted;   /* what the thread waits for in sigtimedwait(2) */
    uint64_t signals_lent;     /* of those what the host has for a call: held.c */
    uint8_t held_info[2][128]; /* siginfo of what is held: SIGSEGV's, SIGBUS's */
    uint8_t signal_info[128];  /* siginfo of the waiting or the forced signal */
    struct exception fault;    /* of the forced signal, for its frame */
    struct altstack altstack;

    /* ---- calls ---- */

    unsigned char *scratch; /* SCRATCH_SIZE bytes for copies of guest structures */
    size_t scratch_used;
    int pin; /* pin.c: a hidden descriptor, or 0 */
    struct {
        struct filter *filters; /* the newest, or NULL */
        unsigned mode;          /* of prctl(PR_GET_SECCOMP) */
        uint64_t synced;        /* of sys_seccomp.c */
    } seccomp;
};
#define SCRATCH_SIZE (256UL << 10)

/* Whether its thread has put no filter on its own calls. */
static inline bool seccomp_is_off(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->seccomp.mode, __ATOMIC_SEQ_CST) == 0;
}

#define LAYOUT_BLOCK (32UL << 20) /* what a memslot backs, at least */

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

#define VCPUS_MAX FD_CHANGERS

/* Park a vCPU whose thread ends. */
void vcpu_release(struct vcpu *vcpu);

/* Let KVM hold back these signals while the guest runs; NULL: those that the host's thread blocks.
 */
bool vcpu_hold_back(const struct vcpu *vcpu, const uint64_t *mask);

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

/*
 * Whether a VM that this thread makes can run. KVM starts a thread for each, since Linux 6.11,
 * which the kernel refuses to a thread whose children are to be in another PID namespace.
 */
bool vm_can_run(const struct vm *vm);

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

/* Put a new vCPU, which KVM has made with these registers, into 64-bit mode at CPL 3. */
void cpu_init(struct vcpu *vcpu, struct kvm_sregs sregs);

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

/* Whether a vCPU that was interrupted is about to tell the monitor why it is in a stub, or about to
 * get there by an exception. */
bool cpu_in_stub(struct vcpu *vcpu);

/* What kvm_run's registers are for, where KVM does not share them: false, with errno set. */
bool cpu_give_registers(struct vcpu *vcpu);
bool cpu_take_registers(struct vcpu *vcpu);

/* All of it; or what costs no call of KVM's, and the rest. */
void cpu_save(struct vcpu *vcpu, struct cpu_state *state);
void cpu_save_registers(struct vcpu *vcpu, struct cpu_state *state);
void cpu_save_fpu(const struct vcpu *vcpu, struct cpu_state *state);
void cpu_load(struct vcpu *vcpu, const struct cpu_state *state);

/* Whether a debug exception was a single step, by DR6; it is forgotten: ask once for each. */
bool cpu_take_single_step(struct vcpu *vcpu);

/* The si_code of a floating point exception, from the unit's status words. */
int cpu_fpe_code(struct vcpu *vcpu, unsigned vector);

/* RFLAGS as a payload may have them. */
uint64_t cpu_clean_flags(uint64_t rflags);

/* Let RDTSCP, RDPID and the vDSO's getcpu(2) tell on which of the host's CPUs the thread is that
 * calls; on PVM they are the host's own. */
void cpu_show_number(struct vcpu *vcpu);

/* Let RDTSC be a general protection fault, or not. */
void cpu_forbid_tsc(struct vcpu *vcpu, bool forbidden);

/* Let a vCPU that has left the guest use other page tables. */
void cpu_set_root(struct vcpu *vcpu, uint64_t root_gpa);

/* Set the payload's FS or GS base. */
void cpu_set_fs_base(struct vcpu *vcpu, uint64_t base);
void cpu_set_gs_base(struct vcpu *vcpu, uint64_t base);
void cpu_get_bases(struct vcpu *vcpu, uint64_t *fs, uint64_t *gs);

/* ---- stub.c: where SYSCALL leads in the guest ---- */

/* Give a new vCPU its stub: the address for LSTAR. */
uint64_t stub_create(struct vcpu *vcpu);

/* Where islands lead, of sites that load the number of the call and of others. What is there leads
 * back to a SYSCALL, but for a vCPU that has its stub there. */
uint64_t stub_site(bool loads);
void stub_site_begin(struct vm *vm);

/* Let a vCPU have its stub there; it has left the guest. False: it cannot. */
bool stub_share(struct vcpu *vcpu);

/* Fill in what it answers, for the thread that calls and drives the vCPU. */
void stub_set_answers(struct vcpu *vcpu);

/* The payload's call was served: fill in again what it may have changed. */
void stub_after_call(struct vcpu *vcpu, uint64_t number);
void stub_after_fork(struct vcpu *vcpu, bool new_user_namespace);

/*
 * Where a vCPU was interrupted in its stub, set it back to where it leaves. False when it was not,
 * or when the helper has made the call, which then has returned.
 */
bool stub_settle(struct vcpu *vcpu);

/*
 * Where a vCPU stands in what changes the mask, because of a signal or a fault of the call's own
 * pointers: set it before the call or behind. False when it stands elsewhere.
 */
bool stub_settle_mask(struct vcpu *vcpu);

/* A vCPU that left by its stub shall return to the payload; its result goes to RAX. */
void stub_return(struct vcpu *vcpu);

/* Whether it stands where it left. */
bool stub_has_left(const struct vcpu *vcpu);

/* ---- island.c: where a call site leads that jumps instead of executing SYSCALL ---- */

#define ISLAND_PAGES 16UL

#define ANY_CALL UINT32_MAX

/*
 * Make one in the page `at` of the payload's address space, where nothing else may be: for the call
 * `number`, which is below STUB_CALLS, or whichever is in RAX (ANY_CALL), and which goes on at
 * `next`. Its address; 0 when the page is full.
 */
uint64_t island_make(struct vm *vm, uint64_t at, uint64_t next, uint32_t number);

/* Whether a page is there; take it away. No site may lead there. */
bool island_is_at(uint64_t page);
void island_take_away(struct vm *vm, uint64_t page);

/* What it makes: the call's number and where that goes on. NULL: `at` is in none. */
const struct island *island_find(uint64_t at);

/* A vCPU that was interrupted in an island stands before the SYSCALL that it replaces, or behind.
 */
void island_settle(struct vcpu *vcpu);

/* Where a call goes on that seems to go on at `at`: an island's own SYSCALL stands for the site's.
 */
uint64_t island_next(uint64_t at);

/* ---- pagetable.c: the guest's page tables ---- */

/* A page of system memory for the CPU's structures, zeroed: its hva, which is its gva too. */
void *system_page(struct vm *vm);
uint64_t system_gpa(const void *page);

enum { PT_WRITE = 2, PT_USER = 4 };
#define PT_NX (1UL << 63)

/*
 * Above all that the payload and the monitor have: 512 GiB where a vCPU can have pages of its own
 * at the same address as others, on PVM. It then has a root of page tables of its own; at most
 * OWN_MAX have: KVM keeps few shadows of tables for a small VM, and never gives up those of roots.
 */
#define OWN_GVA 0x7f8000000000UL
#define OWN_MAX 8

/* Give a vCPU such a root. False when there are enough. */
bool pt_root_make(struct vcpu *vcpu);

/* Map a page there. */
void pt_map_own(struct vcpu *vcpu, uint64_t gva, uint64_t gpa, uint64_t rights);

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
 * Back gva, in a mapping of `extent` bytes, by guest-physical memory, with a new memslot if need
 * be, and describe what is backed around it. False when KVM has no slot left.
 */
bool memslot_back(struct vm *vm, uint64_t gva, uint64_t extent, struct backing *backing);

/* Give all blocks to a new VM of a forked process. */
void memslot_restore(struct vm *vm);

/* ---- cpuid.c: what every vCPU is told of the CPU ---- */

/* Whether the CPU itself can run VMs. Without that it is KVM in software (PVM), see cpu.c. */
bool cpuid_has_virtualization(void);

/* What every vCPU of this VM is to be told, valid for ever; `hardware` and `kvm_fd` are set. */
struct kvm_cpuid2 *cpuid_read(const struct vm *vm);

/* The end of the guest-physical addresses, by how wide one is for KVM and for the CPU. */
uint64_t cpuid_gpa_end(void);

/* AT_HWCAP and AT_HWCAP2 as the host says, but for what the payload does not have. */
uint64_t cpuid_hwcap(void);
uint64_t cpuid_hwcap2(void);

#define CPUID_MAX 256  /* entries that KVM may offer */
#define CPUID_TAKEN 80 /* that a KVM before Linux 5.11 takes: KVM_MAX_CPUID_ENTRIES there */

struct cpuid_table {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[CPUID_MAX];
};

/* The state components of XSAVE that a payload may have, those that km keeps for it over signals,
 * snapshots and cores: x87 SSE AVX, and AVX-512's three. */
#define XFEATURES 0xe7U
enum { XFEATURE_SSE = 2, XFEATURE_AVX = 4, XFEATURE_AVX512 = 0xe0 };

#define FXSAVE_SIZE 512  /* bytes of the legacy area, which is all where there is no XSAVE */
#define XSAVE_BASE 576   /* bytes of an XSAVE image: legacy area and header */
#define XSAVE_MAX 4096UL /* of KVM_GET_XSAVE's */

/* ---- cpuid_filter.c: a pure function of what is offered ---- */

/*
 * Leave of `table` what a payload may see, and make what is left consistent: at most CPUID_TAKEN
 * entries, leaf 0xd with the sizes of its components. `xcr0` are the components that the host's
 * kernel has enabled. Needs nothing but its arguments.
 */
void cpuid_filter(struct cpuid_table *table, uint64_t xcr0);

/* The entry of a leaf, or NULL. */
const struct kvm_cpuid_entry2 *cpuid_find(const struct cpuid_table *table, uint32_t function,
                                          uint32_t index);

/* Bits of features, a word for each register that tells of some. */
#define CPUID_WORDS 16

/* Those that a filtered table has. */
void cpuid_features(const struct cpuid_table *table, uint32_t set[CPUID_WORDS]);

/* The names of those in `set`, separated by spaces, as far as they fit `text`. */
void cpuid_feature_names(const uint32_t set[CPUID_WORDS], char *text, size_t size);

/* ---- cpuid_host.c: what the CPU says ---- */

/* Answers the CPUID instruction: fill in entry->eax to edx for its function and index. */
typedef void cpuid_source(struct kvm_cpuid_entry2 *entry);

/* Ask `source` for all that cpuid_filter() may leave. */
void cpuid_collect(struct cpuid_table *table, cpuid_source *source);

/* Ask this CPU. */
void cpuid_ask_host(struct cpuid_table *table);

/* The same, filtered. */
void cpuid_read_host(struct cpuid_table *table);

/*
 * Bytes of an XSAVE image of the components that a payload has here, in standard form; FXSAVE_SIZE
 * where it has no XSAVE.
 */
uint32_t xsave_size(uint64_t *features);

/* Take both from what the VM is told. */
void xsave_take(const struct cpuid_table *table);

#define STUB_CALLS 512 /* numbers that the stub looks up; the others leave */
#define STUB_ANSWERS 6

/* Who has the request, as far as the guest is told: `state`. */
enum { REQUEST_NONE, REQUEST_POSTED, REQUEST_DONE, REQUEST_REFUSED };

struct stub_data { /* stub_code.S knows the offsets */
    uint64_t rcx, r11, rax;
    uint64_t number;
    uint8_t kind[STUB_CALLS]; /* 0: leave; n: value[n - 1] is the answer; or KIND_HELPED and on */
    uint8_t special[256];
    uint64_t value[STUB_ANSWERS];
    uint64_t watched;    /* whether the helper looks for requests */
    uint64_t spins;      /* how often the guest looks for the result before it leaves */
    uint64_t island;     /* gva of struct island, for the call that a site has jumped for */
    uint64_t rsp, flags; /* the payload's, while its flags are read */
    uint64_t budget;     /* SYSCALLs that are answered until one leaves all the same */
    struct {             /* one cache line, which goes back and forth */
        uint64_t args[6];
        uint32_t number, state;
        int64_t result;
    } request __attribute__((aligned(64)));
    uint64_t mask; /* what the payload blocks; valid while the guest runs with KIND_MASK */
    uint64_t
        held_back;     /* signals that do not interrupt the guest: it cannot unblock these itself */
    uint64_t old_mask; /* what it blocked before, and what is to be restored, during such a call */
    uint64_t next, kept_flags, by_site;
    uint64_t robust_next, robust_named; /* the list that may be named, and whether it was */
};

#define KIND_HELPED (STUB_ANSWERS + 1) /* ask the helper */
#define KIND_MASK (STUB_ANSWERS + 2)   /* rt_sigprocmask(2): changes the mask there */
#define KIND_ROBUST (STUB_ANSWERS + 3) /* set_robust_list(2): names the list that is expected */
#define BUDGET_ENDLESS UINT32_MAX

/* The end of an island, after its code; read by stub_code.S. */
struct island {
    uint64_t next;   /* behind the SYSCALL */
    uint64_t number; /* of the call, where the site loads it */
    uint64_t back;   /* to a SYSCALL, for a vCPU that has no stub at the common address */
    uint64_t loads;  /* whether the site loads the number; else it is in RAX */
};

static inline struct stub_data *stub_data(const struct vcpu *vcpu)
{
    return (struct stub_data *)(vcpu->stub + PAGE_SIZE);
}

#endif /* KM_MACHINE_H */
