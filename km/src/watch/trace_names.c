// SPDX-License-Identifier: Apache-2.0
/*
 * trace_names.c: --trace's names of the numbers in arguments, results and signals. The values are
 * those of the C library's and the kernel's headers.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "watch/watch.h"

#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct name {
    char text[32]; /* not a pointer: see syscall_table.c */
    uint64_t value;
};

/*
 * The bits of `mask` are one number, of which a name is looked for; the others are flags. A name
 * comes before those that are a part of it.
 */
struct names {
    const struct name *list;
    size_t count;
    uint64_t mask;
};

#define N(name) {#name, (uint32_t)(name)}

static const struct name errnos[] = {
    N(EPERM),           N(ENOENT),          N(ESRCH),        N(EINTR),        N(EIO),
    N(ENXIO),           N(E2BIG),           N(ENOEXEC),      N(EBADF),        N(ECHILD),
    N(EAGAIN),          N(ENOMEM),          N(EACCES),       N(EFAULT),       N(ENOTBLK),
    N(EBUSY),           N(EEXIST),          N(EXDEV),        N(ENODEV),       N(ENOTDIR),
    N(EISDIR),          N(EINVAL),          N(ENFILE),       N(EMFILE),       N(ENOTTY),
    N(ETXTBSY),         N(EFBIG),           N(ENOSPC),       N(ESPIPE),       N(EROFS),
    N(EMLINK),          N(EPIPE),           N(EDOM),         N(ERANGE),       N(EDEADLK),
    N(ENAMETOOLONG),    N(ENOLCK),          N(ENOSYS),       N(ENOTEMPTY),    N(ELOOP),
    N(ENOMSG),          N(EIDRM),           N(ENODATA),      N(ETIME),        N(ENOLINK),
    N(EPROTO),          N(EBADMSG),         N(EOVERFLOW),    N(EILSEQ),       N(EUSERS),
    N(ENOTSOCK),        N(EDESTADDRREQ),    N(EMSGSIZE),     N(EPROTOTYPE),   N(ENOPROTOOPT),
    N(EPROTONOSUPPORT), N(ESOCKTNOSUPPORT), N(EOPNOTSUPP),   N(EPFNOSUPPORT), N(EAFNOSUPPORT),
    N(EADDRINUSE),      N(EADDRNOTAVAIL),   N(ENETDOWN),     N(ENETUNREACH),  N(ENETRESET),
    N(ECONNABORTED),    N(ECONNRESET),      N(ENOBUFS),      N(EISCONN),      N(ENOTCONN),
    N(ESHUTDOWN),       N(ETIMEDOUT),       N(ECONNREFUSED), N(EHOSTDOWN),    N(EHOSTUNREACH),
    N(EALREADY),        N(EINPROGRESS),     N(ESTALE),       N(EDQUOT),       N(ENOMEDIUM),
    N(EMEDIUMTYPE),     N(ECANCELED),       N(ENOKEY),       N(EOWNERDEAD),   N(ENOTRECOVERABLE),
    N(ERFKILL)};

static const struct name access_modes[] = {N(F_OK), N(R_OK), N(W_OK), N(X_OK)};
static const struct name arch_prctls[] = {N(ARCH_SET_GS), N(ARCH_SET_FS), N(ARCH_GET_FS),
                                          N(ARCH_GET_GS)};
static const struct name at_flags[] = {N(AT_SYMLINK_NOFOLLOW), N(AT_SYMLINK_FOLLOW),
                                       N(AT_NO_AUTOMOUNT), N(AT_EMPTY_PATH), N(AT_EACCESS)};
static const struct name advice_names[] = {
    N(MADV_NORMAL),     N(MADV_RANDOM),    N(MADV_SEQUENTIAL),  N(MADV_WILLNEED),
    N(MADV_DONTNEED),   N(MADV_FREE),      N(MADV_REMOVE),      N(MADV_DONTFORK),
    N(MADV_DOFORK),     N(MADV_MERGEABLE), N(MADV_UNMERGEABLE), N(MADV_HUGEPAGE),
    N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP),  N(MADV_DODUMP),      N(MADV_WIPEONFORK),
    N(MADV_KEEPONFORK), N(MADV_COLD),      N(MADV_PAGEOUT)};
static const struct name clocks[] = {
    N(CLOCK_REALTIME),          N(CLOCK_MONOTONIC),     N(CLOCK_PROCESS_CPUTIME_ID),
    N(CLOCK_THREAD_CPUTIME_ID), N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE),
    N(CLOCK_MONOTONIC_COARSE),  N(CLOCK_BOOTTIME),      N(CLOCK_TAI)};
static const struct name clone_flags[] = {N(SIGCHLD),
                                          N(CLONE_VM),
                                          N(CLONE_FS),
                                          N(CLONE_FILES),
                                          N(CLONE_SIGHAND),
                                          N(CLONE_PIDFD),
                                          N(CLONE_PTRACE),
                                          N(CLONE_VFORK),
                                          N(CLONE_PARENT),
                                          N(CLONE_THREAD),
                                          N(CLONE_NEWNS),
                                          N(CLONE_SYSVSEM),
                                          N(CLONE_SETTLS),
                                          N(CLONE_PARENT_SETTID),
                                          N(CLONE_CHILD_CLEARTID),
                                          N(CLONE_DETACHED),
                                          N(CLONE_UNTRACED),
                                          N(CLONE_CHILD_SETTID),
                                          N(CLONE_NEWCGROUP),
                                          N(CLONE_NEWUTS),
                                          N(CLONE_NEWIPC),
                                          N(CLONE_NEWUSER),
                                          N(CLONE_NEWPID),
                                          N(CLONE_NEWNET),
                                          N(CLONE_IO)};
static const struct name close_range_flags[] = {N(CLOSE_RANGE_UNSHARE), N(CLOSE_RANGE_CLOEXEC)};
static const struct name domains[] = {N(AF_UNSPEC),  N(AF_UNIX),   N(AF_INET), N(AF_INET6),
                                      N(AF_NETLINK), N(AF_PACKET), N(AF_ALG),  N(AF_VSOCK)};
static const struct name epoll_ops[] = {N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD)};
static const struct name epoll_events[] = {
    N(EPOLLIN),     N(EPOLLPRI),       N(EPOLLOUT),    N(EPOLLERR),     N(EPOLLHUP),
    N(EPOLLRDNORM), N(EPOLLRDBAND),    N(EPOLLWRNORM), N(EPOLLWRBAND),  N(EPOLLMSG),
    N(EPOLLRDHUP),  N(EPOLLEXCLUSIVE), N(EPOLLWAKEUP), N(EPOLLONESHOT), N(EPOLLET)};
static const struct name eventfd_flags[] = {N(EFD_SEMAPHORE), N(EFD_CLOEXEC), N(EFD_NONBLOCK)};
static const struct name fadvices[] = {N(POSIX_FADV_NORMAL),     N(POSIX_FADV_RANDOM),
                                       N(POSIX_FADV_SEQUENTIAL), N(POSIX_FADV_WILLNEED),
                                       N(POSIX_FADV_DONTNEED),   N(POSIX_FADV_NOREUSE)};
static const struct name fallocate_flags[] = {
    N(FALLOC_FL_KEEP_SIZE),  N(FALLOC_FL_PUNCH_HOLE),   N(FALLOC_FL_COLLAPSE_RANGE),
    N(FALLOC_FL_ZERO_RANGE), N(FALLOC_FL_INSERT_RANGE), N(FALLOC_FL_UNSHARE_RANGE)};
static const struct name fcntls[] = {
    N(F_DUPFD),         N(F_GETFD),      N(F_SETFD),      N(F_GETFL),     N(F_SETFL),
    N(F_GETLK),         N(F_SETLK),      N(F_SETLKW),     N(F_SETOWN),    N(F_GETOWN),
    N(F_SETSIG),        N(F_GETSIG),     N(F_SETOWN_EX),  N(F_GETOWN_EX), N(F_OFD_GETLK),
    N(F_OFD_SETLK),     N(F_OFD_SETLKW), N(F_SETLEASE),   N(F_GETLEASE),  N(F_NOTIFY),
    N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS),
    N(F_GET_RW_HINT),   N(F_SET_RW_HINT)};
static const struct name flocks[] = {N(LOCK_SH), N(LOCK_EX), N(LOCK_NB), N(LOCK_UN)};
static const struct name futexes[] = {
    N(FUTEX_WAIT),        N(FUTEX_WAKE),         N(FUTEX_REQUEUE),         N(FUTEX_CMP_REQUEUE),
    N(FUTEX_WAKE_OP),     N(FUTEX_LOCK_PI),      N(FUTEX_UNLOCK_PI),       N(FUTEX_TRYLOCK_PI),
    N(FUTEX_WAIT_BITSET), N(FUTEX_WAKE_BITSET),  N(FUTEX_WAIT_REQUEUE_PI), N(FUTEX_CMP_REQUEUE_PI),
    N(FUTEX_LOCK_PI2),    N(FUTEX_PRIVATE_FLAG), N(FUTEX_CLOCK_REALTIME)};
static const struct name getrandom_flags[] = {N(GRND_NONBLOCK), N(GRND_RANDOM)};
static const struct name ioctls[] = {
    N(TCGETS),    N(TCSETS),     N(TCSETSW),    N(TCSETSF),   N(TCSBRK),    N(TCXONC),
    N(TCFLSH),    N(TIOCGWINSZ), N(TIOCSWINSZ), N(TIOCGPGRP), N(TIOCSPGRP), N(TIOCGSID),
    N(TIOCSCTTY), N(TIOCNOTTY),  N(TIOCOUTQ),   N(FIONREAD),  N(FIONBIO),   N(FIOASYNC),
    N(FIOCLEX),   N(FIONCLEX),   N(TIOCGPTN),   N(TIOCSPTLCK)};
static const struct name itimers[] = {N(ITIMER_REAL), N(ITIMER_VIRTUAL), N(ITIMER_PROF)};
static const struct name map_flags[] = {
    N(MAP_SHARED),    N(MAP_PRIVATE),    N(MAP_SHARED_VALIDATE), N(MAP_FIXED),
    N(MAP_ANONYMOUS), N(MAP_32BIT),      N(MAP_FIXED_NOREPLACE), N(MAP_GROWSDOWN),
    N(MAP_DENYWRITE), N(MAP_EXECUTABLE), N(MAP_LOCKED),          N(MAP_NORESERVE),
    N(MAP_POPULATE),  N(MAP_NONBLOCK),   N(MAP_STACK),           N(MAP_HUGETLB),
    N(MAP_SYNC)};
static const struct name memfd_flags[] = {N(MFD_CLOEXEC), N(MFD_ALLOW_SEALING), N(MFD_HUGETLB)};
static const struct name modes[] = {N(S_IFREG), N(S_IFDIR), N(S_IFCHR), N(S_IFBLK),
                                    N(S_IFIFO), N(S_IFLNK), N(S_IFSOCK)};
static const struct name mremap_flags[] = {N(MREMAP_MAYMOVE), N(MREMAP_FIXED), N(MREMAP_DONTUNMAP)};
static const struct name msg_flags[] = {
    N(MSG_OOB),      N(MSG_PEEK),       N(MSG_DONTROUTE), N(MSG_CTRUNC),      N(MSG_TRUNC),
    N(MSG_DONTWAIT), N(MSG_EOR),        N(MSG_WAITALL),   N(MSG_ERRQUEUE),    N(MSG_NOSIGNAL),
    N(MSG_MORE),     N(MSG_WAITFORONE), N(MSG_FASTOPEN),  N(MSG_CMSG_CLOEXEC)};
static const struct name msync_flags[] = {N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC)};
static const struct name open_flags[] = {
    N(O_RDONLY),    N(O_WRONLY),   N(O_RDWR),    N(O_TMPFILE), N(O_CREAT),
    N(O_EXCL),      N(O_NOCTTY),   N(O_TRUNC),   N(O_APPEND),  N(O_NONBLOCK),
    N(O_SYNC),      N(O_DSYNC),    N(O_ASYNC),   N(O_DIRECT),  {"O_LARGEFILE", 0100000},
    N(O_DIRECTORY), N(O_NOFOLLOW), N(O_NOATIME), N(O_CLOEXEC), N(O_PATH)};
static const struct name poll_events[] = {N(POLLIN),     N(POLLPRI),    N(POLLOUT),
                                          N(POLLERR),    N(POLLHUP),    N(POLLNVAL),
                                          N(POLLRDNORM), N(POLLWRNORM), N(POLLRDHUP)};
static const struct name prctls[] = {N(PR_SET_PDEATHSIG),
                                     N(PR_GET_PDEATHSIG),
                                     N(PR_GET_DUMPABLE),
                                     N(PR_SET_DUMPABLE),
                                     N(PR_GET_KEEPCAPS),
                                     N(PR_SET_KEEPCAPS),
                                     N(PR_SET_NAME),
                                     N(PR_GET_NAME),
                                     N(PR_GET_SECCOMP),
                                     N(PR_SET_SECCOMP),
                                     N(PR_CAPBSET_READ),
                                     N(PR_CAPBSET_DROP),
                                     N(PR_GET_SECUREBITS),
                                     N(PR_SET_SECUREBITS),
                                     N(PR_SET_TIMERSLACK),
                                     N(PR_GET_TIMERSLACK),
                                     N(PR_SET_MM),
                                     N(PR_SET_CHILD_SUBREAPER),
                                     N(PR_GET_CHILD_SUBREAPER),
                                     N(PR_SET_NO_NEW_PRIVS),
                                     N(PR_GET_NO_NEW_PRIVS),
                                     N(PR_GET_TID_ADDRESS),
                                     N(PR_SET_THP_DISABLE),
                                     N(PR_GET_THP_DISABLE),
                                     N(PR_CAP_AMBIENT),
                                     {"PR_SET_VMA", 0x53564d41}};
static const struct name priorities[] = {N(PRIO_PROCESS), N(PRIO_PGRP), N(PRIO_USER)};
static const struct name protections[] = {N(PROT_NONE), N(PROT_READ),      N(PROT_WRITE),
                                          N(PROT_EXEC), N(PROT_GROWSDOWN), N(PROT_GROWSUP)};
static const struct name rename_flags[] = {
    {"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}};
static const struct name resources[] = {
    N(RLIMIT_CPU),      N(RLIMIT_FSIZE), N(RLIMIT_DATA),   N(RLIMIT_STACK),
    N(RLIMIT_CORE),     N(RLIMIT_RSS),   N(RLIMIT_NPROC),  N(RLIMIT_NOFILE),
    N(RLIMIT_MEMLOCK),  N(RLIMIT_AS),    N(RLIMIT_LOCKS),  N(RLIMIT_SIGPENDING),
    N(RLIMIT_MSGQUEUE), N(RLIMIT_NICE),  N(RLIMIT_RTPRIO), N(RLIMIT_RTTIME)};
static const struct name rusage_whos[] = {N(RUSAGE_SELF), N(RUSAGE_CHILDREN), {"RUSAGE_THREAD", 1}};
static const struct name schedulers[] = {N(SCHED_OTHER),
                                         N(SCHED_FIFO),
                                         N(SCHED_RR),
                                         N(SCHED_BATCH),
                                         N(SCHED_IDLE),
                                         N(SCHED_DEADLINE),
                                         {"SCHED_RESET_ON_FORK", 1U << 30}};
static const struct name shutdowns[] = {N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR)};
static const struct name signals[] = {
    N(SIGHUP),  N(SIGINT),    N(SIGQUIT), N(SIGILL),  N(SIGTRAP),   N(SIGABRT), N(SIGBUS),
    N(SIGFPE),  N(SIGKILL),   N(SIGUSR1), N(SIGSEGV), N(SIGUSR2),   N(SIGPIPE), N(SIGALRM),
    N(SIGTERM), N(SIGSTKFLT), N(SIGCHLD), N(SIGCONT), N(SIGSTOP),   N(SIGTSTP), N(SIGTTIN),
    N(SIGTTOU), N(SIGURG),    N(SIGXCPU), N(SIGXFSZ), N(SIGVTALRM), N(SIGPROF), N(SIGWINCH),
    N(SIGIO),   N(SIGPWR),    N(SIGSYS)};
static const struct name signal_flags[] = {
    N(SA_NOCLDSTOP), N(SA_NOCLDWAIT), N(SA_SIGINFO), {"SA_RESTORER", 0x04000000},
    N(SA_ONSTACK),   N(SA_RESTART),   N(SA_NODEFER), N(SA_RESETHAND)};
static const struct name signal_hows[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK)};
static const struct name socket_types[] = {N(SOCK_STREAM),  N(SOCK_DGRAM),     N(SOCK_RAW),
                                           N(SOCK_RDM),     N(SOCK_SEQPACKET), N(SOCK_PACKET),
                                           N(SOCK_CLOEXEC), N(SOCK_NONBLOCK)};
static const struct name socket_levels[] = {
    N(SOL_SOCKET), {"SOL_IP", 0}, {"SOL_TCP", 6}, {"SOL_UDP", 17}, {"SOL_IPV6", 41}};
static const struct name socket_options[] = {
    N(SO_DEBUG),     N(SO_REUSEADDR), N(SO_TYPE),        N(SO_ERROR),      N(SO_DONTROUTE),
    N(SO_BROADCAST), N(SO_SNDBUF),    N(SO_RCVBUF),      N(SO_KEEPALIVE),  N(SO_OOBINLINE),
    N(SO_LINGER),    N(SO_REUSEPORT), N(SO_PASSCRED),    N(SO_PEERCRED),   N(SO_RCVLOWAT),
    N(SO_SNDLOWAT),  N(SO_RCVTIMEO),  N(SO_SNDTIMEO),    N(SO_ACCEPTCONN), N(SO_PEERSEC),
    N(SO_PROTOCOL),  N(SO_DOMAIN),    N(SO_INCOMING_CPU)};
static const struct name timer_flags[] = {N(TIMER_ABSTIME), {"TFD_TIMER_CANCEL_ON_SET", 2}};
static const struct name unlink_flags[] = {N(AT_REMOVEDIR)};
static const struct name wait_flags[] = {N(WNOHANG),
                                         N(WUNTRACED),
                                         N(WEXITED),
                                         N(WCONTINUED),
                                         N(WNOWAIT),
                                         {"__WNOTHREAD", 0x20000000},
                                         {"__WALL", 0x40000000},
                                         {"__WCLONE", 0x80000000}};
static const struct name wait_ids[] = {N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD)};
static const struct name watch_flags[] = {
    N(IN_ACCESS),      N(IN_MODIFY),     N(IN_ATTRIB),   N(IN_CLOSE_WRITE), N(IN_CLOSE_NOWRITE),
    N(IN_OPEN),        N(IN_MOVED_FROM), N(IN_MOVED_TO), N(IN_CREATE),      N(IN_DELETE),
    N(IN_DELETE_SELF), N(IN_MOVE_SELF),  N(IN_ONLYDIR),  N(IN_DONT_FOLLOW), N(IN_EXCL_UNLINK),
    N(IN_MASK_ADD),    N(IN_ISDIR),      N(IN_ONESHOT)};
static const struct name whences[] = {
    N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), {"SEEK_DATA", 3}, {"SEEK_HOLE", 4}};

#define CHOICE(list) {list, ARRAY_LEN(list), ~0UL}
#define FLAGS(list) {list, ARRAY_LEN(list), 0}
#define MIXED(list, mask) {list, ARRAY_LEN(list), mask}

static const struct names names[SHOW_NAMES_END] = {[SHOW_ACCESS] = FLAGS(access_modes),
                                                   [SHOW_ARCH_PRCTL] = CHOICE(arch_prctls),
                                                   [SHOW_AT] = FLAGS(at_flags),
                                                   [SHOW_ADVICE] = CHOICE(advice_names),
                                                   [SHOW_CLOCK] = CHOICE(clocks),
                                                   [SHOW_CLONE] = MIXED(clone_flags, 0xff),
                                                   [SHOW_CLOSE_RANGE] = FLAGS(close_range_flags),
                                                   [SHOW_DOMAIN] = CHOICE(domains),
                                                   [SHOW_EPOLL_OP] = CHOICE(epoll_ops),
                                                   [SHOW_EPOLL_EVENTS] = FLAGS(epoll_events),
                                                   [SHOW_EVENTFD] = FLAGS(eventfd_flags),
                                                   [SHOW_FADVICE] = CHOICE(fadvices),
                                                   [SHOW_FALLOCATE] = FLAGS(fallocate_flags),
                                                   [SHOW_FCNTL] = CHOICE(fcntls),
                                                   [SHOW_FLOCK] = FLAGS(flocks),
                                                   [SHOW_FUTEX] =
                                                       MIXED(futexes, FUTEX_CMD_MASK & 0x7f),
                                                   [SHOW_GETRANDOM] = FLAGS(getrandom_flags),
                                                   [SHOW_IOCTL] = CHOICE(ioctls),
                                                   [SHOW_ITIMER] = CHOICE(itimers),
                                                   [SHOW_MAP] = MIXED(map_flags, MAP_TYPE),
                                                   [SHOW_MEMFD] = FLAGS(memfd_flags),
                                                   [SHOW_MODE] = MIXED(modes, S_IFMT),
                                                   [SHOW_MREMAP] = FLAGS(mremap_flags),
                                                   [SHOW_MSG] = FLAGS(msg_flags),
                                                   [SHOW_MSYNC] = FLAGS(msync_flags),
                                                   [SHOW_OPEN] = MIXED(open_flags, O_ACCMODE & 3),
                                                   [SHOW_POLL_EVENTS] = FLAGS(poll_events),
                                                   [SHOW_PRCTL] = CHOICE(prctls),
                                                   [SHOW_PRIORITY] = CHOICE(priorities),
                                                   [SHOW_PROT] = FLAGS(protections),
                                                   [SHOW_RENAME] = FLAGS(rename_flags),
                                                   [SHOW_RESOURCE] = CHOICE(resources),
                                                   [SHOW_RUSAGE_WHO] = CHOICE(rusage_whos),
                                                   [SHOW_SCHED] = MIXED(schedulers, 0xff),
                                                   [SHOW_SHUTDOWN] = CHOICE(shutdowns),
                                                   [SHOW_SIGNAL] = CHOICE(signals),
                                                   [SHOW_SIGNAL_FLAGS] = FLAGS(signal_flags),
                                                   [SHOW_SIGNAL_HOW] = CHOICE(signal_hows),
                                                   [SHOW_SOCKET] = MIXED(socket_types, 0xf),
                                                   [SHOW_SOCKET_LEVEL] = CHOICE(socket_levels),
                                                   [SHOW_SOCKET_OPTION] = CHOICE(socket_options),
                                                   [SHOW_TIMER] = FLAGS(timer_flags),
                                                   [SHOW_UNLINK] = FLAGS(unlink_flags),
                                                   [SHOW_WAIT] = FLAGS(wait_flags),
                                                   [SHOW_WAIT_ID] = CHOICE(wait_ids),
                                                   [SHOW_WATCH] = FLAGS(watch_flags),
                                                   [SHOW_WHENCE] = CHOICE(whences)};

/* ---- values to names ---- */

static const char *find(const struct name *list, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].value == value) {
            return list[i].text;
        }
    }
    return NULL;
}

const char *name_of_errno(int error)
{
    return find(errnos, ARRAY_LEN(errnos), (uint64_t)error);
}

/* The flags in `value`, each after `separator`, and at last what has no name. */
static void show_flags(struct line *line, const struct names *of, uint64_t value,
                       const char *separator)
{
    for (size_t i = 0; i < of->count; i++) {
        const struct name *name = &of->list[i];

        if (name->value & ~of->mask && (value & name->value) == name->value) {
            line_put(line, "%s%s", separator, name->text);
            separator = "|";
            value &= ~name->value;
        }
    }
    if (value) {
        line_put(line, "%s0x%lx", separator, value);
    }
}

void show_name(struct line *line, enum shown shown, uint64_t value)
{
    const struct names *of = &names[shown];
    uint64_t number = value & of->mask;
    const char *name = find(of->list, of->count, number);

    if (of->mask || !value) {
        /* 0 among flags is nothing, unless it has a name of its own */
        if (name) {
            line_put(line, "%s", name);
        } else if (number || !value) {
            line_put(line, number > 0xff ? "0x%lx" : "%ld", number);
        }
    }
    show_flags(line, of, value & ~of->mask, (of->mask && (name || number)) ? "|" : "");
}

/* ---- si_code ---- */

static const struct name codes_any[] = {N(SI_USER),  N(SI_KERNEL),  N(SI_QUEUE), N(SI_TIMER),
                                        N(SI_MESGQ), N(SI_ASYNCIO), N(SI_TKILL)};
static const struct name codes_segv[] = {N(SEGV_MAPERR), N(SEGV_ACCERR)};
static const struct name codes_bus[] = {N(BUS_ADRALN), N(BUS_ADRERR), N(BUS_OBJERR)};
static const struct name codes_fpe[] = {N(FPE_INTDIV), N(FPE_INTOVF), N(FPE_FLTDIV), N(FPE_FLTOVF),
                                        N(FPE_FLTUND), N(FPE_FLTRES), N(FPE_FLTINV)};
static const struct name codes_ill[] = {N(ILL_ILLOPC), N(ILL_ILLOPN), N(ILL_PRVOPC)};
static const struct name codes_trap[] = {N(TRAP_BRKPT), N(TRAP_TRACE)};
static const struct name codes_child[] = {N(CLD_EXITED),  N(CLD_KILLED),  N(CLD_DUMPED),
                                          N(CLD_TRAPPED), N(CLD_STOPPED), N(CLD_CONTINUED)};

#define CODES(signo, list)                                                                         \
    case signo:                                                                                    \
        name = find(list, ARRAY_LEN(list), value);                                                 \
        break

void show_signal_code(struct line *line, int signo, int code)
{
    uint64_t value = (uint32_t)code;
    const char *name = NULL;

    switch (signo) {
        CODES(SIGSEGV, codes_segv);
        CODES(SIGBUS, codes_bus);
        CODES(SIGFPE, codes_fpe);
        CODES(SIGILL, codes_ill);
        CODES(SIGTRAP, codes_trap);
        CODES(SIGCHLD, codes_child);
    default:
        break;
    }
    name = name ? name : find(codes_any, ARRAY_LEN(codes_any), value);
    line_put(line, name ? "%s" : "%.0s%d", name ? name : "", code);
}
