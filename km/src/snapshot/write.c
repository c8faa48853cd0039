// SPDX-License-Identifier: Apache-2.0
/*
 * write.c: make a snapshot of the payload, whose threads all stand still: its file appears
 * under its name whole, or not at all.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "snapshot/snapshot.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

bool refuse(struct refusal *why, const char *fix, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    (void)vsnprintf(why->what, sizeof(why->what), what, args);
    va_end(args);
    why->fix = fix;
    return false;
}

/* With a zero behind them. */
bool snapshot_add_bytes(struct snapshot *to, const void *bytes, size_t size, uint32_t *at)
{
    size_t used = to->process.counts.strings;

    if (size >= SNAPSHOT_STRINGS_MAX - used) {
        return false;
    }
    memcpy(to->strings + used, bytes, size);
    *at = (uint32_t)used;
    to->process.counts.strings = (uint32_t)(used + size + 1);
    return true;
}

bool snapshot_add_string(struct snapshot *to, const char *string, uint32_t *at)
{
    return snapshot_add_bytes(to, string, strlen(string), at);
}

/* ---- the threads ---- */

static void save_name(pid_t tid, char name[16])
{
    char path[64];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, name, 15);
    (void)close(fd);
    while (n > 0 && name[n - 1] == '\n') {
        n--;
    }
    name[n < 0 ? 0 : n] = 0;
}

static void save_thread(struct freezable *thread, struct snap_thread *to)
{
    const struct vcpu *vcpu = thread->vcpu;

    freeze_get_state(thread, &to->state);
    to->signal_mask = vcpu->signal_mask;
    to->clear_tid = vcpu->clear_tid;
    to->robust_list = vcpu->robust_list;
    memcpy(to->altstack, &vcpu->altstack, sizeof(to->altstack));
    to->tid = pid_map_shown(thread->tid);
    save_name(thread->tid, to->name);
}

/* The first is the one that is the process's own. */
static bool save_threads(struct snapshot *to, const struct freezable *self, struct refusal *why)
{
    uint32_t *count = &to->process.counts.threads;

    *count = 1;
    to->process.self = UINT32_MAX;
    to->threads[0].tid = 0;
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        uint32_t at = thread->tid == getpid() ? 0 : (*count)++;

        if (!seccomp_is_off(thread->vcpu)) {
            return refuse(why, "let the program ask before it installs them",
                          "it has seccomp filters");
        }
        save_thread(thread, &to->threads[at]);
        if (thread == self) {
            to->process.self = at;
        }
    }
    return to->threads[0].tid || refuse(why, "keep the first thread alive as long as the program",
                                        "its first thread has ended");
}

/* ---- the process ---- */

/* What has a state in the host's kernel that nobody can read or make again. */
static bool check_process(const struct vcpu *vcpu, struct refusal *why)
{
    char byte;
    int fd;
    ssize_t n;
    siginfo_t info;

    if (vcpu->vforked) {
        return refuse(why, "ask in the program itself", "it is the child of a vfork");
    }
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0) {
        return refuse(why, "wait for them first", "it has child processes");
    }
    if (aio_is_used()) {
        return refuse(why, "let the program end it (io_destroy) first",
                      "it has a context of io_setup(2)");
    }
    fd = open("/proc/self/timers", O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : read(fd, &byte, 1);
    (void)close(fd);
    return n <= 0 || refuse(why, "let the program delete it (timer_delete) first",
                            "it has a timer of timer_create(2)");
}

static bool save_process(struct snapshot *to, struct refusal *why)
{
    struct snap_process *process = &to->process;
    char cwd[PATH_MAX];
    size_t size;
    const void *auxv = stack_auxv(&size);

    if (!getcwd(cwd, sizeof(cwd)) || *cwd != '/') {
        return refuse(why, "start it in a folder that nothing removes",
                      "its working directory does not exist");
    }
    mm_get_brk(&process->brk_start, &process->brk_end);
    process->layout = layout;
    process->entry = image.entry;
    process->own_entry = image.own_entry;
    process->phdr = image.phdr;
    process->phdr_count = image.phdr_count;
    process->loader_base = image.loader_base;
    process->start = image.start;
    process->end = image.end;
    process->shown = *stack_get_shown();
    process->auxv_size = (uint32_t)size;
    memcpy(process->auxv, auxv, size);
    process->umask = umask(0);
    (void)umask(process->umask);
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        process->actions[signo] = *signal_action(signo);
    }
    for (int i = 0; i < 3; i++) {
        (void)getitimer(i, (struct itimerval *)process->timers[i]);
    }
    return (snapshot_add_string(to, cwd, &process->cwd) &&
            snapshot_add_string(to, image.path, &process->path)) ||
           refuse(why, FIX_REPORT, "its names are too long");
}

/* ---- the file ---- */

static bool write_at(struct snapshot *to, uint64_t at, const void *bytes, size_t size)
{
    return !size || pwrite(to->fd, bytes, size, (off_t)at) == (ssize_t)size;
}

/* The metadata, which the checksum is of as it is read again; then the header. */
static bool write_meta(struct snapshot *to, struct refusal *why)
{
    struct snap_header header = {
        .magic = SNAPSHOT_MAGIC, .format = SNAPSHOT_FORMAT, .meta_at = to->data_end};
    uint64_t at = to->data_end;
    bool good = write_at(to, at, &to->process, sizeof(to->process));
    void *meta;

    at += sizeof(to->process);
#define WRITE(name, max)                                                                           \
    good = good && write_at(to, at, to->name, to->process.counts.name * sizeof(*to->name));        \
    at += to->process.counts.name * sizeof(*to->name);
    SNAPSHOT_ARRAYS(WRITE)
#undef WRITE
    header.file_size = at;
    header.meta_size = at - header.meta_at;
    snapshot_host(&header.host);
    meta = mmap(NULL, header.meta_size, PROT_READ, MAP_SHARED, to->fd, (off_t)header.meta_at);
    if (good && meta != MAP_FAILED) {
        header.meta_sum = snapshot_sum(meta, header.meta_size);
        header.sum = snapshot_sum(&header, offsetof(struct snap_header, sum));
        good = write_at(to, 0, &header, sizeof(header)) && fsync(to->fd) == 0;
        (void)munmap(meta, header.meta_size);
    }
    return good || refuse(why, FIX_SNAPSHOT_FILE, "the file cannot be written: %m");
}

/* What cannot be read again must not be written. */
static bool check(const struct snapshot *to, struct refusal *why)
{
    const char *what;

    return snapshot_valid(to, &what) || refuse(why, FIX_REPORT, "km cannot resume its %s", what);
}

static bool fill(struct snapshot *to, const struct freezable *self, struct refusal *why)
{
    bool good = true;

#define ROOM(name, max)                                                                            \
    to->name = mmap(NULL, (size_t)(max) * sizeof(*to->name), PROT_READ | PROT_WRITE,               \
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);                           \
    good = good && (void *)to->name != MAP_FAILED;
    SNAPSHOT_ARRAYS(ROOM)
#undef ROOM
    to->process.counts.strings = 1;
    to->data_end = PAGE_SIZE;
    if (!good) {
        good = refuse(why, "raise the limit on address space (ulimit -v)", "no memory: %m");
    }
    good = good && save_threads(to, self, why) && save_process(to, why) &&
           snapshot_save_fds(to, why) && snapshot_save_memory(to, why) && check(to, why) &&
           write_meta(to, why);
#define FREE(name, max) (void)munmap(to->name, (size_t)(max) * sizeof(*to->name));
    SNAPSHOT_ARRAYS(FREE)
#undef FREE
    return good;
}

bool snapshot_write(const struct freezable *self, bool in_call, uint64_t open_flags,
                    struct refusal *why)
{
    static struct snapshot to;
    char made[PATH_MAX + 64];
    uint64_t random = 0;
    bool good;

    if (!check_process(self->vcpu, why)) {
        return false;
    }
    site_put_back_all(true);
    (void)getrandom(&random, sizeof(random), 0);
    (void)snprintf(made, sizeof(made), "%s.%016lx", options.snapshot, random);
    to = (struct snapshot){.process.open_flags = (uint32_t)open_flags};
    to.fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700);
    if (to.fd >= 0) {
        to.fd = fd_hide(to.fd);
    }
    if (to.fd < 0) {
        return refuse(why, FIX_SNAPSHOT_FILE, "the file cannot be made: %m");
    }
    good = fill(&to, in_call ? self : NULL, why);
    fd_close_hidden(to.fd);
    if (good && rename(made, options.snapshot) < 0) {
        good = refuse(why, FIX_SNAPSHOT_FILE, "the file cannot get its name: %m");
    }
    if (!good) {
        (void)unlink(made);
    }
    return good;
}
