// SPDX-License-Identifier: Apache-2.0
/*
 * process.h: the payload's processes and threads, their programs, and who looks at them.
 */
#ifndef KM_PROCESS_H
#define KM_PROCESS_H

#include "vm.h"

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

/* ---- program.c: km's own file ---- */

/* Open it, for execve. Must be called first. */
void program_open(void);
/* The descriptor where it is open for ever, or -1. */
int program_fd(void);
/* Whether `path` leads to it; a file is it. */
bool program_is(const char *path);
struct stat;
bool program_is_file(const struct stat *st);
/* Start km anew with these: only failure returns, -errno. */
int64_t program_execute(char *const *argv, char *const *envp);

/* pin.c: whether a descriptor is a vCPU that was just made, and not what another thread put there.
 */
bool pin_is_new_vcpu(int fd);

/* pin.c: let a vCPU that gets a thread have what syscall.h says of it. */
void pin_make(struct vcpu *vcpu);

/* pin.c: there will be a second thread; the process is a fork; its first thread ends. */
void pin_before_threads(void);
void pin_after_fork(void);
void pin_first_ends(void);

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
 * access.c: whether this process may execute the file, also where it is on a mount that is noexec
 * to keep an image's programs from running outside a VM.
 */
bool file_may_execute(const char *path);

/* Find options.payload, and its loader if it names one, and check both. Ends km with 126 or 127. */
void image_open(struct image *to);

/* host_calls.c: print what km calls for itself, and end km. */
_Noreturn void print_host_calls(void);

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

/* ---- lock.c: the monitor locks itself in ---- */

/* Let [addr, addr + size) of the monitor be mapped as it is for ever; a child of fork() too. */
void lock_memory(uint64_t addr, uint64_t size);

/* Must be called before the payload's first instruction. Ends km when the host refuses. */
void lock_in(void);

/* ---- lock_filter.c ---- */

#define LOCK_NONE (-2)

/*
 * The descriptor that the filter of the program before lets be executed, -1 where it lets none, or
 * LOCK_NONE: there is no filter.
 */
int lock_program(void);

/* Put the filter on, unless it is there. Ends km when the host refuses. */
void lock_calls(int program);

/* Let this process make these calls only. Ends km when the host refuses. */
void lock_to(const uint16_t *calls, size_t count);

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

/* Somebody asks from outside, by a signal that process `word` gets: km --snapshot-now. */
_Noreturn void snapshot_request(const char *word);

/* Whether a siginfo is that, which is noted then; a thread that stands at an instruction obeys. */
bool snapshot_is_request(const void *signal_info);
void snapshot_point(struct vcpu *vcpu);

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

#endif /* KM_PROCESS_H */
