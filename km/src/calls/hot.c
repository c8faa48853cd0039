// SPDX-License-Identifier: Apache-2.0
/*
 * hot.c: which call sites of the payload are used so often that letting them jump (site.c) pays.
 *
 * On PVM the SYSCALL instruction alone costs 5 to 7 us; a site that jumps does without. To let it
 * costs some 50 us, once: two changes of the host's rights to a page, its copy, and the guest's
 * next touches of it. Calls that the stub or the helper answers are not seen here: of these
 * calls one leaves after every BUDGET, and seldom where that was of no use.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "memory/memory.h"

#define SITES 1024
#define HEAT_HOT 8U      /* calls that left; then the site shall jump */
#define HEAT_COLD 0U     /* it cannot */
#define BUDGET 16U       /* calls that are answered in the guest until one leaves */
#define BUDGET_COLD 256U /* likewise, when the last that left was of a site that cannot jump */

static struct heat {
    uint64_t next; /* where the call goes on */
    uint32_t heat;
} seen[SITES]; /* by all threads, and at worst for nothing: each site is looked at before it changes
                */

static bool off; /* some thread has filters of system calls, and these see where a call was made */

static uint32_t get(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Who looks at each call, or at the code, wants to see what the program is. */
static bool is_unwanted(const struct vcpu *vcpu)
{
    return vcpu->vm->hardware || options.no_patch || calls_are_watched() ||
           __atomic_load_n(&off, __ATOMIC_RELAXED);
}

void hot_begin(struct vcpu *vcpu)
{
    stub_data(vcpu)->budget = is_unwanted(vcpu) ? BUDGET_ENDLESS : BUDGET;
}

static struct heat *entry_of(uint64_t next)
{
    struct heat *entry = &seen[(next ^ next >> 10) % SITES];

    if (__atomic_load_n(&entry->next, __ATOMIC_RELAXED) != next) {
        __atomic_store_n(&entry->next, next, __ATOMIC_RELAXED);
        set(&entry->heat, 1);
    }
    return entry;
}

/* Let the site jump, and let this vCPU have its stub where that leads. */
static void change(struct vcpu *vcpu, struct heat *entry, uint64_t next, uint32_t number)
{
    bool made;

    mm_lock();
    if (vcpu->root_gpa == vcpu->vm->root_gpa && !stub_share(vcpu)) {
        stub_data(vcpu)->budget = BUDGET_ENDLESS; /* it has to do with SYSCALL */
    } else {
        made = site_make(next, number);
        set(&entry->heat, made ? 1 : HEAT_COLD);
    }
    mm_unlock();
}

void hot_count(struct vcpu *vcpu, uint64_t next, uint64_t number)
{
    struct stub_data *data = stub_data(vcpu);
    struct heat *entry;
    uint32_t heat;

    if (data->budget > BUDGET_COLD || vcpu->vforked || number >= STUB_CALLS || is_unwanted(vcpu) ||
        !seccomp_is_off(vcpu)) {
        return;
    }
    entry = entry_of(next);
    heat = get(&entry->heat);
    if (!data->budget) {
        data->budget = heat == HEAT_COLD ? BUDGET_COLD : BUDGET;
        heat += heat == HEAT_COLD ? 0 : HEAT_HOT;
    }
    if (heat == HEAT_COLD) {
        return;
    }
    if (heat < HEAT_HOT) {
        set(&entry->heat, heat + 1);
    } else {
        change(vcpu, entry, next, (uint32_t)number);
    }
}

void hot_end(void)
{
    __atomic_store_n(&off, true, __ATOMIC_RELAXED);
    site_put_back_all(false);
}
