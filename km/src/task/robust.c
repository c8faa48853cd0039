// SPDX-License-Identifier: Apache-2.0
/*
 * robust.c: the lists of futexes that are released when the thread ends which holds them.
 *
 * The kernel knows a thread's list, for the end of the process. Where a thread ends alone its list
 * is walked here.
 *
 * Each thread of a C library begins with set_robust_list(2), which costs an exit on PVM. Its list
 * is as far from its thread pointer as its maker's is, and stands there before the thread begins.
 * So where there is such a list, and nothing in it, the monitor tells the kernel of it beforehand,
 * and the stub takes the call that names this list. An empty list is none to the kernel: until the
 * call nobody sees a difference.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/futex.h>
#include <unistd.h>

#define HEAD_WORDS 3 /* struct robust_list_head: list, futex_offset, list_op_pending */
#define LIMIT 2048   /* as the kernel has it */

static void tell_kernel(uint64_t list)
{
    uint64_t args[6] = {list, HEAD_WORDS * sizeof(uint64_t)};

    (void)host_syscall(__NR_set_robust_list, args);
}

uint64_t robust_expected(struct vcpu *maker, uint64_t thread_pointer)
{
    uint64_t head[HEAD_WORDS], list, fs, gs;

    if (!maker->robust_list || maker->vm->hardware || calls_are_watched() ||
        !seccomp_is_off(maker) || pid_map_translated()) {
        return 0;
    }
    cpu_get_bases(maker, &fs, &gs);
    list = maker->robust_list - fs + thread_pointer;
    return guest_read(head, list, sizeof(head)) == 0 && head[0] == list && !head[2] ? list : 0;
}

void robust_begin(struct vcpu *vcpu, uint64_t expected)
{
    robust_set(vcpu, 0);
    if (expected) {
        tell_kernel(expected);
        stub_data(vcpu)->robust_named = 0;
        vcpu->robust_next = expected;
    }
}

void robust_set(struct vcpu *vcpu, uint64_t list)
{
    vcpu->robust_list = list;
    __atomic_store_n(&vcpu->robust_next, 0, __ATOMIC_RELEASE);
    stub_data(vcpu)->kind[__NR_set_robust_list] = 0;
}

void robust_offer(struct vcpu *vcpu)
{
    struct stub_data *data = stub_data(vcpu);

    if (vcpu->robust_next) {
        data->robust_next = vcpu->robust_next;
        data->kind[__NR_set_robust_list] = seccomp_is_off(vcpu) ? KIND_ROBUST : 0;
    }
}

void robust_take(struct vcpu *vcpu)
{
    if (vcpu->robust_next && stub_data(vcpu)->robust_named) {
        robust_set(vcpu, vcpu->robust_next);
    }
}

uint64_t robust_of(const struct vcpu *vcpu)
{
    uint64_t next = __atomic_load_n(&vcpu->robust_next, __ATOMIC_ACQUIRE);

    return next && stub_data(vcpu)->robust_named ? next : vcpu->robust_list;
}

/* ---- the end of a thread ---- */

/* A futex that the dying thread holds gets the mark that its owner died. */
static void release(uint64_t futex, int32_t tid)
{
    uint32_t value, dead;

    if (futex % 4 || !guest_ok(futex, sizeof(value))) {
        return;
    }
    do {
        if (guest_read(&value, futex, sizeof(value)) < 0 ||
            (value & FUTEX_TID_MASK) != (uint32_t)tid) {
            return;
        }
        dead = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    } while (guest_compare_exchange(futex, value, dead) == -EAGAIN);
    if (value & FUTEX_WAITERS) {
        thread_wake(futex);
    }
}

/* struct robust_list_head { list; long futex_offset; pending } is walked as the kernel does at
 * exit. */
static void walk(const struct vcpu *vcpu)
{
    uint64_t head[HEAD_WORDS], entry;
    int32_t tid = pid_map_shown((pid_t)syscall(__NR_gettid));

    if (!vcpu->robust_list || guest_read(head, vcpu->robust_list, sizeof(head)) < 0) {
        return;
    }
    entry = head[0];
    for (int i = 0; i < LIMIT && entry != vcpu->robust_list; i++) {
        if (entry != head[2]) {
            release((entry & ~1UL) + head[1], tid);
        }
        if (guest_read(&entry, entry & ~1UL, sizeof(entry)) < 0) {
            break;
        }
    }
    if (head[2]) {
        release((head[2] & ~1UL) + head[1], tid);
    }
}

void robust_end(const struct vcpu *vcpu)
{
    tell_kernel(0); /* its walk trusts the list */
    walk(vcpu);
}
