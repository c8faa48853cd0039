// SPDX-License-Identifier: Apache-2.0
/*
 * helper_own.c: calls whose answer depends on the thread that asks, which the helper therefore
 * leaves to the payload's own: those that see the signals that wait for a thread, and paths by
 * /proc/thread-self. Likewise calls that take long, where a signal to the thread would end them.
 */
#include "base/base.h"
#include "calls/helper.h"
#include "calls/mounts.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "calls/syscall_table.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE (1UL << 20) /* bytes */

/* Whether a path names the link. */
static bool is_by_thread(uint64_t at)
{
    char path[PATH_MAX] UNCLEARED;

    return guest_read_path(path, at) == 0 && strstr(path, "thread-self");
}

/* Whether one among the arguments does. */
static bool names_thread(uint32_t number, const uint64_t *args)
{
    const struct arg *kinds = syscall_table[number].args;

    for (unsigned i = 0; i < 6 && kinds[i].kind != ARG_NONE; i++) {
        if (kinds[i].kind == ARG_PATH && is_by_thread(args[i])) {
            return true;
        }
    }
    return false;
}

/*
 * A signalfd, and an epoll that has one, is ready by the signals that wait for the thread that
 * looks: signalfd_poll() in the kernel. None waits for long for a thread that blocks none. An epoll
 * also forgets what it finds not ready.
 */
static bool sees_signals(const struct vcpu *vcpu, uint32_t number)
{
    return vcpu->signal_mask && (waiting_polls(number) || number == __NR_epoll_ctl);
}

/* A terminal without a foreground group sends its signals to who asks: __tty_fasync(). */
static bool wants_signals(uint32_t number, const uint64_t *args)
{
    return number == __NR_fcntl && (int)args[1] == F_SETFL && args[2] & O_ASYNC;
}

/* A signal ends them in the middle, with what they have done until then. An exit costs little
 * beside so many bytes. */
static bool takes_long(uint32_t number, const uint64_t *args)
{
    switch (number) {
    case __NR_getrandom:
        return args[1] > AT_ONCE;
    case __NR_read:
    case __NR_pread64:
        return args[2] > AT_ONCE;
    case __NR_sendfile:
    case __NR_fallocate:
        return args[3] > AT_ONCE;
    default:
        return false;
    }
}

bool own_asks(const struct vcpu *vcpu, uint32_t number, const uint64_t *args)
{
    return sees_signals(vcpu, number) || wants_signals(number, args) || takes_long(number, args) ||
           names_thread(number, args);
}

/* The filesystem that a call which tells of a file has said: of `stat` its device alone. */
static bool read_device(uint32_t number, const uint64_t *args, struct stat *st)
{
    struct host_statx found;

    switch (number) {
    case __NR_stat:
    case __NR_lstat:
        return guest_read(&st->st_dev, args[1], sizeof(st->st_dev)) == 0;
    case __NR_newfstatat:
        return guest_read(&st->st_dev, args[2], sizeof(st->st_dev)) == 0;
    case __NR_statx:
        if (guest_read(&found, args[4], sizeof(found)) < 0) {
            return false;
        }
        st->st_dev = makedev(found.major, found.minor);
        return true;
    default:
        return false;
    }
}

bool own_answers(uint32_t number, const uint64_t *args)
{
    bool from_folder = number == __NR_newfstatat || number == __NR_statx;
    struct stat st = {0};

    return read_device(number, args, &st) && pin_is_on_proc(&st) &&
           !proc_path_begins_there(from_folder ? args[0] : (uint64_t)AT_FDCWD,
                                   args[from_folder ? 1 : 0]);
}

/*
 * The kernel has sent these to the helper, which blocks them. Such a call is mostly made again;
 * but sendfile(2) tells of what it has moved before.
 */
void own_signals(const struct vcpu *vcpu, bool is_made)
{
    static const struct timespec at_once = {0, 0};
    static const uint64_t of_calls = SIGNAL_BIT(SIGPIPE) | SIGNAL_BIT(SIGXFSZ);
    siginfo_t info;
    long signo;

    while ((signo = syscall(__NR_rt_sigtimedwait, &of_calls, &info, &at_once, sizeof(of_calls))) >
           0) {
        if (is_made) {
            signal_pass_on(freeze_of(vcpu)->tid, (int)signo, &info);
        }
    }
}
