// SPDX-License-Identifier: Apache-2.0
/*
 * probe.c: km --probe runs a test program to see whether programs can run here: km does for it all
 * that it does for any program, in the same code, and prints each step with its time. docs: km(1),
 * PROBE.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "top.h"
#include "watch/watch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBE_STATUS 17 /* of the program when all is well: probe_guest.S */
#define PROBE_SECONDS 20

extern const char probe_guest[];
extern const uint32_t probe_guest_size;

/* What the child does, for its parent too. */
struct progress {
    const char *step;
    struct timespec since;
    bool failed; /* and has said why */
};

static struct progress *progress;

static uint64_t microseconds(const struct timespec *since)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)(now.tv_sec - since->tv_sec) * 1000000 +
           (uint64_t)((now.tv_nsec - since->tv_nsec) / 1000);
}

void probe_step(const char *name)
{
    if (!progress) {
        return;
    }
    if (progress->step) {
        (void)dprintf(STDOUT_FILENO, "step=%s us=%lu\n", progress->step,
                      microseconds(&progress->since));
    }
    progress->step = name;
    (void)clock_gettime(CLOCK_MONOTONIC, &progress->since);
}

void probe_failed(int error)
{
    const char *name = error ? name_of_errno(error) : NULL;

    if (progress) {
        progress->failed = true;
        (void)dprintf(STDOUT_FILENO, "step=%s error=%s\n",
                      progress->step ? progress->step : "start", name ? name : "none");
    }
}

/* ---- the parent ---- */

/* Wait for the child, so long. False: it does not end, and is killed. */
static bool wait_for(pid_t child, const sigset_t *chld, int *status)
{
    const struct timespec limit = {.tv_sec = PROBE_SECONDS};

    while (sigtimedwait(chld, NULL, &limit) < 0 && errno == EINTR) {
    }
    if (waitpid(child, status, WNOHANG) == child) {
        return true;
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, status, 0);
    return false;
}

static _Noreturn void judge(pid_t child, const sigset_t *chld)
{
    const char *step;
    int status = 0;
    bool ended = wait_for(child, chld, &status);

    if (ended && WIFEXITED(status) && WEXITSTATUS(status) == PROBE_STATUS) {
        probe_step(NULL);
        _exit(dprintf(STDOUT_FILENO, "result=ok\n") > 0 ? 0 : STATUS_FAILED);
    }
    (void)dprintf(STDOUT_FILENO, "result=failed\n");
    if (progress->failed) {
        _exit(STATUS_FAILED);
    }
    step = progress->step ? progress->step : "start";
    if (!ended) {
        die(STATUS_FAILED, FIX_CPU, "a program does not run here: at %s it stood still for %d s",
            step, PROBE_SECONDS);
    }
    die(STATUS_FAILED, FIX_CPU, "a program does not run here: at %s it ended by %s %d, wanted %d",
        step, WIFSIGNALED(status) ? "signal" : "status",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), PROBE_STATUS);
}

static void say_host(void)
{
    struct utsname name;

    (void)uname(&name);
    (void)dprintf(STDOUT_FILENO, "km=%s\nkernel=%s\nversion=%s\n", KM_VERSION, name.release,
                  name.version);
}

void probe_begin(void)
{
    sigset_t chld;
    pid_t child;

    progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) {
        progress = NULL;
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)", "no memory: %m");
    }
    say_host();
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, NULL);
    child = fork();
    if (child < 0) {
        die(STATUS_FAILED, "raise the limit on processes (ulimit -u)",
            "no process for the probe: %m");
    }
    if (child) {
        judge(child, &chld);
    }
    (void)sigprocmask(SIG_UNBLOCK, &chld, NULL);
}

/* ---- the child ---- */

static void say_cpuid(const char *whose, const struct cpuid_table *table)
{
    for (uint32_t i = 0; i < table->head.nent; i++) {
        const struct kvm_cpuid_entry2 *e = &table->entries[i];

        (void)dprintf(STDOUT_FILENO, "%s=%x.%x %08x %08x %08x %08x\n", whose, e->function, e->index,
                      e->eax, e->ebx, e->ecx, e->edx);
    }
}

/* The CPU as it is, what KVM is told of it, and the features that a program gets. */
static void say_cpu(const struct vm *vm)
{
    static char names[4096];
    static struct cpuid_table table;
    uint32_t set[CPUID_WORDS];

    cpuid_ask_host(&table);
    say_cpuid("host", &table);
    say_cpuid("cpuid", (const struct cpuid_table *)vm->cpuid);
    cpuid_read_host(&table);
    cpuid_features(&table, set);
    cpuid_feature_names(set, names, sizeof(names));
    (void)dprintf(STDOUT_FILENO, "features=%s\n", names);
}

/* What KVM answers of each capability that it has: numbers of linux/kvm.h. */
static void say_capabilities(const struct vm *vm)
{
    for (int number = 0; number < 256; number++) {
        int answer = kvm_ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, number);

        if (answer > 0) {
            (void)dprintf(STDOUT_FILENO, "capability=%d %d\n", number, answer);
        }
    }
}

void probe_load(struct vm *vm)
{
    uint64_t at = layout.image;

    (void)dprintf(STDOUT_FILENO, "kind=%s\n", vm->hardware ? "hardware" : "software");
    if (options.verbose) {
        say_capabilities(vm);
        say_cpu(vm);
    }
    if (mm_map(at, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0) < 0) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)",
            "no memory for a program");
    }
    memcpy((void *)at, probe_guest, probe_guest_size);
    (void)mm_protect(at, PAGE_SIZE, PROT_READ | PROT_EXEC);
    image.entry = image.own_entry = image.start = at;
    image.end = at + 2 * PAGE_SIZE;
    image.execfn = "probe";
    mm_set_brk(image.end, image.end);
}
