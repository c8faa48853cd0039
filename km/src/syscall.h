// SPDX-License-Identifier: Apache-2.0
/*
 * syscall.h: the table of system calls, and what its readers need: the dispatcher, the tracer and
 * the handlers.
 */
#ifndef KM_SYSCALL_H
#define KM_SYSCALL_H

#include "km.h"

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
    HELPED,         /* it may make the call: nothing depends on which thread asks, nothing waits */
    HELPED_ON_FILE, /* likewise, where the first argument is open at a file or folder of a disk */
    ENDS_HELPER,    /* changes what each thread has of its own: a helper would keep what was */
};

struct syscall {
    char name[24]; /* empty: there is none */
    struct arg args[6];
    enum waiting waits;
    enum helped helped;
};

#define SYSCALL_COUNT 470
extern const struct syscall syscall_table[SYSCALL_COUNT];

/* NULL: the host's kernel is called with the same arguments. */
extern const syscall_handler syscall_handlers[SYSCALL_COUNT];

/* Serve one system call of the payload: its result, or -errno. */
int64_t syscall_serve(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* Report a call that began at `start` of stats_clock(), as --trace and --stats ask. */
void syscall_ended(const struct vcpu *vcpu, uint64_t number, const uint64_t *args, int64_t result,
                   uint64_t start);

/* The bytes that argument number i, a pointer, spans; UINT64_MAX when the product overflows. */
uint64_t syscall_arg_length(const struct syscall *call, unsigned i, const uint64_t *args);

/* What host_syscall() returns when a signal came before the host was asked: the call is made again.
 */
#define NOT_STARTED (-513) /* ERESTARTNOINTR */

/* The host kernel's own system call: a result, or -errno. host.S */
int64_t host_syscall(uint64_t number, const uint64_t *args);

/* Room for a copy of guest structures, valid until the call ends; NULL when it is too much. */
void *scratch_alloc(struct vcpu *vcpu, uint64_t size);

/* Copy [addr, addr + len) of the payload; -EFAULT where it is not its own or not mapped. */
int64_t guest_read(void *to, uint64_t addr, uint64_t len);
int64_t guest_write(uint64_t addr, const void *from, uint64_t len);

/* Write `new` where `old` stands, atomically: 0, -EAGAIN when something else stands there, -EFAULT.
 */
int64_t guest_compare_exchange(uint64_t addr, uint32_t old, uint32_t new);

/* Copy a path of at most PATH_MAX bytes with its end: 0, -EFAULT, -ENAMETOOLONG, -ENOENT if empty.
 */
int64_t guest_read_path(char *to, uint64_t addr);

/* Whether a path names the process's own /proc/PID/exe, which for the host is the monitor. */
bool path_is_own_exe(const char *path);
bool proc_is_own_exe(uint64_t path);

/* ---- pin.c: hidden descriptors for files that are judged, one a vCPU ---- */

/* Must be called before the payload's first instruction, with the first vCPU. */
void pin_init(struct vcpu *vcpu);

/* The monitor's own descriptor of the root of a proc(5) that shows this process; -1: there is none.
 */
int pin_proc(void);

/* Let vcpu->pin hold the file of `fd`: 0, or -errno; and hold none. */
int64_t pin_set(struct vcpu *vcpu, int fd);
void pin_clear(const struct vcpu *vcpu);

/* sealed.c: let the pin be a new file of these bytes, which nobody can change. False: it is clear.
 */
bool sealed_make(struct vcpu *vcpu, const void *bytes, size_t size);

/* The name of the pin, in the folder that is returned: to open it by, not to look at. */
#define PIN_NAME 32
int pin_name(const struct vcpu *vcpu, char name[PIN_NAME]);

/* Where the kernel says that what is open at `fd` is: its length, or below 1. */
ssize_t pin_path(int fd, char path[4096]);

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

/* ---- opening.c: how a file is opened ---- */

/* Must be called before the payload's first instruction, with the root's folder; in the child of
 * fork(). */
void opening_init(int fd, struct vcpu *vcpu);
void opening_after_fork(void);

/* Threads will have roots and working folders of their own. */
void opening_part(void);

/* What open(2) knows; openat2(2) refuses others. */
#define OPEN_LARGE 0100000UL /* O_LARGEFILE, which open(2) always has */
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
    pid_t pid;    /* as pin_proc() counts; 0: it belongs to none */
    bool is_ours; /* below pin_proc(), by its inode; another proc(5) may call it so, too */
    char folder[32], last[20], entry[36];
};

/* What `fd` is, whose stat is `st`, and which nobody moves. */
struct stat;
void proc_look(int fd, const struct stat *st, struct proc_file *file);

/* Whether `fd` is on a proc(5); this process's number there; whether it is a process in a VM. */
bool proc_has(int fd);
pid_t proc_self(void);
bool proc_is_monitors(const struct proc_file *file);

/* Whether this entry of a process in a VM is its monitor's; likewise file->entry. */
bool proc_is_monitors_entry(const struct proc_file *file, const char *entry);
bool proc_is_hidden(const struct proc_file *file);

/* What of a process in a VM the link itself is that the path names: whether it is one. The pin
 * is used for it. */
bool proc_look_at_link(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, struct proc_file *file);

/* Whether the last name of a path may be that of a descriptor or a mapping there: of a number. */
bool proc_may_be_entry(uint64_t path);

/* The program of a process in a VM. False when it cannot be told. */
bool proc_program(const struct proc_file *file, char program[4096]);

/* Whether a payload may open this file: 0 or -errno. file->last is empty, or it is to be rewritten.
 */
int64_t proc_judge(int fd, const struct stat *st, struct proc_file *file);
bool proc_is_kvm(const struct stat *st);

/* Let the pin be a file that tells of a process in a VM what `file` would tell of its program
 * alone: 0 or -errno. */
int64_t proc_rewrite(struct vcpu *vcpu, const struct proc_file *file);

/* ---- proc_text.c: such a file's content ---- */

/* Write what it shall say. False when the host does not say it to this process. */
bool proc_write(int to, const struct proc_file *what);

/* Must be called before there is a second thread; in the child of fork(). */
void proc_open_lists(void);
void proc_after_fork(void);

/* Open a file below pin_proc() to read it, or NULL. */
FILE *proc_open(const char *name);

/* How many filters of system calls a process that km runs shows, this one if it is its `own`. */
unsigned proc_filters(pid_t pid, bool own);

/* Whether a thread of the process is not the payload's: KVM's own or the monitor's helper. */
bool proc_is_monitors_thread(pid_t pid, const char *tid);

/* Copy and check an iovec array. Returns the copy, or NULL with *error set. */
struct iovec;
struct iovec *iovec_copy(struct vcpu *vcpu, uint64_t addr, uint64_t count, int64_t *error);

/* ---- report.c, trace.c, stats.c: what --trace and --stats write ---- */

/* Open what options say they write to. */
void report_open(void);

/* The calls that --trace writes, as it was given them. Ends km for a name that is none. */
void trace_choose(const char *calls);

/* The call begins; and has returned. A call that probably waits gets two lines, else one. */
void trace_begin(const struct vcpu *vcpu, uint64_t number, const uint64_t *args);
void trace_end(const struct vcpu *vcpu, uint64_t number, const uint64_t *args, int64_t result);

/* The payload's handler is entered, or the process dies, for the signal in vcpu->signal_info. */
void trace_signal(const struct vcpu *vcpu, int signo);

/* The payload's program starts, with its arguments at `argv`. */
void trace_start(uint64_t argv);

/* The thread ends, or the process does by a signal. */
void trace_exit(int status);
void trace_death(int signo);

/* Nanoseconds of a clock that never goes back. */
uint64_t stats_clock(void);

/* A system call began at `start` and has returned. */
void stats_syscall(uint64_t number, int64_t result, uint64_t start);

/* KVM_RUN returned, with 0 or an errno. */
void stats_exit(const struct vcpu *vcpu, int error);

/* Write the tables: the process ends, or its program does. */
void stats_report(void);

/* In the child of fork(): nothing has been counted. */
void stats_after_fork(void);

/* ---- sys_offset.c ---- */

/* Whether an offset in a file, in one that is a process's memory, is where the monitor's is. */
bool offset_is_monitors(uint64_t offset);

/* SEEK_SET, for the kernel, which looks at 32 bits; for the filter it says that the file has been
 * found to be a folder. */
#define SEEK_IN_FOLDER (0x466f6c64UL << 32)

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
HANDLER(remap_file_pages);
HANDLER(get_mempolicy);
HANDLER(pkey_mprotect);
HANDLER(pkey_alloc);
HANDLER(pkey_free);
HANDLER(futex_waitv);

/* sys_offset.c */
HANDLER(lseek);
HANDLER(sendfile);
HANDLER(splice);
HANDLER(copy_file_range);

/* sys_file.c */
HANDLER(open);
HANDLER(openat);
HANDLER(creat);
HANDLER(openat2);
HANDLER(stat);
HANDLER(newfstatat);
HANDLER(statx);
HANDLER(close_range);
HANDLER(fcntl);
HANDLER(memfd_create);

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

/* process.c */
HANDLER(fork);
HANDLER(vfork);
HANDLER(clone);
HANDLER(clone3);
HANDLER(unshare);
HANDLER(exit);
HANDLER(set_tid_address);
HANDLER(set_robust_list);
HANDLER(get_robust_list);

/* exec.c */
HANDLER(execve);
HANDLER(execveat);

/* sys_signal.c */
HANDLER(rt_sigaction);
HANDLER(rt_sigprocmask);
HANDLER(rt_sigreturn);
HANDLER(rt_sigqueueinfo);
HANDLER(rt_tgsigqueueinfo);
HANDLER(pidfd_send_signal);
HANDLER(rt_sigsuspend);
HANDLER(sigaltstack);

#endif /* KM_SYSCALL_H */
