// SPDX-License-Identifier: Apache-2.0
/*
 * calls.h: the system calls and exceptions of the payload, as Linux answers them.
 */
#ifndef KM_CALLS_H
#define KM_CALLS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"

/*
 * What an argument is. For the dispatcher this decides what is checked before the kernel sees the
 * call; for the tracer, how it is shown.
 *
 * A pointer's length is `size` times the value of argument number `len_arg`, or `size` alone when
 * len_arg is NO_ARG; a null pointer passes, since for many calls it means that nothing is there.
 * Where the length is a 32-bit number in the payload's memory, the start decides (see GUEST_TOP).
 */
enum arg_kind {
    ARG_NONE,
    ARG_INT,  /* shown as a signed number */
    ARG_PID,  /* likewise; of a resumed program's it becomes the host's */
    ARG_SIZE, /* shown as an unsigned number */
    ARG_UINT, /* likewise; the kernel takes the lower 32 bits only */
    ARG_HEX,
    ARG_OCTAL,
    ARG_FD,    /* a descriptor; the monitor's own do not exist */
    ARG_DIRFD, /* likewise, or AT_FDCWD */
    ARG_ADDR,  /* an address that the kernel does not dereference, or that the handler checks */
    ARG_PATH,  /* a string */
    ARG_IN,    /* memory that the kernel reads */
    ARG_OUT,   /* memory that the kernel writes */
    ARG_INOUT,
    ARG_MAPPED, /* a stretch of mappings, not their content */
    ARG_IOV_IN, /* struct iovec[], copied once; its buffers are read */
    ARG_IOV_OUT,
};

#define NO_ARG 7

/*
 * What the tracer may call an argument's value, or the structure that it points to: an index of the
 * lists in trace_names.c, then of the functions in trace_structs.c. An array is shown whole.
 */
enum shown { /* NOLINT(cert-int09-c): one entry marks the end of the names */
             SHOW_PLAIN,
             SHOW_ACCESS,
             SHOW_ARCH_PRCTL,
             SHOW_AT,
             SHOW_ADVICE,
             SHOW_CLOCK,
             SHOW_CLONE,
             SHOW_CLOSE_RANGE,
             SHOW_DOMAIN,
             SHOW_EPOLL_OP,
             SHOW_EPOLL_EVENTS,
             SHOW_EVENTFD,
             SHOW_FADVICE,
             SHOW_FALLOCATE,
             SHOW_FCNTL,
             SHOW_FLOCK,
             SHOW_FUTEX,
             SHOW_GETRANDOM,
             SHOW_IOCTL,
             SHOW_ITIMER,
             SHOW_MAP,
             SHOW_MEMFD,
             SHOW_MODE,
             SHOW_MREMAP,
             SHOW_MSG,
             SHOW_MSYNC,
             SHOW_OPEN,
             SHOW_POLL_EVENTS,
             SHOW_PRCTL,
             SHOW_PRIORITY,
             SHOW_PROT,
             SHOW_RENAME,
             SHOW_RESOURCE,
             SHOW_RUSAGE_WHO,
             SHOW_SCHED,
             SHOW_SHUTDOWN,
             SHOW_SIGNAL,
             SHOW_SIGNAL_FLAGS,
             SHOW_SIGNAL_HOW,
             SHOW_SOCKET,
             SHOW_SOCKET_LEVEL,
             SHOW_SOCKET_OPTION,
             SHOW_TIMER,
             SHOW_UNLINK,
             SHOW_WAIT,
             SHOW_WAIT_ID,
             SHOW_WATCH,
             SHOW_WHENCE,
             SHOW_NAMES_END,

             SHOW_ADDRESS = SHOW_NAMES_END, /* NOLINT(cert-int09-c): of what is not shown itself */
             SHOW_EPOLL_EVENT,
             SHOW_INT,
             SHOW_ITIMERSPEC,
             SHOW_ITIMERVAL,
             SHOW_OFFSET,
             SHOW_POLLFD,
             SHOW_RLIMIT,
             SHOW_RUSAGE,
             SHOW_SIGACTION,
             SHOW_SIGINFO,
             SHOW_SIGSET,
             SHOW_SOCKADDR,
             SHOW_STACK,
             SHOW_STAT,
             SHOW_STRINGS,
             SHOW_TIMESPEC,
             SHOW_TIMEVAL,
             SHOW_UTSNAME,
             SHOW_WAIT_STATUS,
             SHOW_END,
};

struct arg {
    uint8_t kind;
    uint8_t len_arg;
    uint32_t size;
    uint8_t shown; /* enum shown */
};

/* A handler gets the six arguments, checked as the table says, and returns a result or -errno. */
typedef int64_t (*syscall_handler)(struct vcpu *vcpu, const uint64_t *args);

/* What a call does that waits for long, when a signal comes; signal(7). */
enum waiting {
    WAITS_NOT,
    WAITS,    /* ends with EINTR */
    RESTARTS, /* likewise, but is made again after a handler that has SA_RESTART */
};

/* What a call has to do with the helper, helper.c. */
enum helped {
    HELPED_NOT,
    HELPED,          /* it may make the call: nothing depends on which thread asks, nothing waits */
    HELPED_ON_FILE,  /* likewise, where what the first argument is open at lets it not wait */
    HELPED_IF_READY, /* likewise, where helper_call.c or helper_wait.c finds that it does not wait
                      */
    ENDS_HELPER,     /* changes what each thread has of its own: a helper would keep what was */
};

struct syscall {
    char name[24]; /* empty: there is none */
    struct arg args[6];
    enum waiting waits;
    enum helped helped;
};

/* Where no program has memory: the kernel answers EFAULT, when it comes to that, whatever the
 * length is. */
#define NOWHERE 0xffff800000000000UL

#define SYSCALL_COUNT 470
extern const struct syscall syscall_table[SYSCALL_COUNT];

/* NULL: the host's kernel is called with the same arguments. */
extern const syscall_handler syscall_handlers[SYSCALL_COUNT];

/* Serve one system call of the payload: its result, or -errno. */
int64_t syscall_serve(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* The bytes that argument number i, a pointer, spans; UINT64_MAX when the product overflows. */
uint64_t syscall_arg_length(const struct syscall *call, unsigned i, const uint64_t *args);

/* path_number.c: whether a path of the call leads to a descriptor of the monitor's: with the
 * result, that there is none. */
bool path_number_serve(struct vcpu *vcpu, const struct syscall *call, uint64_t number,
                       const uint64_t *args, int64_t *result);

/* Room for a copy of guest structures, valid until the call ends; NULL when it is too much. */
void *scratch_alloc(struct vcpu *vcpu, uint64_t size);

/* Whether this is the file of the program that runs, which the kernel lets nobody change. */
struct stat;
bool program_is(const struct stat *st);

/* Whether a path names the process's own /proc/PID/exe, which for the host is the monitor. */
bool path_is_own_exe(const char *path);
bool proc_is_own_exe(uint64_t path);

/* ---- pin.c: hidden descriptors for files that are judged, one a vCPU ---- */

/* Must be called before the payload's first instruction, with the first vCPU. */
void pin_init(struct vcpu *vcpu);

/* The monitor's own descriptor of the root of a proc(5) that shows this process; -1: there is none.
 */
int pin_proc(void);

/* Whether that is at /proc in the root that the payload has at its start. */
bool pin_proc_is_roots(void);

/* Whether a file is on that proc(5). */
struct stat;
bool pin_is_on_proc(const struct stat *st);

/* Let vcpu->pin hold the file of `fd`: 0, or -errno; and hold none. */
int64_t pin_set(struct vcpu *vcpu, int fd);
void pin_clear(const struct vcpu *vcpu);

/*
 * Let the pin be a new file in memory, made with these flags of memfd_create(2) and for this
 * process only: 0 or -errno. What the monitor writes, it writes by its pin alone: at a number that
 * the payload may give to another file it would write to that.
 */
int64_t pin_memory(struct vcpu *vcpu, const char *name, unsigned flags);

/* sealed.c: let the pin be a new file of these bytes, which nobody can change. False: it is clear.
 */
bool sealed_make(struct vcpu *vcpu, const void *bytes, size_t size);

/* A descriptor's name in the folder that is returned, below 0 where there is no proc(5): to open
 * what it leads to by, not to look at. `vcpu` is the calling thread's, or NULL. */
#define FD_NAME 32
int fd_name(const struct vcpu *vcpu, int fd, char name[FD_NAME]);

/* Where the kernel says that what is open at `fd` is: its length, or below 1. */
ssize_t fd_path(int fd, char path[4096]);

/* Let `map` map a descriptor of the payload's that cannot become another meanwhile, nor be KVM's.
 */
int64_t pin_map(struct vcpu *vcpu, int fd, int64_t (*map)(int fd, const uint64_t *args),
                const uint64_t *args);

/* A build without it proves that the locks behind it hold alone. */
#ifdef KM_WITHOUT_FIRST_LOCK
#define FIRST_LOCK false
#else
#define FIRST_LOCK true
#endif

/* Let a vCPU that gets a thread have what syscall.h says of it. */
void pin_make(struct vcpu *vcpu);

/* There will be a second thread; the process is a fork; its first thread ends. */
void pin_before_threads(void);
void pin_after_fork(void);
void pin_first_ends(void);

/*
 * chroot: the root is another, which vcpu->pin holds, and the other threads stand still. A path can
 * go through /proc/self/fd to the monitor's folders: none of them leads out of the new root, but a
 * proc(5) that is not at /proc there.
 */
void pin_follow_root(struct vcpu *vcpu);

/* ---- umip.c ---- */

/*
 * Answer, as Linux does, an instruction that asks where the CPU's tables are, and go on after it.
 * False: it is none, or its operand cannot be written.
 */
bool umip_answer(struct vcpu *vcpu);

/* ---- opening.c: how a file is opened ---- */

/* Must be called before the payload's first instruction, with the root's folder; in the child of
 * fork(). */
void opening_init(int fd, struct vcpu *vcpu);
void opening_after_fork(void);

/* The monitor's own descriptor of that folder, or -1. */
int opening_root(void);

/* Threads will have roots and working folders of their own; the root will be another. */
void opening_part(void);
void opening_leaves_root(void);

/* The folders that this part holds become that of `fd`. */
void opening_follow_root(int fd);

/* What open(2) knows; openat2(2) refuses others. */
#define OPEN_LARGE 0100000UL /* O_LARGEFILE, which open(2) always has */
#define OPEN_ACCESS 3UL      /* to read, to write: musl's O_ACCMODE has O_PATH in it */
#define OPEN_FLAGS                                                                                 \
    ((uint64_t)O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |         \
     O_SYNC | O_ASYNC | O_DIRECT | OPEN_LARGE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
     O_PATH | O_TMPFILE)

/* As openat(2) and openat2(2), but for what proc_judge() refuses. */
int64_t open_at(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags, uint64_t mode);
int64_t open_at2(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, const uint64_t how[3]);

/* ---- proc_file.c: what a file of a proc(5) is ---- */

#define PROC_AT 96 /* bytes of a name below pin_proc() */

/* What belongs to a process: FOLDER/LAST, where FOLDER is PID or PID/task/TID. Below LAST "fd",
 * "fdinfo" and "map_files" it may be an entry of that. */
struct proc_file {
    pid_t pid;     /* as pin_proc() counts; 0: it belongs to none */
    bool is_ours;  /* below pin_proc(), by its inode; another proc(5) may call it so, too */
    bool is_other; /* below pin_proc(), and none of these */
    char folder[32], last[20], entry[36];
};

/* What `fd` is, whose stat is `st`, and which nobody moves. */
struct stat;
void proc_look(int fd, const struct stat *st, struct proc_file *file);

/* Whether `fd` is on a proc(5); this process's number there, which the child of fork() forgets;
 * whether it is a process in a VM. */
bool proc_has(int fd);
pid_t proc_self(void);
void proc_forget_self(void);
bool proc_is_monitors(const struct proc_file *file);

/* Whether this is a folder of whose entries some may be a monitor's. */
bool proc_lists_monitors(const struct proc_file *file);

/* Whether this entry of a process in a VM is its monitor's; likewise file->entry. */
bool proc_is_monitors_entry(const struct proc_file *file, const char *entry);
bool proc_is_hidden(const struct proc_file *file);

/* How many entries of such a folder, FOLDER/LAST, are. */
unsigned long proc_count_monitors(const struct proc_file *file);

/* What of a process in a VM the link itself is that the path names: whether it is one. The pin
 * is used for it. */
bool proc_look_at_link(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, struct proc_file *file);

/* Whether the last name of a path may be that of a descriptor or a mapping there: of a number. */
bool proc_may_be_entry(uint64_t path);

/* Whether a path may lead into a proc(5) by where it begins: there, in a folder there, or in this
 * process's, which is. */
bool proc_path_begins_there(uint64_t dirfd, uint64_t path);

/* Whether a path is that of such a link, and what it leads to is the monitor's. */
bool proc_path_is_hidden(struct vcpu *vcpu, uint64_t dirfd, uint64_t path);

/* The program of a process in a VM. False when it cannot be told. */
bool proc_program(const struct proc_file *file, char program[4096]);

/* Whether a payload may open this file: 0 or -errno. file->last is empty, or it is to be rewritten.
 */
int64_t proc_judge(int fd, const struct stat *st, struct proc_file *file);
bool proc_is_kvm(const struct stat *st);

/* Whether that of a process in a VM is rewritten. */
bool proc_is_rewritten(const struct proc_file *file);

/* Let `file` be what `name`, a path that the kernel shows, names below a proc(5); it is cut up. */
void proc_take_apart(char *name, struct proc_file *file);

/* ---- shortcut.c: paths below /proc that say what they lead to ---- */

/* Whether the guest's `path` names a text of this process that is rewritten: which. The root is the
 * one that the payload has had at its start. */
bool shortcut_to_text(uint64_t path, struct proc_file *file);

/* Whether it names what a payload may open as it is: its name below pin_proc(), and how openat2(2)
 * must go there, for the folders may change. */
bool shortcut_below_proc(uint64_t path, char name[PROC_AT], uint64_t *resolve);

/* ---- proc_copy.c: the files in memory that stand in the place of what is rewritten ---- */

/* Let the pin be a file that tells of a process in a VM what `file` would tell of its program
 * alone: 0 or -errno. */
int64_t proc_rewrite(struct vcpu *vcpu, const struct proc_file *file);

/* Whether `fd` is such a file, and of which; whether a stat may be one's. */
bool proc_copy_of(int fd, const struct stat *st, struct proc_file *file);
bool proc_copy_at(int fd, struct proc_file *file);
bool proc_copy_may_be(const struct stat *st);

/* The name of the file that it stands for, where the kernel says it is at `path`; or NULL. */
const char *proc_copy_name(const char *path);

/* If it is one, let it say what is so now, as /proc does to who reads from the begin. */
void proc_copy_renew(struct vcpu *vcpu, int fd);

/* ---- sys_copy.c: of a copy, all but its content ---- */

/* Whether it was opened to read, to write, or both, as O_RDONLY and its kin say. */
int copy_access(int fd);

/* Let the pin be another file of /proc, opened so, whose content a payload may have. */
int64_t copy_pin_other(struct vcpu *vcpu, int access);

/* Make a call on descriptor args[0], or on such a file where that is a copy. */
int64_t copy_call(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* ---- text.c: a text that becomes a file's ---- */

#define TEXT_PRINTED 512 /* bytes that text_print() may add, with a zero */

struct text {
    const struct vcpu *reader; /* whose thread asks, or waits for the helper which does */
    bool failed;
    size_t used, room;
    char *more; /* where it is longer than the piece */
    char piece[8192];
};

void text_begin(struct text *text, const struct vcpu *reader);
void text_clear(struct text *text);
void text_add(struct text *text, const void *bytes, size_t count);
void text_line(struct text *text, const char *line);
__attribute__((format(printf, 2, 3))) void text_print(struct text *text, const char *format, ...);
bool text_put(struct text *text, int fd); /* false: the file could not be made to say that alone */
void text_end(struct text *text);

/* ---- proc_text.c: such a file's content ---- */

/* Add what it shall say. False when the host does not say it to this process. */
bool proc_write(struct text *to, const struct proc_file *what);

/* Must be called before there is a second thread; in the child of fork(). */
void proc_open_lists(void);
void proc_after_fork(void);

/* Open a file below pin_proc() to read it, or NULL. */
FILE *proc_open(const char *name);

/* How many filters of system calls a process that km runs shows, this one to `own`, or NULL. */
unsigned proc_filters(pid_t pid, const struct vcpu *own);

/* Whether a thread of the process is not the payload's: KVM's own or the monitor's helper. */
bool proc_is_monitors_thread(pid_t pid, const char *tid);

/* Copy and check an iovec array. Returns the copy, or NULL with *error set. */
struct iovec;
struct iovec *iovec_copy(struct vcpu *vcpu, uint64_t addr, uint64_t count, int64_t *error);

/* ---- sys_offset.c ---- */

/* Whether an offset in a file, in one that is a process's memory, is where the monitor's is. */
bool offset_is_monitors(uint64_t offset);

/* SEEK_SET, for the kernel, which looks at 32 bits; for the filter it says that the file has been
 * found to be a folder. */
#define SEEK_IN_FOLDER (0x466f6c64UL << 32)

/* ---- apart.c ---- */

/* Let a thread that nobody shares descriptors with run this, and wait for it. False: there is none.
 * `vcpu` is the calling thread's, or NULL for the helper, which takes no signals.
 */
bool apart_run(struct vcpu *vcpu, void (*run)(void *argument), void *argument);

/* ---- instruction.c ---- */

/*
 * Which of #UD and #GP this CPU raises at CPL 3 for the instruction at `rip`, where KVM's emulator
 * has raised `vector`; and the error code that the CPU gives with it, if it is not 0.
 */
unsigned instruction_vector(uint64_t rip, unsigned vector, uint64_t *error);

/* ---- mounts.c, access.c: mounts that are noexec only to keep programs in VMs ---- */

struct maps;
struct proc_file;

/* struct statx of the kernel's uapi, whose older headers lack the mount. */
struct host_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, more[10];
    uint32_t of_major, of_minor, major, minor;
    uint64_t mount;
    uint64_t spare[13];
};

/* What statx(2) says of a file. */
struct file_facts {
    uint32_t uid, gid, mode;
    uint32_t disk;      /* the major number of the device it is on, 0 where that is none */
    uint64_t mount;     /* its ID in the host's kernel, 0 where that does not tell */
    bool is_mount_root; /* the file is where the mount begins */
};

/* `flags` are those of statx(2). 0, or -errno. */
int64_t file_look(uint64_t dirfd, uint64_t path, uint64_t flags, struct file_facts *facts);

/* --hide-noexec: the mount at `path` is one of these. Of a path where none begins nothing is kept.
 */
void mounts_hide(const char *path);

/* The word of the command line by which the next program's monitor knows them, or NULL; its value.
 */
const char *mounts_carry(void);
void mounts_take(const char *ids);

/* Whether there is any; whether the mount with this ID is one. */
bool mounts_any(void);
bool mounts_hides(uint64_t id);

/*
 * Around a call by which this process, or the child that it makes, gets a namespace of mounts,
 * which have other IDs there. What the first returns may be NULL; each of the others frees it.
 */
struct mounts_seen;
struct mounts_seen *mounts_before_copy(void);
void mounts_after_copy(struct mounts_seen *seen);
void mounts_forget(struct mounts_seen *seen);

/* Write the text of a /proc/PID/mounts or mountinfo as it is without their noexec. */
void mounts_write(struct text *to, struct maps *text, const struct proc_file *what);

/*
 * Let `fd`, if it holds such a text, be the host's file itself, which can be waited at for a change
 * of the mounts. False where it does not.
 */
bool mounts_unwrite(int fd);

/* Whether the file is on a mount that is noexec by the container's own wish. */
bool mounts_refuse(int fd);

/*
 * What access(2) answers for a file that the host refuses to execute for one of these mounts: 0, or
 * -errno. `flags` are those of faccessat2(2).
 */
int64_t access_without_noexec(uint64_t dirfd, uint64_t path, uint64_t mode, uint64_t flags);

/* ---- fault.c: exceptions become signals ---- */

void fault_handle(struct vcpu *vcpu, const struct exception *exception);

struct vcpu;

/* ---- hot.c ---- */

/* A thread begins to drive this vCPU. */
void hot_begin(struct vcpu *vcpu);

/* The payload's call `number`, which goes on at `next`, left the guest by SYSCALL: if that happens
 * often, its site shall jump. */
void hot_count(struct vcpu *vcpu, uint64_t next, uint64_t number);

/* Leave the payload's code as it is from now on. */
void hot_end(void);

/* ---- helper.c ---- */

#define HELPER_NAME "km-helper" /* its comm */

/* Around KVM_RUN: the helper may, and must not, serve this vCPU. */
void helper_let(struct vcpu *vcpu);
void helper_hold(struct vcpu *vcpu);

/*
 * Whether the helper has made the call that the vCPU left its stub for, or was interrupted in: its
 * result. The helper forgets it. `taken`: the guest has the result already.
 */
bool helper_has_made(const struct vcpu *vcpu, bool taken, int64_t *result);

/* The vCPU left the guest for this call, which then costs most: see whether a helper would pay. */
void helper_count(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* It must be gone: the thread ends, or changes what the helper took over from it. */
void helper_end(const struct vcpu *vcpu);

/* The thread makes another: it must be gone unless it may help a thread of several. */
void helper_before_thread(const struct vcpu *vcpu);

/* In the child of fork(): it stayed with the parent. */
void helper_after_fork(void);

/* Whether this is its thread, which for the payload is not there. */
bool helper_is(pid_t tid);

/* A signal that came to the helper instead of the payload's thread goes there. Whether it did. */
bool helper_passes_on(int signo, const void *info);

/* ---- helper_call.c ---- */

/* Whether the helper may make this call, as far as its number says, and as far as these arguments
 * do; make it. False when the payload's thread must. */
bool helper_may_make(uint64_t number);
bool helper_may_make_so(uint64_t number, const uint64_t *args);
bool helper_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result);

/* ---- fd_kind.c: what a descriptor is open at ---- */

enum fd_kind {
    IS_UNKNOWN,
    IS_AT_ONCE, /* a file or folder of a disk or of memory: nothing is awaited there that a signal
                   could end; none of a proc(5), nor a copy of one */
    IS_ENDLESS, /* a device of zeroes, random numbers or nothing */
    IS_PIPE,
    IS_OTHER,
};

/* The kind that is remembered of the payload's descriptor. */
enum fd_kind fd_kind(const struct vcpu *vcpu, uint64_t fd);

/* The kind by `st`, which the host says of it; never IS_UNKNOWN. */
struct stat;
enum fd_kind fd_kind_look(const struct vcpu *vcpu, uint64_t fd, const struct stat *st);

/* `to`, if it is one, is a copy of `from`; these will be closed or be others. */
void fd_kind_copy(const struct vcpu *vcpu, uint64_t from, int64_t to);
void fd_kind_forget(uint32_t first, uint32_t last);

/* Whether it is a file or folder of a disk or of memory; so far as that is known without a
 * descriptor of it. */
bool fd_is_file(int fd, const struct stat *st);
bool file_is_at_once(const struct file_facts *facts);

/* ---- helper_wait.c ---- */

/* Make a call of a descriptor that may wait, `st` as fstat() says, if the host does all of it at
 * once: whether it did. `args` are lost. */
struct stat;
bool waiting_make(struct vcpu *vcpu, uint32_t number, uint64_t *args, const struct stat *st,
                  int64_t *result);

/* Likewise, of the calls that wait for descriptors: whether it is one, and whether any is ready. */
bool waiting_polls(uint32_t number);
bool waiting_poll(struct vcpu *vcpu, uint32_t number, uint64_t *args, int64_t *result);

/* ---- helper_own.c ---- */

/* Whether the answer to a call depends on which thread makes it, or a signal to that could end it.
 */
bool own_asks(const struct vcpu *vcpu, uint32_t number, const uint64_t *args);

/* Likewise, of a call that has been answered without an error: a link has led it into a proc(5). */
bool own_answers(uint32_t number, const uint64_t *args);

/* Take the signals that a call of the helper's has raised: the payload's thread gets them, unless
 * it makes the call again. */
void own_signals(const struct vcpu *vcpu, bool is_made);

/* ---- calls/filters.c, sys_seccomp.c: the filters that a payload's thread has put on its own calls
 * ---- */

/* Never changed once a thread has it. */
struct filter {
    struct filter *older;
    unsigned users; /* threads and newer filters; under freeze_lock() */
    unsigned short count;
    struct sock_filter code[];
};

/* A filter with room for so many instructions, in pages of its own, or NULL; and its end. */
struct filter *filter_alloc(unsigned short count);
void filter_free(struct filter *filter);

/* One user less, under freeze_lock(): the last one takes it along. */
void filter_drop(struct filter *filter);

/* Give a thread these in place of what it has, or one more. Under freeze_lock(). */
void seccomp_give(struct vcpu *vcpu, struct filter *filters, unsigned mode);
void seccomp_add(struct vcpu *vcpu, struct filter *filter);

/*
 * Judge a call of the payload whose next instruction is at `next`. False when it is not made: the
 * registers are what they are to be after it, a handler's first instruction among it.
 */
bool seccomp_allows(struct vcpu *vcpu, uint64_t next, uint64_t number, const uint64_t *args);

/* prctl(PR_SET_SECCOMP, mode, filter): 0, or -errno. */
int64_t seccomp_set(struct vcpu *vcpu, uint64_t mode, uint64_t filter);

/* How many filters it has. */
unsigned seccomp_count(const struct vcpu *vcpu);

/* A thread begins, with what `parent` has, once freeze_enter() knows it; it has ended. */
void seccomp_inherit(struct vcpu *vcpu, const struct vcpu *parent);
void seccomp_release(struct vcpu *vcpu);

/* The child of a vfork has given the vCPU back, which has again what it had before. */
void seccomp_after_vfork(struct vcpu *vcpu);

/* Let the thread's pin be a file of what it has, that nobody can change; read one, and close it. */
bool seccomp_save(struct vcpu *vcpu);
void seccomp_load(struct vcpu *vcpu, int fd);

/* The thread, the first one, has the container's own filter, in hexadecimal. Ends km if it is none.
 */
void seccomp_parse(struct vcpu *vcpu, const char *text);

/* How many filters the payload finds that a process has, of which the host says `host`; `vcpu` is
 * the process's own, or NULL for another one that km runs. */
unsigned seccomp_shown(const struct vcpu *vcpu, unsigned host);

/* ---- bpf.c: programs of classic BPF as seccomp(2) takes them ---- */

/*
 * Whether a program of 1 to BPF_MAXINSNS instructions is one that seccomp takes: it ends, reads no
 * word of its memory that it has not written, and nothing but `struct seccomp_data`.
 */
bool bpf_check(const struct sock_filter *code, size_t count);

/* What such a program returns. */
uint32_t bpf_run(const struct sock_filter *code, const struct seccomp_data *data);

/* ---- the handlers, by file ---- */

#define HANDLER(name) int64_t sys_##name(struct vcpu *vcpu, const uint64_t *args)

/* sys_memory.c */
HANDLER(futex);
HANDLER(mmap);
HANDLER(munmap);
HANDLER(mprotect);
HANDLER(brk);
HANDLER(mremap);
HANDLER(madvise);
HANDLER(mincore);
HANDLER(mlock);
HANDLER(mlock2);
HANDLER(mlockall);
HANDLER(remap_file_pages);
HANDLER(get_mempolicy);
HANDLER(pkey_mprotect);
HANDLER(pkey_alloc);
HANDLER(pkey_free);
HANDLER(futex_waitv);

/* sys_offset.c */
HANDLER(lseek);
HANDLER(pread64);
HANDLER(preadv);
HANDLER(preadv2);
HANDLER(pwrite64);
HANDLER(pwritev);
HANDLER(pwritev2);
HANDLER(sendfile);
HANDLER(splice);
HANDLER(copy_file_range);

/* sys_file.c */
/*
 * Whether the file that a path leads to, which shall be written to or cut, runs as a program. A
 * descriptor of it is closed again, which would cost the process its locks of fcntl(2) on it.
 */
bool file_runs(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags);
/* Let the host make a call that closes, replaces or marks the descriptor of argument `i`. */
int64_t change_descriptor(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                          unsigned i);
HANDLER(open);
HANDLER(openat);
HANDLER(creat);
HANDLER(openat2);
HANDLER(close);
HANDLER(dup2);
HANDLER(dup3);
HANDLER(close_range);
HANDLER(fcntl);
HANDLER(memfd_create);

/* sys_stat.c */
HANDLER(stat);
HANDLER(lstat);
HANDLER(fstat);
HANDLER(newfstatat);
HANDLER(statx);

/* sys_path.c */
HANDLER(truncate);
HANDLER(chmod);
HANDLER(fchmodat);
HANDLER(fchmodat2);
HANDLER(chown);
HANDLER(fchownat);
HANDLER(utime);
HANDLER(utimes);
HANDLER(futimesat);
HANDLER(utimensat);
HANDLER(linkat);
HANDLER(setxattr);
HANDLER(removexattr);

/* sys_poll.c */
HANDLER(poll);
HANDLER(ppoll);
HANDLER(select);
HANDLER(pselect6);
HANDLER(epoll_pwait);
HANDLER(epoll_pwait2);
HANDLER(epoll_ctl);

/* opening.c */
HANDLER(chroot);
HANDLER(chdir);
HANDLER(fchdir);

/* sys_access.c */
HANDLER(access);
HANDLER(faccessat);
HANDLER(faccessat2);
HANDLER(statfs);
HANDLER(fstatfs);
HANDLER(statmount);

/* sys_proc.c */
HANDLER(readlink);
HANDLER(readlinkat);
HANDLER(getdents);
HANDLER(getdents64);

/* sys_ioctl.c */
/* Fill `to` with the commands that a payload can give; returns how many, at most `max`. */
size_t ioctl_commands(uint32_t *to, size_t max);
HANDLER(ioctl);

/* sys_ipc.c */
HANDLER(shmat);
HANDLER(shmdt);
HANDLER(shmctl);
HANDLER(msgctl);
HANDLER(semctl);
HANDLER(msgsnd);
HANDLER(msgrcv);
HANDLER(mq_notify);

/* sys_socket.c */
HANDLER(sendmsg);
HANDLER(recvmsg);
HANDLER(sendmmsg);
HANDLER(recvmmsg);

/* sys_socket_option.c */
HANDLER(getsockopt);
HANDLER(setsockopt);
HANDLER(socket);
HANDLER(socketpair);

/* sys_process.c */
HANDLER(exit_group);
HANDLER(arch_prctl);
HANDLER(uname);
HANDLER(prctl);
HANDLER(getrlimit);
HANDLER(setrlimit);
HANDLER(prlimit64);
HANDLER(refuse);
HANDLER(personality);

/* sys_aio.c */
bool aio_is_used(void);
void aio_after_fork(void);
HANDLER(io_setup);
HANDLER(io_destroy);
HANDLER(io_submit);
HANDLER(io_cancel);
HANDLER(io_getevents);
HANDLER(io_pgetevents);

/* sys_seccomp.c */
HANDLER(seccomp);

/* sys_clone.c */
HANDLER(fork);
HANDLER(vfork);
HANDLER(clone);
HANDLER(clone3);
HANDLER(unshare);
HANDLER(exit);
HANDLER(set_tid_address);
HANDLER(set_robust_list);
HANDLER(get_robust_list);
HANDLER(fsync);
HANDLER(fdatasync);
HANDLER(fchmod);
HANDLER(fallocate);
HANDLER(fsetxattr);
HANDLER(fgetxattr);
HANDLER(flistxattr);
HANDLER(fremovexattr);
HANDLER(name_to_handle_at);

/* sys_wait.c */
HANDLER(wait4);
HANDLER(waitid);

/* exec.c */
HANDLER(execve);
HANDLER(execveat);

/* sys_signal.c */
HANDLER(rt_sigaction);
HANDLER(rt_sigprocmask);
HANDLER(rt_sigpending);
HANDLER(rt_sigtimedwait);
HANDLER(rt_sigreturn);
HANDLER(rt_sigqueueinfo);
HANDLER(rt_tgsigqueueinfo);
HANDLER(pidfd_send_signal);
HANDLER(rt_sigsuspend);
HANDLER(sigaltstack);

#endif /* KM_CALLS_H */
