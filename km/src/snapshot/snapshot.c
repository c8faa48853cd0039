// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot.c: the payload asks for a snapshot of itself, by opening a file that Linux does not
 * have. The user who runs km decides where it goes, and whether the payload can ask at all.
 */
#include "snapshot/snapshot.h"
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char asking[] = "/proc/kontain/snapshot";
static const char environment[] = "/proc/kontain/environ";
static bool resumed;

static bool is(uint64_t path, const char *name, size_t size)
{
    char text[sizeof(asking)];

    return guest_read(text, path, 1) == 0 && *text == '/' && guest_read(text, path, size) == 0 &&
           !memcmp(text, name, size);
}

bool snapshot_is_asked(uint64_t path)
{
    return ((options.snapshot || resumed) && is(path, asking, sizeof(asking))) ||
           (resumed && is(path, environment, sizeof(environment)));
}

/* A file to read, with these words. */
static int64_t answer(char *const *word, uint64_t open_flags)
{
    struct vcpu *vcpu = signal_vcpu();
    int64_t fd = pin_memory(vcpu, "snapshot", 0);
    struct text text;

    if (fd < 0) {
        return fd;
    }
    text_begin(&text, vcpu);
    for (; *word; word++) {
        text_add(&text, *word, strlen(*word) + 1);
    }
    (void)text_put(&text, vcpu->pin);
    text_end(&text);
    fd = fcntl(vcpu->pin, open_flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    fd = fd < 0 ? -errno : fd;
    pin_clear(vcpu);
    return fd;
}

/* The arguments that a resumed program is given; nothing where one just goes on. */
static int64_t answer_arguments(uint64_t open_flags)
{
    static char *const none[] = {NULL};

    return answer(resumed ? options.argv : none, open_flags);
}

int64_t snapshot_answer(uint64_t open_flags)
{
    resumed = true;
    return answer_arguments(open_flags);
}

/* ---- socketpairs, of which the host does not tell which two belong together ---- */

#define PAIRS_MAX 1024

static uint64_t pairs[PAIRS_MAX][2];
static unsigned pair_count;

void snapshot_note_pair(const int ends[2])
{
    struct stat one, other;

    if (options.snapshot && fstat(ends[0], &one) == 0 && fstat(ends[1], &other) == 0) {
        unsigned at = __atomic_fetch_add(&pair_count, 1, __ATOMIC_RELAXED) % PAIRS_MAX;

        pairs[at][0] = one.st_ino; /* the oldest are forgotten, and refused */
        pairs[at][1] = other.st_ino;
    }
}

uint64_t snapshot_pair_of(uint64_t inode)
{
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (pairs[i][0] == inode || pairs[i][1] == inode) {
            return pairs[i][0] == inode ? pairs[i][1] : pairs[i][0];
        }
    }
    return 0;
}

/* ---- asking ---- */

/* Stop all, write, and end the process unless it is to go on. False when nothing was written. */
static bool take(struct vcpu *vcpu, bool in_call, uint64_t open_flags)
{
    struct refusal why = {0};
    bool written;

    signal_hold(); /* SIGXFSZ: the limit on a file's size is an error here */
    freeze_all(freeze_of(vcpu));
    written = snapshot_write(freeze_of(vcpu), in_call, open_flags, &why);
    if (written && !options.live) {
        hooks.exits(vcpu, 0, true);
        _exit(0);
    }
    freeze_thaw();
    signal_release(vcpu);
    if (!written) {
        complain(why.fix, "cannot write the snapshot %s: %s", options.snapshot, why.what);
    }
    return written;
}

int64_t snapshot_ask(struct vcpu *vcpu, uint64_t path, uint64_t open_flags)
{
    if (resumed && is(path, environment, sizeof(environment))) {
        return answer(environ, open_flags);
    }
    if (options.snapshot && (vcpu->vforked || !take(vcpu, true, open_flags))) {
        return -EBUSY;
    }
    return answer_arguments(open_flags);
}

/* ---- asking from outside ---- */

static bool wanted;

/* Which no payload has at an address of its own. */
#define REQUEST ((void *)GUEST_TOP)

bool snapshot_is_request(const void *signal_info)
{
    const siginfo_t *info = signal_info;
    bool found = info->si_signo == SIGBUS && info->si_code == SI_QUEUE && info->si_ptr == REQUEST;

    if (found) {
        __atomic_store_n(&wanted, options.snapshot != NULL, __ATOMIC_RELEASE);
    }
    return found;
}

void snapshot_point(struct vcpu *vcpu)
{
    if (__atomic_load_n(&wanted, __ATOMIC_ACQUIRE) &&
        __atomic_exchange_n(&wanted, false, __ATOMIC_ACQ_REL)) {
        (void)take(vcpu, false, 0);
    }
}

_Noreturn void snapshot_request(const char *word)
{
    siginfo_t info = {.si_signo = SIGBUS, .si_code = SI_QUEUE};
    char exe[64], *end;
    long pid = strtol(word, &end, 10);

    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_ptr = REQUEST;
    (void)snprintf(exe, sizeof(exe), "/proc/%ld/exe", pid);
    if (*end || pid <= 0 || !self_is(exe)) {
        die(STATUS_FAILED, "give the number of a process that this km runs with --snapshot",
            "--snapshot-now found no program of this km in process '%s'", word);
    }
    if (syscall(__NR_rt_sigqueueinfo, pid, SIGBUS, &info) < 0) {
        die(STATUS_FAILED, "ask as the user who runs it", "cannot ask process %ld: %m", pid);
    }
    _exit(0);
}
