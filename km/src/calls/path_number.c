// SPDX-License-Identifier: Apache-2.0
/*
 * path_number.c: paths that go through /proc/PID/fd or fdinfo to a descriptor of the monitor's, as
 * their last component or on the way. A call that the host's kernel gets as it is, is made by a
 * path in which a number stands that no descriptor has, so that the kernel answers as where nothing
 * is open; one that has a handler finds nothing: a copy of the path may lead elsewhere by now,
 * unjudged.
 *
 * The number must stand in the path itself: the text of a symbolic link on the way is not looked
 * at. The file at its end is judged where it is opened.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_NUMBER "2147483647" /* INT_MAX, which the kernel gives to none */
#define PATHS 4                /* no path is a later argument */

/* What was read of a component: the number that it is so far, or NOT_ONE. */
#define NOT_ONE UINT64_MAX
#define BEGINS (NOT_ONE - 1)

static uint64_t read_digit(uint64_t number, char c)
{
    if (!isdigit((unsigned char)c) || number == NOT_ONE || number > INT_MAX) {
        return number == BEGINS && isdigit((unsigned char)c) ? (uint64_t)(c - '0') : NOT_ONE;
    }
    return number * 10 + (uint64_t)(c - '0');
}

/* Whether a component is the number of one of the monitor's descriptors. */
static bool has_number(uint64_t path)
{
    char piece[GUEST_PIECE] UNCLEARED;
    uint64_t number = BEGINS, size = 1;

    for (uint64_t done = 0; size && done < PATH_MAX; done += size) {
        size = guest_read_piece(piece, path + done);
        for (uint64_t i = 0; i < size; i++) {
            if (piece[i] && piece[i] != '/') {
                number = read_digit(number, piece[i]);
                continue;
            }
            if (number < BEGINS && fd_is_hidden(number)) {
                return true;
            }
            if (!piece[i]) {
                return false;
            }
            number = BEGINS;
        }
    }
    return false;
}

/* Whether the monitor's descriptor `name` is listed in `folder`, from `dirfd` on. */
static bool is_there(struct vcpu *vcpu, uint64_t dirfd, const char *folder, const char *name)
{
    int64_t fd = host_syscall(__NR_openat, (uint64_t[6]){dirfd, (uint64_t)(*folder ? folder : "."),
                                                         O_PATH | O_DIRECTORY | O_CLOEXEC});
    struct proc_file file = {0};
    struct stat st;

    if (fd < 0) {
        return false;
    }
    if (pin_set(vcpu, (int)fd) == 0) {
        if (proc_has(vcpu->pin) && fstat(vcpu->pin, &st) == 0) {
            proc_look(vcpu->pin, &st, &file);
            if (!*file.entry && strlen(name) < sizeof(file.entry)) {
                memcpy(file.entry, name, strlen(name) + 1);
            }
        }
        pin_clear(vcpu);
    }
    (void)close((int)fd);
    return strncmp(file.last, "fd", 2) == 0 && proc_is_hidden(&file);
}

/* Let `copy` be the path with another number in the place of the first that is the monitor's: true
 * if there is one. */
static bool rename_one(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, char copy[PATH_MAX])
{
    char all[PATH_MAX] UNCLEARED, folder[PATH_MAX] UNCLEARED;
    size_t length;

    if (guest_read_path(all, path) < 0) {
        return false;
    }
    for (char *name = all; *name; name += length + (name[length] == '/')) {
        uint64_t number = BEGINS;

        length = strcspn(name, "/");
        for (size_t i = 0; i < length; i++) {
            number = read_digit(number, name[i]);
        }
        if (number >= BEGINS || !fd_is_hidden(number)) {
            continue;
        }
        (void)snprintf(folder, sizeof(folder), "%.*s", (int)(name - all), all);
        (void)snprintf(copy, PATH_MAX, "%.*s", (int)length, name);
        if (is_there(vcpu, dirfd, folder, copy)) {
            return snprintf(copy, PATH_MAX, "%s" NO_NUMBER "%s", folder, name + length) < PATH_MAX;
        }
    }
    return false;
}

/* Whether the call takes argument `i` as the name of a file, and does not refuse it anyway. */
static bool is_name_of_file(const struct syscall *call, uint64_t number, unsigned i)
{
    return call->args[i].kind == ARG_PATH && number != __NR_memfd_create &&
           syscall_handlers[number] != sys_refuse &&
           (i > 0 || (number != __NR_symlink && number != __NR_symlinkat));
}

/* What a call with a handler says of a path that leads nowhere. */
static int64_t find_nothing(uint64_t number, const uint64_t *args)
{
    struct open_how how = {0};
    int64_t fd;

    switch (number) {
    case __NR_readlink:
        return (int)args[2] > 0 ? -ENOENT : -EINVAL;
    case __NR_readlinkat:
        return (int)args[3] > 0 ? -ENOENT : -EINVAL;
    case __NR_openat2: /* a way that is forbidden is found first; a name without access is no harm
                        */
        if (guest_read(&how, args[2], sizeof(how)) < 0) {
            return -ENOENT;
        }
        how = (struct open_how){.flags = O_PATH | O_CLOEXEC, .resolve = how.resolve};
        fd = host_syscall(__NR_openat2,
                          (uint64_t[6]){args[0], args[1], (uint64_t)&how, sizeof(how)});
        if (fd >= 0) {
            (void)close((int)fd);
        }
        return fd < 0 ? fd : -ENOENT;
    default:
        return -ENOENT;
    }
}

/* Where a call takes a socket's address, and its size after it; 0 for another call. */
static unsigned address_at(uint64_t number)
{
    return number == __NR_bind || number == __NR_connect ? 1 : number == __NR_sendto ? 4 : 0;
}

/* The same for the path that is a socket's address: true if `copy` names another. */
static bool rename_address(struct vcpu *vcpu, uint64_t addr, struct sockaddr_un *copy)
{
    const uint64_t path = addr + offsetof(struct sockaddr_un, sun_path);
    char other[PATH_MAX] UNCLEARED;

    *copy = (struct sockaddr_un){0};
    if (!addr || guest_read(&copy->sun_family, addr, sizeof(copy->sun_family)) < 0 ||
        copy->sun_family != AF_UNIX || !has_number(path) ||
        !rename_one(vcpu, (uint64_t)AT_FDCWD, path, other) ||
        strlen(other) >= sizeof(copy->sun_path)) {
        return false;
    }
    memcpy(copy->sun_path, other, strlen(other) + 1);
    return true;
}

/* Serve the call by other paths, if one leads to a descriptor of the monitor's. Not inlined: its
 * paths would be on the stack of every thread. */
static __attribute__((noinline)) bool serve_renamed(struct vcpu *vcpu, const struct syscall *call,
                                                    uint64_t number, const uint64_t *args,
                                                    int64_t *result)
{
    char copies[2][PATH_MAX] UNCLEARED;
    unsigned at = address_at(number);
    struct sockaddr_un address;
    uint64_t others[6];
    size_t used = 0;

    memcpy(others, args, sizeof(others));
    for (unsigned i = 0; i < PATHS && used < ARRAY_LEN(copies); i++) {
        bool from_folder = i && call->args[i - 1].kind == ARG_DIRFD;

        if (is_name_of_file(call, number, i) && has_number(args[i]) &&
            rename_one(vcpu, from_folder ? args[i - 1] : (uint64_t)AT_FDCWD, args[i],
                       copies[used])) {
            others[i] = (uint64_t)copies[used++];
        }
    }
    if (at && rename_address(vcpu, args[at], &address)) {
        others[at] = (uint64_t)&address;
        others[at + 1] = sizeof(address);
        used++;
    }
    if (used) {
        *result =
            syscall_handlers[number] ? find_nothing(number, others) : host_syscall(number, others);
    }
    return used;
}

bool path_number_serve(struct vcpu *vcpu, const struct syscall *call, uint64_t number,
                       const uint64_t *args, int64_t *result)
{
    bool wanted = address_at(number);

    for (unsigned i = 0; i < PATHS && !wanted; i++) {
        wanted = is_name_of_file(call, number, i) && has_number(args[i]);
    }
    return wanted && serve_renamed(vcpu, call, number, args, result);
}
