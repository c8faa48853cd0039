// SPDX-License-Identifier: Apache-2.0
/*
 * Makes each call that the monitor may let a helper make, on each kind of descriptor and path,
 * while a helper is there: shows each result, and what became of the file. As an ordinary user,
 * too.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/net.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <utime.h>

#define TIMES 2 /* the second call of a kind finds what the first has left */

static char bytes[64], *volatile nowhere = (char *)16;
static int more; /* the other end of what is open, or -1 */

/* ---- descriptors ---- */

static int text_file(int flags)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0640);

    CHECK(fd >= 0 && write(fd, "some text\n", 10) == 10 && close(fd) == 0);
    return open("file", flags);
}

static int in_memory(void)
{
    int fd = memfd_create("memory", MFD_ALLOW_SEALING);

    CHECK(fd >= 0 && write(fd, "some text\n", 10) == 10 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int one_end(int end, const char *content, int flags)
{
    int ends[2];

    CHECK(pipe2(ends, flags) == 0);
    CHECK(write(ends[1], content, strlen(content)) == (ssize_t)strlen(content));
    more = ends[!end];
    return ends[end];
}

static int one_of_pair(int type, const char *content)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(!*content || send(ends[1], content, strlen(content), 0) == (ssize_t)strlen(content));
    more = ends[1];
    return ends[0];
}

static int of_network(int type, bool listens)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

    CHECK(fd >= 0);
    CHECK(!listens || (bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0));
    return fd;
}

static int of_signals(void)
{
    sigset_t set;

    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0);
    return signalfd(-1, &set, SFD_NONBLOCK);
}

static int watching(void)
{
    int fd = inotify_init1(IN_NONBLOCK);

    CHECK(fd >= 0 && inotify_add_watch(fd, ".", IN_CREATE) == 1);
    return fd;
}

/* One that does not say what is written to it. */
static int terminal(void)
{
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    struct termios raw;

    CHECK(fd >= 0 && tcgetattr(fd, &raw) == 0);
    cfmakeraw(&raw);
    CHECK(tcsetattr(fd, TCSANOW, &raw) == 0);
    return fd;
}

static int closed(void)
{
    CHECK(dup2(0, 400) == 400 && close(400) == 0);
    return 400;
}

static int linked(int flags)
{
    (void)unlink("link");
    CHECK(symlink("file", "link") == 0);
    return open("link", flags);
}

static int fifo(int flags)
{
    (void)unlink("fifo");
    CHECK(mkfifo("fifo", 0600) == 0);
    return open("fifo", flags);
}

#define OPENED(X)                                                                                  \
    X(text_file(O_RDWR))                                                                           \
    X(text_file(O_RDONLY))                                                                         \
    X(text_file(O_WRONLY | O_APPEND))                                                              \
    X(text_file(O_PATH))                                                                           \
    X(linked(O_PATH | O_NOFOLLOW))                                                                 \
    X(in_memory())                                                                                 \
    X(open(".", O_RDONLY | O_DIRECTORY))                                                           \
    X(open("/proc", O_PATH))                                                                       \
    X(open("/proc/self/comm", O_RDWR))                                                             \
    X(open("/proc/self/timerslack_ns", O_RDONLY))                                                  \
    X(open("/proc/self/oom_score_adj", O_RDONLY))                                                  \
    X(open("/proc/sys/kernel/ostype", O_RDONLY))                                                   \
    X(open("/proc/self", O_RDONLY | O_DIRECTORY))                                                  \
    X(open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY))                               \
    X(open("/sys/kernel", O_RDONLY | O_DIRECTORY))                                                 \
    X(open("/dev/null", O_RDWR))                                                                   \
    X(open("/dev/zero", O_RDWR))                                                                   \
    X(open("/dev/full", O_RDWR))                                                                   \
    X(terminal())                                                                                  \
    X(one_end(0, "", O_NONBLOCK))                                                                  \
    X(one_end(0, "some text\n", 0))                                                                \
    X(one_end(1, "", 0))                                                                           \
    X(fifo(O_RDWR | O_NONBLOCK))                                                                   \
    X(one_of_pair(SOCK_STREAM, ""))                                                                \
    X(one_of_pair(SOCK_STREAM, "some text\n"))                                                     \
    X(one_of_pair(SOCK_DGRAM, "some text\n"))                                                      \
    X(one_of_pair(SOCK_SEQPACKET, "some text\n"))                                                  \
    X(of_network(SOCK_DGRAM, false))                                                               \
    X(of_network(SOCK_STREAM, false))                                                              \
    X(of_network(SOCK_STREAM, true))                                                               \
    X(eventfd(3, EFD_NONBLOCK))                                                                    \
    X(eventfd(0, EFD_NONBLOCK))                                                                    \
    X(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK))                                               \
    X(of_signals())                                                                                \
    X(watching())                                                                                  \
    X(epoll_create1(0))                                                                            \
    X((int)syscall(SYS_pidfd_open, getpid(), 0))                                                   \
    X(closed())                                                                                    \
    X(-1)

/* ---- calls ---- */

static struct iovec pair[] = {{bytes, 3}, {bytes + 3, 5}};
static struct msghdr message = {.msg_iov = pair, .msg_iovlen = 2};
static struct stat st;
static struct statfs fs;
static struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
static struct pollfd polled;
static struct epoll_event event = {.events = EPOLLIN}, happened;
static struct itimerspec never, timer;
static struct sockaddr_un address;
static socklen_t size;
static int number;
static off_t offset;
static const struct timespec none;

#define CALLS(X)                                                                                   \
    X(read(fd, bytes, 4))                                                                          \
    X(read(fd, bytes, 0))                                                                          \
    X(read(fd, nowhere, 8))                                                                        \
    X(write(fd, "12345678", 8))                                                                    \
    X(write(fd, nowhere, 8))                                                                       \
    X(readv(fd, pair, 2))                                                                          \
    X(writev(fd, pair, 2))                                                                         \
    X(pread(fd, bytes, 4, 1))                                                                      \
    X(pwrite(fd, "1234", 4, 1))                                                                    \
    X(pwrite(fd, "1234", 4, -1))                                                                   \
    X(preadv(fd, pair, 2, 1))                                                                      \
    X(pwritev(fd, pair, 2, 1))                                                                     \
    X(lseek(fd, 0, SEEK_SET))                                                                      \
    X(lseek(fd, 3, SEEK_SET))                                                                      \
    X(lseek(fd, 2, SEEK_CUR))                                                                      \
    X(lseek(fd, -1, SEEK_SET))                                                                     \
    X(lseek(fd, 0, SEEK_HOLE) != 0)                                                                \
    X(lseek(fd, 0, 9))                                                                             \
    X(close(dup(fd)))                                                                              \
    X(fcntl(fd, F_GETFD))                                                                          \
    X(fcntl(fd, F_SETFD, FD_CLOEXEC))                                                              \
    X(fcntl(fd, F_GETFL))                                                                          \
    X(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK))                                                   \
    X(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK))                                                    \
    X(fcntl(fd, F_GETOWN) == getpid())                                                             \
    X(fcntl(fd, F_DUPFD, 500) >= 0 ? close(500) : -1)                                              \
    X(fcntl(fd, F_GETLK, &lock))                                                                   \
    X(fcntl(fd, F_SETLK, &lock))                                                                   \
    X(fcntl(fd, F_SETLK, nowhere))                                                                 \
    X(fcntl(fd, F_GET_SEALS))                                                                      \
    X(fcntl(fd, F_GETLEASE))                                                                       \
    X(fcntl(fd, 4711, 0))                                                                          \
    X(ioctl(fd, TCGETS, bytes))                                                                    \
    X(ioctl(fd, FIONREAD, &number))                                                                \
    X(sendfile(fd, in, &offset, 4))                                                                \
    X(sendfile(in, fd, NULL, 4))                                                                   \
    X(fallocate(fd, 0, 0, 20))                                                                     \
    X(fallocate(fd, 0, 0, 0))                                                                      \
    X(posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL))                                                  \
    X(fstat(fd, &st) ? -1 : (long)(st.st_mode & S_IFMT))                                           \
    X(syscall(SYS_fstat, fd, nowhere))                                                             \
    X(fstatat(fd, "", &st, AT_EMPTY_PATH) ? -1 : (long)(st.st_mode & S_IFMT))                      \
    X(fstatat(fd, "comm", &st, 0) ? -1 : (long)st.st_mode)                                         \
    X(fstatfs(fd, &fs) ? -1 : (long)fs.f_type)                                                     \
    X(ftruncate(fd, 6))                                                                            \
    X(ftruncate(fd, -1))                                                                           \
    X(fchmod(fd, mode_of(fd)))                                                                     \
    X(fchown(fd, (uid_t) - 1, (gid_t) - 1))                                                        \
    X(fchownat(fd, "", (uid_t) - 1, (gid_t) - 1, AT_EMPTY_PATH))                                   \
    X(futimens(fd, NULL))                                                                          \
    X(fsync(fd))                                                                                   \
    X(fdatasync(fd))                                                                               \
    X(fgetxattr(fd, "user.none", bytes, 4))                                                        \
    X(flistxattr(fd, bytes, 0) < 0 ? -1 : 0)                                                       \
    X(syscall(SYS_getdents64, fd, room, sizeof(room)) < 0 ? -1 : 0)                                \
    X(syscall(SYS_getdents64, fd, room, 1))                                                        \
    X(fchdir(fd) < 0 ? -1 : fchdir(home))                                                          \
    X(openat(fd, "none", O_RDONLY))                                                                \
    X(openat(fd, "/dev/null/none", O_RDONLY))                                                      \
    X(mkdirat(fd, "file/sub", 0700))                                                               \
    X(symlinkat("x", fd, "file/sub"))                                                              \
    X(linkat(fd, "", home, "sub", AT_EMPTY_PATH) < 0 ? -1 : unlink("sub"))                         \
    X(renameat(fd, "none", home, "sub"))                                                           \
    X(readlinkat(fd, "", bytes, sizeof(bytes)))                                                    \
    X(readlinkat(fd, "cwd", bytes, 1))                                                             \
    X(faccessat(fd, "comm", R_OK, 0))                                                              \
    X(epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event))                                                 \
    X(epoll_ctl(queue, EPOLL_CTL_MOD, fd, &event))                                                 \
    X(epoll_wait(queue, &happened, 1, 0))                                                          \
    X(epoll_ctl(queue, EPOLL_CTL_DEL, fd, NULL))                                                   \
    X(epoll_ctl(fd, EPOLL_CTL_ADD, in, &event))                                                    \
    X(epoll_wait(fd, &happened, 1, 0))                                                             \
    X((polled = (struct pollfd){fd, POLLIN | POLLOUT, 0}, poll(&polled, 1, 0)))                    \
    X(polled.revents)                                                                              \
    X(ppoll(&polled, 1, &none, NULL))                                                              \
    X(timerfd_settime(fd, 0, &never, &timer))                                                      \
    X(timerfd_settime(fd, 77, &never, NULL))                                                       \
    X(timerfd_gettime(fd, &timer))                                                                 \
    X(bind(fd, (struct sockaddr *)&address, 1))                                                    \
    X(listen(fd, 1))                                                                               \
    X(accept(fd, NULL, NULL))                                                                      \
    X(accept4(fd, NULL, NULL, 77))                                                                 \
    X((size = sizeof(address), getsockname(fd, (struct sockaddr *)&address, &size)))               \
    X((size = sizeof(address), getpeername(fd, (struct sockaddr *)&address, &size)))               \
    X((number = 1, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &number, sizeof(number))))             \
    X(setsockopt(fd, SOL_SOCKET, SO_MARK, &number, sizeof(number)))                                \
    X((size = 4, getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &size)) ? -1 : number)               \
    X((size = 4, getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size)) ? -1 : number)              \
    X(send(fd, "1234", 4, MSG_DONTWAIT))                                                           \
    X(send(fd, "1234", 4, MSG_DONTWAIT | MSG_OOB))                                                 \
    X(recv(fd, bytes, 4, MSG_DONTWAIT | MSG_PEEK))                                                 \
    X(recv(fd, bytes, 4, MSG_DONTWAIT))                                                            \
    X(sendmsg(fd, &message, MSG_DONTWAIT))                                                         \
    X(recvmsg(fd, &message, MSG_DONTWAIT))                                                         \
    X(shutdown(fd, SHUT_WR))                                                                       \
    X(send(fd, "1234", 4, 0))                                                                      \
    X(write(fd, "1234", 4))                                                                        \
    X(recv(fd, bytes, 4, MSG_DONTWAIT))                                                            \
    X((memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED                     \
          ? -1                                                                                     \
          : munmap(memory, PAGE))                                                                  \
    X((memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED                      \
          ? -1                                                                                     \
          : munmap(memory, PAGE))

/* ---- showing ---- */

static int in, home, queue;

/* Whose file it is is not known: it must stay as it is. */
static mode_t mode_of(int fd)
{
    return fstat(fd, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void *memory;
static char room[2000];
static volatile sig_atomic_t signals;

static void count_signal(int signo)
{
    (void)signo;
    signals++;
}

/* So that a helper is there, and looks for requests. */
static void warm(void)
{
    static bool is_warm;

    for (int i = 0; i < (is_warm ? 8 : 200); i++) {
        CHECK(getppid() >= 0);
    }
    is_warm = true;
}

/* Open one thing, and make each call on it. */
#define SHOW_CALL(call)                                                                            \
    warm();                                                                                        \
    for (int i = 0; i < TIMES; i++) {                                                              \
        errno = 0;                                                                                 \
        show_result(#call, (long)(call));                                                          \
    }

static void show_result(const char *call, long result)
{
    int error = errno;

    printf("  %.60s: %ld", call, result);
    if (result == -1 && error) {
        printf(" %s", strerror(error));
    }
    if (signals) {
        printf(", signals: %d", (int)signals);
    }
    signals = 0;
    putchar('\n');
}

static void show_calls(const char *name, int fd)
{
    printf("%s\n", name);
    in = open("input", O_RDWR | O_CREAT | O_TRUNC, 0600);
    queue = epoll_create1(0);
    offset = 0;
    CHECK(in >= 0 && queue >= 0 && write(in, "some input", 10) == 10);
    CALLS(SHOW_CALL)
    if (fd >= 0 && fstat(fd, &st) == 0) {
        printf("  at last: mode %o at %ld\n", st.st_mode, (long)lseek(fd, 0, SEEK_CUR));
        warm();
        CHECK(close(fd) == 0 && close(fd) == -1 && errno == EBADF);
    }
    CHECK(close(in) == 0 && close(queue) == 0 && unlink("input") == 0);
    if (more >= 0) {
        CHECK(close(more) == 0);
        more = -1;
    }
}

#define SHOW_OPENED(opened)                                                                        \
    more = -1;                                                                                     \
    show_calls(#opened, opened);

/* ---- paths ---- */

#define PATH_QUESTIONS(X)                                                                          \
    X(stat(path, &st) ? -1 : (long)st.st_mode)                                                     \
    X(lstat(path, &st) ? -1 : (long)st.st_mode)                                                    \
    X(access(path, R_OK))                                                                          \
    X(access(path, X_OK))                                                                          \
    X(access(path, 77))                                                                            \
    X(faccessat(AT_FDCWD, path, W_OK, 0))                                                          \
    X(readlink(path, bytes, sizeof(bytes)) < 0 ? -1 : 0)                                           \
    X(readlink(path, bytes, 0))                                                                    \
    X(statfs(path, &fs) ? -1 : (long)fs.f_type)                                                    \
    X(getxattr(path, "user.none", bytes, 4))                                                       \
    X(lgetxattr(path, "none", bytes, 4))                                                           \
    X(listxattr(path, bytes, 0) < 0 ? -1 : 0)                                                      \
    X(open(path, O_RDONLY) < 0 ? -1 : close(next))                                                 \
    X(open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK) < 0 ? -1 : close(next))                       \
    X(open(path, O_RDONLY | O_DIRECTORY) < 0 ? -1 : close(next))                                   \
    X(chdir(path) < 0 ? -1 : fchdir(home))

/* Of files of its own alone. */
#define PATH_CHANGES(X)                                                                            \
    X(open(path, O_RDWR | O_CREAT | O_EXCL, 0600) < 0 ? -1 : close(next))                          \
    X(open(path, O_WRONLY | O_APPEND | O_NONBLOCK) < 0 ? -1 : close(next))                         \
    X(open(path, O_RDWR | O_TMPFILE, 0600) < 0 ? -1 : close(next))                                 \
    X(chmod(path, 0700))                                                                           \
    X(chown(path, (uid_t) - 1, (gid_t) - 1))                                                       \
    X(lchown(path, (uid_t) - 1, (gid_t) - 1))                                                      \
    X(utime(path, NULL))                                                                           \
    X(utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW))                                        \
    X(mkdir(path, 0700))                                                                           \
    X(symlink("x", path))                                                                          \
    X(link(path, "other") < 0 ? -1 : unlink("other"))                                              \
    X(link("file", path))                                                                          \
    X(rename(path, "other") < 0 ? -1 : rename("other", path))                                      \
    X(renameat2_of(path))                                                                          \
    X(unlink(path))                                                                                \
    X(rmdir(path))

static int next; /* descriptor that an opening gets */

static long renameat2_of(const char *path)
{
    return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, "file", 1 /* RENAME_NOREPLACE */);
}

static void show_path(const char *name, const char *path)
{
    printf("path %.30s\n", name);
    (void)unlink("made");
    (void)rmdir("made");
    PATH_QUESTIONS(SHOW_CALL)
}

static void show_changes(const char *name, const char *path)
{
    show_path(name, path);
    PATH_CHANGES(SHOW_CALL)
}

static void show_paths(void)
{
    static char long_name[300], long_path[5000];
    static const char *const own[] = {"file",      "file/", "folder",   "folder/.", "made",
                                      "none/made", "loop",  "dangling", "fifo",     "link"};
    static const char *const others[] = {".",
                                         "..",
                                         "",
                                         "/",
                                         "/proc",
                                         "/proc/1/none",
                                         "/dev/null",
                                         "/proc/self/comm",
                                         "/proc/self/fd",
                                         "/proc/self/fd/0",

                                         "/proc/thread-self",
                                         "/sys/kernel",

                                         "/proc/self/cwd/file"};

    memset(long_name, 'x', sizeof(long_name) - 1);
    memset(long_path, '/', sizeof(long_path) - 1);
    CHECK(close(text_file(O_RDONLY)) == 0 && close(linked(O_RDONLY)) == 0);
    CHECK(close(fifo(O_RDWR)) == 0);
    (void)mkdir("folder", 0700);
    (void)symlink("loop", "loop");
    (void)symlink("nothing", "dangling");
    for (size_t i = 0; i < LEN(own); i++) {
        (void)close(open("file", O_RDWR | O_CREAT, 0600));
        show_changes(own[i], own[i]);
    }
    for (size_t i = 0; i < LEN(others); i++) {
        show_path(others[i], others[i]);
    }
    show_changes("a long name", long_name);
    show_changes("a long path", long_path);
    show_changes("nowhere", nowhere);
    show_changes("null", NULL);
}

/* ---- the rest ---- */

#define OTHERS(X)                                                                                  \
    X(pipe2((int *)nowhere, 0))                                                                    \
    X(pipe2((int *)bytes, 77))                                                                     \
    X(epoll_create1(77))                                                                           \
    X(epoll_create(0))                                                                             \
    X(eventfd(0, 77))                                                                              \
    X(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0))                                                 \
    X(timerfd_create(CLOCK_REALTIME_ALARM, 77))                                                    \
    X(socket(77, SOCK_STREAM, 0))                                                                  \
    X(socket(AF_UNIX, 77, 0))                                                                      \
    X(socketpair(AF_INET, SOCK_STREAM, 0, (int *)bytes))                                           \
    X(getpriority(PRIO_PROCESS, 0))                                                                \
    X(getpriority(PRIO_PROCESS, getpid()))                                                         \
    X(getpriority(PRIO_PGRP, 0))                                                                   \
    X(getpriority(77, 0))                                                                          \
    X(getpgid(0) == getpgrp())                                                                     \
    X(getpgid(0x7fffffff))                                                                         \
    X(getsid(0) == getsid(getpid()))                                                               \
    X(getgroups(-1, NULL))                                                                         \
    X(getgroups(65536, (gid_t *)nowhere) > 0 ? -1 : 0)                                             \
    X(syscall(SYS_getrandom, bytes, 8, 77))                                                        \
    X(syscall(SYS_getrandom, nowhere, 8, 0))                                                       \
    X(umask(022))                                                                                  \
    X(syscall(SYS_uname, nowhere))                                                                 \
    X(syscall(SYS_sysinfo, nowhere))                                                               \
    X(syscall(SYS_getcwd, bytes, 1))                                                               \
    X(syscall(SYS_getresuid, nowhere, bytes, bytes))                                               \
    X(syscall(SYS_mmap, 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0))       \
    X(syscall(SYS_mmap, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))                      \
    X(syscall(SYS_munmap, 1, PAGE))                                                                \
    X(syscall(SYS_munmap, 0, 0))                                                                   \
    X(syscall(SYS_mprotect, 1, PAGE, PROT_READ))                                                   \
    X(syscall(SYS_mprotect, 0x600000000000, PAGE, PROT_READ))                                      \
    X(syscall(SYS_madvise, 0x600000000000, PAGE, MADV_DONTNEED))                                   \
    X(syscall(SYS_madvise, 0, PAGE, 4711))                                                         \
    X(syscall(SYS_futex, bytes + 1, FUTEX_WAKE, 1, NULL, NULL, 0))                                 \
    X(syscall(SYS_futex, nowhere, FUTEX_WAKE, 1, NULL, NULL, 0))                                   \
    X(syscall(SYS_futex, nowhere, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0))                           \
    X(syscall(SYS_futex, bytes, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0))                              \
    X(syscall(SYS_rt_sigaction, 99, NULL, bytes, 8))                                               \
    X(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bytes, 9))                                          \
    X(syscall(SYS_poll, NULL, 1, 0))                                                               \
    X(syscall(SYS_poll, nowhere, 0, 0))                                                            \
    X(syscall(SYS_ppoll, &polled, 0, &none, NULL, 9))                                              \
    X(epoll_wait(0, &happened, 0, 0))                                                              \
    X(epoll_pwait(0, &happened, 1, 0, NULL))

static void end_wait(int signo)
{
    (void)signo;
}

int main(int argc, char **argv)
{
    static char text[1 << 20];
    struct sigaction action = {.sa_handler = end_wait};
    struct itimerval often = {{0, 10000}, {0, 10000}}, never_again = {{0, 0}, {0, 0}};

    (void)argc;
    if (is_case(argv, "user") && !geteuid()) {
        CHECK(chmod(".", 0777) == 0 && setresgid(65534, 65534, 65534) == 0);
        CHECK(setresuid(65534, 65534, 65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    }
    CHECK(signal(SIGPIPE, count_signal) != SIG_ERR && signal(SIGIO, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGURG, SIG_IGN) != SIG_ERR);
    home = open(".", O_RDONLY | O_DIRECTORY);
    next = home + 1;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
    (void)setvbuf(stdout, text, _IOFBF, sizeof(text));
    OPENED(SHOW_OPENED)
    show_paths();
    printf("others\n");
    OTHERS(SHOW_CALL)
    CHECK(setitimer(ITIMER_REAL, &never_again, NULL) == 0);
    return 0;
}
