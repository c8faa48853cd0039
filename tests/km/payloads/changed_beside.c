// SPDX-License-Identifier: Apache-2.0
/*
 * A thread reads or writes at one instruction, without any system call, while another changes what
 * is mapped there: no signal comes but those that the page deserves, each with its address.
 */
#include "payload.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define CHANGES 4000
#define AS_IT_IS (MAP_SHARED | MAP_FIXED)
#define NEW (MAP_PRIVATE | MAP_ANONYMOUS)

static volatile char *page;
static char *other;
static int file;
static atomic_bool ends;
static atomic_ulong wrong;
static sigjmp_buf out;

static void change_rights(void)
{
    (void)mprotect((void *)page, PAGE, PROT_READ | PROT_EXEC);
    (void)mprotect((void *)page, PAGE, PROT_READ);
}

static void give_back(void)
{
    (void)madvise((void *)page, PAGE, MADV_DONTNEED);
}

static void map_again(void)
{
    (void)mmap((void *)page, PAGE, PROT_READ, AS_IT_IS, file, 0);
}

static void move_there(void)
{
    other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, NEW, -1, 0);
    (void)mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page);
}

static void cut(void)
{
    (void)ftruncate(file, 0);
    (void)ftruncate(file, (off_t)PAGE);
}

static const struct {
    const char *name;
    void (*change)(void);
    bool of_file, writes, faults;
} cases[] = {
    {"rights", change_rights, true, false, false},
    {"back", give_back, false, true, false},
    {"again", map_again, true, false, false},
    {"move", move_there, false, true, false},
    {"cut", cut, true, false, true},
};

static void *change(void *which)
{
    for (int i = 0; i < CHANGES; i++) {
        cases[(size_t)which].change();
    }
    ends = true;
    return NULL;
}

/* Not blocked again, nor unblocked by a call. */
static void on_fault(int signo, siginfo_t *info, void *context)
{
    (void)context;
    wrong += signo != SIGBUS || info->si_code != BUS_ADRERR || info->si_addr != (void *)page;
    siglongjmp(out, 1);
}

static void touch(bool writes)
{
    (void)sigsetjmp(out, 0);
    while (!ends && writes) {
        *page = 1;
    }
    while (!ends) {
        (void)*page;
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    pthread_t thread;
    size_t i = 0;

    CHECK(argc > 1);
    while (strcmp(cases[i].name, argv[1]) != 0) {
        i++;
    }
    CHECK(ftruncate(open("file", O_CREAT | O_RDWR, 0600), (off_t)PAGE) == 0);
    file = open("file", cases[i].faults ? O_RDWR : O_RDONLY);
    page = cases[i].of_file ? mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0)
                            : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, NEW, -1, 0);
    if (cases[i].faults) {
        CHECK(sigaction(SIGBUS, &action, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    }
    CHECK(pthread_create(&thread, NULL, change, (void *)i) == 0);
    touch(cases[i].writes);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("%s: %lu wrong signals\n", argv[1], wrong);
    return 0;
}
