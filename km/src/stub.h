// SPDX-License-Identifier: Apache-2.0
/*
 * stub.h: the page beside each vCPU's syscall stub: what its code answers from, and what it asks of
 * the helper. On hardware only the supervisor reaches it; on PVM the payload may write anything
 * here at any time, so the monitor reads each value once and trusts none.
 */
#ifndef KM_STUB_H
#define KM_STUB_H

#include "km.h"

#define STUB_CALLS 512 /* numbers that the stub looks up; the others leave */
#define STUB_ANSWERS 6

/* Who has the request, as far as the guest is told: `state`. */
enum { REQUEST_NONE, REQUEST_POSTED, REQUEST_DONE, REQUEST_REFUSED };

struct stub_data { /* stub_code.S knows the offsets */
    uint64_t rcx, r11, rax;
    uint64_t number;
    uint8_t
        kind[STUB_CALLS]; /* 0: leave; n: value[n - 1] is the answer; the next: ask the helper */
    uint8_t special[256];
    uint64_t value[STUB_ANSWERS];
    uint64_t watched; /* whether the helper looks for requests */
    uint64_t spins;   /* how often the guest looks for the result before it leaves */
    struct {          /* one cache line, which goes back and forth */
        uint64_t args[6];
        uint32_t number, state;
        int64_t result;
    } request __attribute__((aligned(64)));
};

#define KIND_HELPED (STUB_ANSWERS + 1)

static inline struct stub_data *stub_data(const struct vcpu *vcpu)
{
    return (struct stub_data *)(vcpu->stub + PAGE_SIZE);
}

#endif /* KM_STUB_H */
