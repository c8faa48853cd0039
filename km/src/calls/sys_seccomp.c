// SPDX-License-Identifier: Apache-2.0
/*
 * sys_seccomp.c: a thread of the payload sets a filter, for itself or for all threads; seccomp(2).
 */
#include "calls/calls.h"
#include "calls/filters.h"
#include "calls/handlers.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <errno.h>
#include <sys/mman.h>

#define INSTRUCTIONS_MAX 32768 /* of all filters of a thread together, each with 4 more */
#define INSTRUCTIONS_MORE 4

/* What the last thread that synchronized all others gave them, and how often that was. */
static struct {
    struct filter *filters;
    uint64_t times;
} synced;

static bool is_among(const struct filter *wanted, const struct filter *filters)
{
    while (filters && filters != wanted) {
        filters = filters->older;
    }
    return filters == wanted; /* none is among all */
}

/* The thread that has a filter which `vcpu` has not, so that it cannot be given that one's; or
 * NULL.
 */
static const struct freezable *find_other(const struct vcpu *vcpu)
{
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        const struct vcpu *other = thread->vcpu;

        if (other != vcpu && (other->seccomp.mode == SECCOMP_MODE_STRICT ||
                              !is_among(other->seccomp.filters, vcpu->seccomp.filters))) {
            return thread;
        }
    }
    return NULL;
}

static void synchronize(const struct vcpu *vcpu)
{
    vcpu->seccomp.filters->users++; /* it stays, for threads that wait for a vfork's child */
    filter_drop(synced.filters);
    synced.filters = vcpu->seccomp.filters;
    synced.times++;
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        thread->vcpu->seccomp.synced = synced.times;
        if (thread->vcpu != vcpu && !thread->away) {
            seccomp_give(thread->vcpu, synced.filters, SECCOMP_MODE_FILTER);
        }
    }
}

void seccomp_inherit(struct vcpu *vcpu, const struct vcpu *parent)
{
    freeze_lock();
    seccomp_give(vcpu, parent->seccomp.filters, parent->seccomp.mode);
    vcpu->seccomp.synced = synced.times;
    freeze_unlock();
}

void seccomp_after_vfork(struct vcpu *vcpu)
{
    freeze_lock();
    if (vcpu->seccomp.synced != synced.times) {
        seccomp_give(vcpu, synced.filters, SECCOMP_MODE_FILTER);
        vcpu->seccomp.synced = synced.times;
    }
    freeze_unlock();
}

/* Whether there is room for one more of so many instructions. */
static bool fits(const struct vcpu *vcpu, unsigned short count)
{
    size_t all = count;

    for (const struct filter *f = vcpu->seccomp.filters; f; f = f->older) {
        all += f->count + INSTRUCTIONS_MORE;
    }
    return all <= INSTRUCTIONS_MAX;
}

static int64_t attach(struct vcpu *vcpu, struct filter *filter, uint64_t flags)
{
    bool all = flags & SECCOMP_FILTER_FLAG_TSYNC && !vcpu->vforked;
    const struct freezable *other = all ? find_other(vcpu) : NULL;

    if (!fits(vcpu, filter->count)) {
        return -ENOMEM;
    }
    if (other) {
        return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : other->tid;
    }
    seccomp_add(vcpu, filter);
    if (all) {
        synchronize(vcpu);
    }
    return 0;
}

/* What the stub may do for a thread is known when its guest is entered: stub.c, guest_mask.c. */
static void let_others_leave(const struct vcpu *vcpu)
{
    if (!vcpu->vforked && thread_several()) {
        freeze_all(freeze_of(vcpu));
        freeze_thaw();
    }
}

static int64_t set_filter(struct vcpu *vcpu, uint64_t flags, uint64_t addr)
{
    static const uint64_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
                                  SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    struct sock_fprog program;
    struct filter *filter;
    int64_t result;

    if (flags & ~known) {
        return -EINVAL;
    }
    if (guest_read(&program, addr, sizeof(program)) < 0) {
        return -EFAULT;
    }
    if (!program.filter || !program.len || program.len > BPF_MAXINSNS) {
        return -EINVAL;
    }
    filter = filter_alloc(program.len);
    if (!filter) {
        return -ENOMEM;
    }
    result =
        guest_read(filter->code, (uint64_t)program.filter, program.len * sizeof(*filter->code));
    if (!result &&
        (!bpf_check(filter->code, filter->count) || vcpu->seccomp.mode == SECCOMP_MODE_STRICT)) {
        result = -EINVAL;
    }
    if (!result) {
        freeze_lock();
        result = attach(vcpu, filter, flags);
        freeze_unlock();
    }
    if (result) {
        filter_free(filter);
        return result;
    }
    hot_end();
    if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
        let_others_leave(vcpu);
    }
    return 0;
}

static int64_t set_strict(struct vcpu *vcpu, uint64_t flags, uint64_t addr)
{
    if (flags || addr || vcpu->seccomp.mode == SECCOMP_MODE_FILTER) {
        return -EINVAL;
    }
    seccomp_give(vcpu, NULL, SECCOMP_MODE_STRICT);
    hot_end();
    return 0;
}

static int64_t is_available(uint64_t flags, uint64_t addr)
{
    uint32_t action;

    if (flags) {
        return -EINVAL;
    }
    if (guest_read(&action, addr, sizeof(action)) < 0) {
        return -EFAULT;
    }
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
        return 0;
    default: /* nobody can listen to SECCOMP_RET_USER_NOTIF */
        return -EOPNOTSUPP;
    }
}

/* int seccomp(unsigned operation, unsigned flags, void *args) */
HANDLER(seccomp)
{
    uint64_t flags = (uint32_t)args[1];

    switch ((uint32_t)args[0]) {
    case SECCOMP_SET_MODE_STRICT:
        return set_strict(vcpu, flags, args[2]);
    case SECCOMP_SET_MODE_FILTER:
        return set_filter(vcpu, flags, args[2]);
    case SECCOMP_GET_ACTION_AVAIL:
        return is_available(flags, args[2]);
    default:
        return -EINVAL;
    }
}

int64_t seccomp_set(struct vcpu *vcpu, uint64_t mode, uint64_t filter)
{
    switch (mode) {
    case SECCOMP_MODE_STRICT:
        return set_strict(vcpu, 0, 0);
    case SECCOMP_MODE_FILTER:
        return set_filter(vcpu, 0, filter);
    default:
        return -EINVAL;
    }
}
