// SPDX-License-Identifier: Apache-2.0
/*
 * Touches pages that the kernel cannot give, each in the ways that a program has: by an
 * instruction, by a system call, by so many calls that a helper makes them, in a fork; then each
 * page that /proc/self/maps lists.
 */
#include "fault.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define MADV_GUARD_INSTALL_ 102
#define MADV_GUARD_REMOVE_ 103
#define PAGES 4
#define HELPED_CALLS 5000

static char *anonymous(int prot, int flags)
{
    return mmap(NULL, PAGES * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);
}

/* As the kernel sees it, when it copies from there and to there. */
static void ask_kernel(char *p)
{
    int fd = open("buffer", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct iovec pieces[2] = {{"x", 1}, {p, 1}};

    SHOW(pwrite(fd, "b", 1, 0));
    SHOW(pwrite(fd, p, 1, 0));
    SHOW(pread(fd, p, 1, 0));
    SHOW(pwritev(fd, pieces, 2, 0));
    CHECK(close(fd) == 0);
}

static void ask_helper(char *p)
{
    int fd = open("buffer", O_RDWR | O_CREAT, 0600), failed = 0;

    CHECK(pwrite(fd, "b", 1, 0) == 1);
    for (int i = 0; i < HELPED_CALLS; i++) {
        failed += pread(fd, p, 1, 0) < 0 && errno == EFAULT;
    }
    printf("of %d calls failed %d\n", HELPED_CALLS, failed);
    CHECK(close(fd) == 0);
}

static void ask(const char *name, char *p)
{
    printf("-- %s\n", name);
    fault_try(name, 'r', p);
    fault_try(name, 'w', p + 7);
    fault_try(name, 'x', p);
    fault_try("again", 'r', p);
    ask_kernel(p);
    (void)fflush(stdout);
    if (!fork()) {
        fault_try("in a fork", 'r', p);
        fault_try("in a fork", 'w', p);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)wait(NULL);
}

/* ---- pages that cannot be given ---- */

static void guards(void)
{
    int file = open("guarded", O_RDWR | O_CREAT, 0600);
    char *page = anonymous(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE), *large, *mapped;

    memset(page, 1, PAGES * PAGE); /* it was there before */
    SHOW(madvise(page + PAGE, 2 * PAGE, MADV_GUARD_INSTALL_));
    fault_try("before it", 'r', page);
    fault_try("behind it", 'r', page + 3 * PAGE);
    ask("guard", page + PAGE);
    ask_helper(page + PAGE);
    SHOW(madvise(page + PAGE, PAGE, MADV_GUARD_REMOVE_));
    fault_try("removed", 'r', page + PAGE);
    fault_try("the second", 'w', page + 2 * PAGE);
    large = mmap(NULL, 8 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(madvise(large + 3 * HUGE, PAGE, MADV_GUARD_INSTALL_));
    memset(large, 1, 3 * HUGE);
    fault_try("in a large one", 'w', large + 3 * HUGE);
    fault_try("beside", 'w', large + 3 * HUGE + PAGE);
    CHECK(ftruncate(file, PAGES * PAGE) == 0);
    mapped = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    SHOW(madvise(mapped, PAGE, MADV_GUARD_INSTALL_));
    ask("guard in a file", mapped);
    CHECK(munmap(page, PAGES * PAGE) == 0 && munmap(mapped, PAGES * PAGE) == 0);
}

static void shrunk(const char *name, int flags, int fd)
{
    char *page;

    CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
    page = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    for (size_t i = 0; i < PAGES; i++) {
        (void)*(volatile char *)(page + i * PAGE);
    }
    CHECK(ftruncate(fd, PAGE + 1) == 0);
    fault_try("still there", 'w', page + PAGE + 1000);
    ask(name, page + 2 * PAGE);
    ask_helper(page + 3 * PAGE);
    CHECK(ftruncate(fd, PAGES * PAGE) == 0);
    fault_try("grown", 'r', page + 2 * PAGE);
    CHECK(munmap(page, PAGES * PAGE) == 0 && close(fd) == 0);
}

/* Where no huge page is kept. */
static void huge_pages(void)
{
    char *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);

    if (page != MAP_FAILED) {
        fault_try("huge", 'w', page);
        fault_try("huge", 'r', page + PAGE);
        CHECK(munmap(page, HUGE) == 0);
    }
}

/* ---- a handler that gives the page: the access is made again ---- */

static char *given;

static void give(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    CHECK(info->si_addr == given);
    CHECK(madvise(given, PAGE, MADV_GUARD_REMOVE_) == 0);
}

static void gives(void)
{
    struct sigaction action = {.sa_sigaction = give, .sa_flags = SA_SIGINFO};

    given = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 200; i++) {
        if (madvise(given, PAGE, MADV_GUARD_INSTALL_) < 0) {
            return;
        }
        CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
        *(volatile char *)given = (char)i;
        CHECK(*given == (char)i);
    }
    fault_catch();
}

/* ---- what the list says ---- */

static struct {
    unsigned long start, end;
    char rights[8];
} list[512];

static size_t read_list(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    size_t n = 0;

    while (n < LEN(list) && fgets(line, sizeof(line), maps)) {
        n += sscanf(line, "%lx-%lx %7s", &list[n].start, &list[n].end, list[n].rights) == 3;
    }
    CHECK(fclose(maps) == 0);
    return n;
}

static bool loads(volatile char *p)
{
    if (sigsetjmp(fault_back, 1)) {
        CHECK(fault_info.si_addr == (void *)p || (unsigned long)p >> 63);
        CHECK(fault_info.si_signo == SIGBUS
                  ? fault_info.si_code == BUS_ADRERR
                  : fault_info.si_code == SEGV_MAPERR || fault_info.si_code == SEGV_ACCERR);
        return false;
    }
    (void)*p;
    return true;
}

/* Readable, or a signal and EFAULT: each page is one or the other. */
static void every_listed(void)
{
    int ends[2];
    size_t count = read_list(), differ = 0, pages = 0;

    CHECK(pipe(ends) == 0);
    for (size_t i = 0; i < count; i++) {
        unsigned long limit = list[i].start + 1024 * PAGE;

        for (unsigned long at = list[i].start; at < list[i].end && at < limit; at += PAGE) {
            bool loaded = loads((char *)at), written = write(ends[1], (char *)at, 1) == 1;
            char byte;

            CHECK(written || errno == EFAULT);
            CHECK(!written || read(ends[0], &byte, 1) == 1);
            CHECK(!loaded || list[i].rights[0] == 'r');
            differ += loaded != written;
            pages++;
        }
    }
    printf("pages %s, of which %zu differ\n", pages > 20 ? "many" : "few", differ);
}

int main(void)
{
    char *shared;
    int segment = shmget(IPC_PRIVATE, PAGE, 0600);

    fault_catch();
    guards();
    shrunk("shared", MAP_SHARED, open("shrunk", O_RDWR | O_CREAT, 0600));
    shrunk("private", MAP_PRIVATE, open("shrunk", O_RDWR | O_CREAT, 0600));
    shrunk("memory", MAP_SHARED, memfd_create("shrunk", 0));
    huge_pages();
    ask("no right", anonymous(PROT_NONE, MAP_PRIVATE));
    ask("read only", anonymous(PROT_READ, MAP_SHARED));
    shared = shmat(segment, NULL, SHM_RDONLY);
    CHECK(shmctl(segment, IPC_RMID, NULL) == 0);
    ask("segment", shared);
    gives();
    every_listed();
    return 0;
}
