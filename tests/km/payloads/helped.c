// SPDX-License-Identifier: Apache-2.0
/*
 * Makes so many system calls in a row that the monitor may let a helper make them, while something
 * else happens, as its argument says. Each result must be right. Its file is in the working
 * directory.
 */
#include "interrupted.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE 5000
#define ROUNDS 200
#define APART 500000 /* cycles */
#define FIRST 200
#define GROUPS 12
#define GROUPS_APART 4000000UL /* cycles: some 1.5 ms */

static const char name[] = "helped.file";

/* One file, read and written in ways whose results are known. */
static void use_file(int fd, unsigned seed)
{
    static unsigned char block[64], back[64];
    struct sigaction action;
    struct stat by_fd, by_name;
    off_t at = seed * 37 % (SIZE - (off_t)sizeof(block));

    memset(block, (int)(seed % 255), sizeof(block));
    CHECK(pwrite(fd, block, sizeof(block), at) == sizeof(block));
    memset(back, 0xff, sizeof(back));
    CHECK(pread(fd, back, sizeof(back), at) == sizeof(back));
    CHECK(memcmp(block, back, sizeof(back)) == 0);
    CHECK(lseek(fd, at + 1, SEEK_SET) == at + 1);
    CHECK(read(fd, back, 3) == 3 && lseek(fd, 0, SEEK_CUR) == at + 4);
    CHECK(back[0] == block[0] && back[2] == block[0]);
    CHECK(write(fd, block, 1) == 1 && lseek(fd, 0, SEEK_CUR) == at + 5);
    CHECK(fstat(fd, &by_fd) == 0 && stat(name, &by_name) == 0);
    CHECK(by_fd.st_size == SIZE && by_name.st_ino == by_fd.st_ino);
    CHECK(access(name, R_OK) == 0 && access("nothing", F_OK) < 0 && errno == ENOENT);
    CHECK(pread(fd, back, 1, SIZE) == 0);
    CHECK(pread(fd, (void *)16, 1, 0) < 0 && errno == EFAULT);
    CHECK(pread(-1, back, 1, 0) < 0 && errno == EBADF);
    CHECK(open("nothing", O_RDONLY) < 0 && errno == ENOENT);
    CHECK(!isatty(fd) && errno == ENOTTY);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
}

static int make_file(void)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
    return fd;
}

static void burst(unsigned rounds)
{
    int fd = make_file();

    for (unsigned i = 0; i < rounds; i++) {
        use_file(fd, i);
    }
    CHECK(close(fd) == 0);
}

/* A timer's signals come between calls and into them. */
static void under_signals(bool restart)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = restart ? SA_RESTART : 0};

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    set_alarms(300);
    burst(2 * ROUNDS);
    set_alarms(0);
    CHECK(signals > 2);
}

/* A call that waits ends with the signal, also after many that do not. */
static void awaited(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    int ends[2];
    char byte;

    CHECK(pipe(ends) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    burst(ROUNDS);
    INTERRUPTED(read(ends[0], &byte, 1));
    signals = 0;
    CHECK(write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(signal(SIGPIPE, count_signal) != SIG_ERR && close(ends[0]) == 0);
    CHECK(write(ends[1], "x", 1) < 0 && errno == EPIPE && signals == 1);
}

/* Children begin in the middle of it, and do the same. */
static void forked(bool in_memory)
{
    pid_t self = getpid(), child;
    int status, fd = make_file();

    for (unsigned i = 0; i < 12; i++) {
        for (unsigned j = 0; j < 60; j++) {
            use_file(fd, j);
        }
        child = in_memory ? vfork() : fork();
        CHECK(child >= 0);
        if (!child) {
            CHECK(getppid() == self);
            for (unsigned j = 0; j < (in_memory ? 3 : 60); j++) {
                use_file(fd, j);
            }
            CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
            _exit(7);
        }
        for (unsigned j = 0; in_memory && j < 60; j++) {
            use_file(fd, j);
        }
        CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
        CHECK(fcntl(fd, F_GETFD) == 0);
    }
}

static void *volatile shared;
static volatile bool done;

static void *take_away(void *unused)
{
    (void)unused;
    while (!done) {
        CHECK(munmap(shared, PAGE) == 0);
        CHECK(mmap(shared, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0) == shared);
    }
    return NULL;
}

/* Another thread takes the memory away that the calls are given. */
static void in_threads(void)
{
    pthread_t thread;
    int fd;

    burst(ROUNDS);
    fd = open(name, O_RDONLY);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned round = 0; round < 3; round++) {
        done = false;
        CHECK(pthread_create(&thread, NULL, take_away, NULL) == 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
            ssize_t n = pread(fd, shared, 64, 0);

            CHECK(n > 0 || (n < 0 && errno == EFAULT)); /* less, where it went in the middle */
        }
        done = true;
        CHECK(pthread_join(thread, NULL) == 0);
        burst(ROUNDS / 4);
    }
}

/* What a thread has of its own is what its calls go by. */
static void changing(void)
{
    int before = getpriority(PRIO_PROCESS, 0);

    for (int more = 1; more <= 3; more++) {
        burst(ROUNDS / 4);
        CHECK(setpriority(PRIO_PROCESS, 0, before + more) == 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
            errno = 0;
            CHECK(getpriority(PRIO_PROCESS, 0) == before + more && !errno);
        }
    }
    if (!geteuid()) { /* a file of the superuser's */
        CHECK(chmod(".", 0755) == 0 && chmod(name, 0600) == 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
            CHECK(access(name, R_OK) == 0);
        }
        CHECK(setresuid(12345, 12345, 12345) == 0);
        for (unsigned i = 0; i < ROUNDS; i++) {
            uid_t real, effective, saved;

            CHECK(access(name, R_OK) < 0 && errno == EACCES);
            CHECK(getresuid(&real, &effective, &saved) == 0 && effective == 12345);
        }
    }
}

/* A limit's signal is for who writes. */
static void limited(void)
{
    struct rlimit limit = {SIZE, SIZE};
    int fd = make_file();

    CHECK(signal(SIGXFSZ, count_signal) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int i = 1; i <= ROUNDS; i++) {
        CHECK(pwrite(fd, "ab", 2, SIZE - 1) == 1);
        CHECK(pwrite(fd, "b", 1, SIZE) < 0 && errno == EFBIG && signals == i);
    }
}

/* There is no thread to be had. */
static void without_threads(void)
{
    struct rlimit none = {0, 0};

    CHECK(chmod(".", 0777) == 0 && setrlimit(RLIMIT_NPROC, &none) == 0);
    CHECK(geteuid() || setresuid(12345, 12345, 12345) == 0);
    burst(ROUNDS);
    CHECK(fork() < 0 && errno == EAGAIN);
}

/* Files come, change their names and go; a FIFO without a writer is waited for, until a signal. */
static void names(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct stat st;
    char link[16];

    for (unsigned i = 0; i < ROUNDS; i++) {
        int fd = open("one", O_RDWR | O_CREAT | O_EXCL, 0600), again;

        CHECK(fd >= 0 && write(fd, "x", 1) == 1 && ftruncate(fd, 10) == 0);
        CHECK(open("one", O_RDWR | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
        CHECK(open("none", O_RDONLY) < 0 && errno == ENOENT);
        CHECK(open("one", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR);
        CHECK(open((const char *)16, O_RDONLY) < 0 && errno == EFAULT);
        again = open("one", O_RDONLY | O_CLOEXEC);
        CHECK(again == fd + 1 && fcntl(again, F_GETFD) == FD_CLOEXEC && close(again) == 0);
        CHECK(mkdir("folder", 0700) == 0 && rename("one", "folder/two") == 0);
        CHECK(open("one", O_RDONLY) < 0 && errno == ENOENT);
        CHECK(symlink("folder/two", "three") == 0 && readlink("three", link, 16) == 10);
        CHECK(open("three", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
        again = open("three", O_WRONLY | O_TRUNC);
        CHECK(again == fd + 1 && fstat(fd, &st) == 0 && st.st_size == 0 && close(again) == 0);
        CHECK(chdir("folder") == 0 && access("two", F_OK) == 0 && chdir("..") == 0);
        CHECK(unlink("three") == 0 && rmdir("folder") < 0 && errno == ENOTEMPTY);
        CHECK(unlink("folder/two") == 0 && rmdir("folder") == 0 && close(fd) == 0);
    }
    for (unsigned i = 0; i < ROUNDS; i++) { /* made where nothing was, also behind a link */
        int fd = open("new", O_WRONLY | O_CREAT | O_TRUNC, 0640);

        CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0640 && close(fd) == 0);
        CHECK(open("new", O_WRONLY | O_CREAT | O_EXCL, 0600) < 0 && errno == EEXIST);
        CHECK(unlink("new") == 0 && symlink("new", "to-new") == 0);
        fd = open("to-new", O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0 && fchown(fd, geteuid(), getegid()) == 0 && close(fd) == 0);
        CHECK(unlink("new") == 0 && unlink("to-new") == 0);
        CHECK(open("no/new", O_WRONLY | O_CREAT, 0600) < 0 && errno == ENOENT);
    }
    CHECK(mkfifo("fifo", 0600) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 1; i <= 3; i++) {
        burst(20);
        INTERRUPTED(open("fifo", (i % 2 ? O_RDONLY : O_WRONLY) | O_CREAT, 0600));
    }
    CHECK(unlink("fifo") == 0);
}

/* Pipes, sockets and events, of which some wait: these end with a signal. */
static void ready(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, got;
    int pipe_ends[2], pair[2], queue = epoll_create1(0);
    char byte = 0;

    CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0 && queue >= 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(epoll_ctl(queue, EPOLL_CTL_ADD, pipe_ends[0], &event) == 0);
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        CHECK(read(pipe_ends[0], &byte, 1) < 0 && errno == EAGAIN);
        CHECK(epoll_wait(queue, &got, 1, 0) == 0);
        CHECK(write(pipe_ends[1], "x", 1) == 1 && epoll_wait(queue, &got, 1, -1) == 1);
        CHECK(got.data.u64 == 77 && read(pipe_ends[0], &byte, 1) == 1 && byte == 'x');
        CHECK(recv(pair[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        CHECK(send(pair[1], "y", 1, 0) == 1 && recv(pair[0], &byte, 1, 0) == 1 && byte == 'y');
    }
    for (int i = 1; i <= 3; i++) {
        burst(20);
        INTERRUPTED(epoll_wait(queue, &got, 1, -1));
        INTERRUPTED(recv(pair[0], &byte, 1, 0));
    }
    signals = 0;
    CHECK(close(pipe_ends[0]) == 0 && close(pair[0]) == 0);
    for (int i = 1; i <= ROUNDS; i++) { /* each with its own signal, before the call returns */
        CHECK(write(pipe_ends[1], "x", 1) < 0 && errno == EPIPE && signals == 2 * i - 1);
        CHECK(send(pair[1], "x", 1, 0) < 0 && errno == EPIPE && signals == 2 * i);
    }
}

static void *work_beside(void *unused)
{
    sigset_t all;

    (void)unused;
    (void)sigfillset(&all); /* signals are the first thread's */
    CHECK(pthread_sigmask(SIG_BLOCK, &all, NULL) == 0);
    while (!done) {
        CHECK(getppid() == getppid() && usleep(1000) == 0);
    }
    return NULL;
}

/* The first thread's calls, in a process that has others, makes more and forks. */
static void beside(void)
{
    pthread_t thread[3];

    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_create(&thread[i], NULL, work_beside, NULL) == 0);
    }
    burst(2 * ROUNDS);
    names();
    forked(false);
    ready();
    done = true;
    for (size_t i = 0; i < LEN(thread); i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
    }
    burst(ROUNDS);
}

/* Nothing else in the process is the payload's. */
static void facts(void)
{
    char line[256];
    FILE *file;

    burst(ROUNDS);
    file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "Threads:", 8) == 0) {
            printf("%s", line);
        }
    }
    (void)fflush(stdout);
    (void)!system("ls /proc/$PPID/task | wc -l");
}

static void on_one_cpu(void)
{
    cpu_set_t set;
    int cpu = 0;

    CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
    while (!CPU_ISSET(cpu, &set)) {
        cpu++;
    }
    burst(ROUNDS);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
    burst(ROUNDS);
}

/* Get the helper, and tell the caller that it works: the file to read, until the input ends. */
static int ready_to_read(void)
{
    int fd;

    burst(ROUNDS);
    fd = open(name, O_RDONLY);
    CHECK(fcntl(0, F_SETFL, O_NONBLOCK) == 0);
    printf("ready\n");
    (void)fflush(stdout);
    return fd;
}

/* Goes on making calls until its input ends, and says whether a signal came; with other threads. */
static void until_told(bool with_others)
{
    pthread_t thread;
    char block[64];
    int fd;

    if (with_others) {
        CHECK(pthread_create(&thread, NULL, work_beside, NULL) == 0);
    }
    CHECK(signal(SIGBUS, count_signal) != SIG_ERR);
    fd = ready_to_read();
    for (char byte; read(0, &byte, 1) != 0;) {
        for (unsigned i = 0; i < 1000; i++) {
            CHECK(pread(fd, block, sizeof(block), SIZE - 10) == 10);
        }
    }
    printf("signals: %d\n", signals > 0);
}

static void *do_nothing(void *unused)
{
    return unused;
}

/* Works as a server does, whose clients ask some at a time, until its input ends: it waits for
 * them, or for a thread that it makes. */
static void serving(bool by_threads)
{
    pthread_t thread;
    int fd = ready_to_read();
    char block[64];

    for (char byte; read(0, &byte, 1) != 0;) {
        if (by_threads) {
            CHECK(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
            CHECK(pthread_join(thread, NULL) == 0);
        } else {
            CHECK(usleep(300) == 0);
        }
        for (unsigned i = 0; i < FIRST; i++) {
            CHECK(pread(fd, block, sizeof(block), SIZE - 10) == 10);
        }
    }
}

static void compute(uint64_t cycles)
{
    uint64_t then = __builtin_ia32_rdtsc();

    while (__builtin_ia32_rdtsc() - then < cycles) {
    }
}

/* Its first calls are further apart than those in a row are, but not very far; some come a few at a
 * time, as while a program loads its libraries. */
static void starting(bool in_groups)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    char byte;

    for (unsigned i = 0; i < FIRST; i++) {
        CHECK(access("nothing", F_OK) < 0 && errno == ENOENT);
        compute(in_groups ? 0 : APART);
    }
    for (unsigned i = 0; in_groups && i < 8 * GROUPS; i++) {
        compute(i % 8 ? 0 : GROUPS_APART);
        CHECK(pread(fd, &byte, 1, 0) == 0);
    }
    printf("ready\n");
    (void)fflush(stdout);
    CHECK(read(0, &byte, 1) == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
    if (is_case(argv, "signals") || is_case(argv, "restarting")) {
        under_signals(is_case(argv, "restarting"));
    } else if (is_case(argv, "awaited")) {
        awaited();
    } else if (is_case(argv, "fork") || is_case(argv, "vfork")) {
        forked(is_case(argv, "vfork"));
    } else if (is_case(argv, "threads")) {
        in_threads();
    } else if (is_case(argv, "changing")) {
        changing();
    } else if (is_case(argv, "limited")) {
        limited();
    } else if (is_case(argv, "no-thread")) {
        without_threads();
    } else if (is_case(argv, "facts")) {
        facts();
    } else if (is_case(argv, "names")) {
        names();
    } else if (is_case(argv, "ready")) {
        ready();
    } else if (is_case(argv, "beside")) {
        beside();
    } else if (is_case(argv, "one-cpu")) {
        on_one_cpu();
    } else if (is_case(argv, "until-told") || is_case(argv, "until-told-beside")) {
        until_told(is_case(argv, "until-told-beside"));
    } else if (is_case(argv, "serving") || is_case(argv, "serving-by-threads")) {
        serving(is_case(argv, "serving-by-threads"));
    } else if (is_case(argv, "starting") || is_case(argv, "starting-in-groups")) {
        starting(is_case(argv, "starting-in-groups"));
    } else {
        burst(2 * ROUNDS);
    }
    if (is_case(argv, "exec")) {
        CHECK(execl("/proc/self/exe", argv[0], "again", NULL) == 0);
    }
    (void)unlink(name);
    printf("done\n");
    return 0;
}
