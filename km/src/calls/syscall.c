// SPDX-License-Identifier: Apache-2.0
/*
 * syscall.c: one system call of the payload: check it by the table, then serve or forward it.
 *
 * Since a gva is the hva, a pointer that lies in the payload's range can be given to the kernel as
 * it is: an unmapped address gives EFAULT there too. A pointer outside never gets that far.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/helper.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>

void *scratch_alloc(struct vcpu *vcpu, uint64_t size)
{
    void *p = vcpu->scratch + vcpu->scratch_used;

    if (size > SCRATCH_SIZE - vcpu->scratch_used) {
        return NULL;
    }
    vcpu->scratch_used += ROUND_UP(size, 16);
    return p;
}

uint64_t syscall_arg_length(const struct syscall *call, unsigned i, const uint64_t *args)
{
    const struct arg *kinds = call->args, *arg = &kinds[i];
    uint64_t length = arg->size, count = 1;

    if (arg->len_arg != NO_ARG) {
        count = args[arg->len_arg];
        if (kinds[arg->len_arg].kind == ARG_UINT) {
            count = (uint32_t)count;
        } else if (kinds[arg->len_arg].kind == ARG_INT) { /* below 0 the kernel refuses it */
            count = (int32_t)count < 0 ? 0 : (uint32_t)count;
        }
    }
    return __builtin_mul_overflow(length, count, &length) ? UINT64_MAX : length;
}

struct iovec *iovec_copy(struct vcpu *vcpu, uint64_t addr, uint64_t count, int64_t *error)
{
    struct iovec *copy = count <= IOV_MAX ? scratch_alloc(vcpu, count * sizeof(*copy)) : NULL;

    *error = -EINVAL;
    if (!copy) {
        return NULL;
    }
    *error = guest_read(copy, addr, count * sizeof(*copy));
    for (uint64_t i = 0; !*error && i < count; i++) {
        *error = copy[i].iov_len > SSIZE_MAX ? -EINVAL : 0;
    }
    for (uint64_t i = 0; !*error && i < count; i++) {
        if (!guest_ok((uint64_t)copy[i].iov_base, copy[i].iov_len) && copy[i].iov_len) {
            *error = -EFAULT;
        } else if (mm_map_grows() && copy[i].iov_len) {
            mm_grow((uint64_t)copy[i].iov_base);
        }
    }
    return *error ? NULL : copy;
}

/* Whether the kernel finds that there is no page, or that the stretch wraps around: it looks at
 * none. mincore(2), which also writes, refuses all that is not the program's. */
static bool is_no_stretch(const struct syscall *call, uint64_t addr, uint64_t length)
{
    uint64_t start = ROUND_DOWN(addr, PAGE_SIZE);
    uint64_t end = start + ROUND_UP(length + addr % PAGE_SIZE, PAGE_SIZE);

    return !length || (end <= start && call->args[2].kind != ARG_OUT);
}

/* What is mapped at [args[i], + length) is not the payload's: let the kernel look where nothing is.
 */
static void name_hole(const struct syscall *call, uint64_t *args, unsigned i)
{
    unsigned length = call->args[i].len_arg;

    args[i] = GUEST_TOP + args[i] % PAGE_SIZE;
    if (length < 6) {
        args[length] = 1;
    }
}

/*
 * The memory at argument `i` is not all the payload's. What begins there and would end above is
 * cut: most calls take less than they are told. Else nothing is there; another argument may be
 * wrong, too, which the kernel says first.
 */
static void name_nothing(const struct syscall *call, uint64_t *args, unsigned i)
{
    const struct arg *arg = &call->args[i];

    if (arg->len_arg < 6 && args[i] < GUEST_TOP && call->helped != HELPED_ON_FILE) {
        args[arg->len_arg] = (GUEST_TOP - args[i]) / arg->size;
    } else {
        args[i] = NOWHERE + args[i] % PAGE_SIZE;
    }
}

/* Check one argument. Where it must be a copy, `args` gets the copy's address. */
static int64_t check(struct vcpu *vcpu, const struct syscall *call, uint64_t *args, unsigned i,
                     bool handled)
{
    const struct arg *arg = &call->args[i];
    struct iovec *iov;
    int64_t error = 0;

    switch (arg->kind) {
    case ARG_FD:
    case ARG_DIRFD:
        return fd_is_hidden(args[i]) ? -EBADF : 0;
    case ARG_PID:
        args[i] = helper_is((pid_t)args[i]) ? INT_MAX : pid_map_to_host(args[i]);
        return 0;
    case ARG_PATH:
        if (guest_ok(args[i], 0)) {
            return 0;
        }
        args[i] = NOWHERE;
        return handled ? -EFAULT : 0; /* to a handler it would be a path of the monitor's */
    case ARG_MAPPED:
        if (args[i] < HOST_TOP && !guest_ok(args[i], syscall_arg_length(call, i, args)) &&
            !is_no_stretch(call, args[i], syscall_arg_length(call, i, args))) {
            name_hole(call, args, i);
        }
        return 0;
    case ARG_IN:
    case ARG_OUT:
    case ARG_INOUT:
        if (args[i] && !guest_ok(args[i], syscall_arg_length(call, i, args))) {
            name_nothing(call, args, i);
        } else if (mm_map_grows() && args[i] && syscall_arg_length(call, i, args)) {
            mm_grow(args[i]);
        }
        return 0;
    case ARG_IOV_IN:
    case ARG_IOV_OUT:
        iov = iovec_copy(vcpu, args[i], (uint32_t)args[arg->len_arg], &error);
        args[i] = (uint64_t)iov;
        return error;
    default:
        return 0;
    }
}

/* Whether a descriptor among the arguments before `i` is not open, which the kernel says first. */
static bool has_closed(const struct syscall *call, const uint64_t *args, unsigned i)
{
    for (unsigned before = 0; before < i; before++) {
        if (call->args[before].kind == ARG_FD && fcntl((int)args[before], F_GETFD) < 0) {
            return true;
        }
    }
    return false;
}

static int64_t serve(struct vcpu *vcpu, const struct syscall *call, uint64_t number,
                     const uint64_t *args)
{
    syscall_handler handler = syscall_handlers[number];
    uint64_t checked[6];
    int64_t result;

    memcpy(checked, args, sizeof(checked));
    vcpu->scratch_used = 0;
    for (unsigned i = 0; i < 6 && call->args[i].kind != ARG_NONE; i++) {
        int64_t error = check(vcpu, call, checked, i, handler);

        if (error < 0) {
            return has_closed(call, checked, i) ? -EBADF : error;
        }
    }
    if (path_number_serve(vcpu, call, number, checked, &result)) {
        return result;
    }
    return handler ? handler(vcpu, checked) : held_call(vcpu, number, checked);
}

/* A call that fails because a signal has kept one of those that are made for it from being made is
 * made again. */
static int64_t serve_whole(struct vcpu *vcpu, const struct syscall *call, uint64_t number,
                           const uint64_t *args)
{
    int64_t result;

    host_put_off = 0;
    result = serve(vcpu, call, number, args);
    return host_put_off && result < 0 && result >= -4095 ? NOT_STARTED : result;
}

/* Whether the call may read what was just lent to the host's kernel: vdso_lend(). */
static bool lent(const struct syscall *call, const uint64_t *args)
{
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = call->args[i].kind;

        if (((kind == ARG_IN || kind == ARG_PATH) &&
             vdso_lend(args[i], syscall_arg_length(call, i, args))) ||
            (kind == ARG_IOV_IN && vdso_lend(0, GUEST_TOP))) {
            return true;
        }
    }
    return false;
}

int64_t syscall_serve(struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    const struct syscall *call = number < SYSCALL_COUNT ? &syscall_table[number] : NULL;
    bool watched = options.trace || options.stats;
    uint64_t start = watched ? hooks.call_begins(vcpu, number, args) : 0;
    int64_t result;

    if (!call || !*call->name) {
        result = -ENOSYS;
    } else {
        if (call->helped == ENDS_HELPER) {
            helper_end(vcpu);
        }
        result = serve_whole(vcpu, call, number, args);
        if (result == -EFAULT && lent(call, args)) {
            result = serve_whole(vcpu, call, number, args);
        }
        result = pid_map_of_result(number, result);
        stub_after_call(vcpu, number);
    }
    if (watched) {
        hooks.call_ended(vcpu, number, args, result, start);
    }
    return result;
}
