// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot.c: the payload asks for a snapshot of itself, by opening a file that Linux does not
 * have. Where it goes is the business of who runs km; that it can be asked for at all, too.
 */
#include "snapshot.h"
#include "syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char asking[] = "/proc/kontain/snapshot";
static bool resumed;

bool snapshot_is_asked(uint64_t path)
{
    char text[sizeof(asking)];

    return (options.snapshot || resumed) && guest_read(text, path, 1) == 0 && *text == '/' &&
           guest_read(text, path, sizeof(text)) == 0 && !memcmp(text, asking, sizeof(asking));
}

/* A file to read: the arguments that a resumed program is given; nothing where one just goes on. */
static int64_t answer(uint64_t open_flags)
{
    int fd = memfd_create("snapshot", open_flags & O_CLOEXEC ? MFD_CLOEXEC : 0);

    if (fd < 0) {
        return -errno;
    }
    for (char **arg = options.argv; resumed && *arg; arg++) {
        if (write(fd, *arg, strlen(*arg) + 1) < 0) {
            break;
        }
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

int64_t snapshot_answer(uint64_t open_flags)
{
    resumed = true;
    return answer(open_flags);
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

static void let_go(void)
{
    stop_lock();
    for (struct stoppable *thread = stop_first(); thread; thread = stop_next(thread)) {
        __atomic_store_n(&thread->held, false, __ATOMIC_RELEASE);
    }
    stop_unlock();
    stop_release();
}

int64_t snapshot_ask(struct vcpu *vcpu, uint64_t open_flags)
{
    struct refusal why = {0};
    bool written;

    if (!options.snapshot) {
        return answer(open_flags);
    }
    if (vcpu->vforked) { /* the other threads are of another process */
        return -EBUSY;
    }
    signal_hold(); /* SIGXFSZ: the limit on a file's size is an error here */
    stop_all(stop_of(vcpu));
    written = snapshot_write(stop_of(vcpu), open_flags, &why);
    if (written && !options.live) {
        ending_exit(vcpu, 0, true);
        _exit(0);
    }
    let_go();
    signal_release(vcpu);
    if (!written) {
        complain(why.fix, "cannot write the snapshot %s: %s", options.snapshot, why.what);
        return -EBUSY;
    }
    return answer(open_flags);
}
