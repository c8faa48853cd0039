// SPDX-License-Identifier: Apache-2.0
/*
 * watch.c: a call of the payload, as --trace and --stats see it.
 */
#include "watch/watch.h"
#include "base/base.h"
#include "machine/machine.h"

uint64_t watch_call_begins(const struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    uint64_t start = options.stats ? stats_clock() : 0;

    if (options.trace) {
        trace_begin(vcpu, number, args);
    }
    return start;
}

void watch_call_ended(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                      int64_t result, uint64_t start)
{
    if (options.trace) {
        trace_end(vcpu, number, args, result);
    }
    if (options.stats) {
        stats_syscall(number, result, start);
    }
}

void watch_call_ends_caller(const struct vcpu *vcpu, uint64_t number, const uint64_t *args)
{
    watch_call_ended(vcpu, number, args, 0, options.stats ? stats_clock() : 0);
}

void watch_signal_handled(const struct vcpu *vcpu, int signo)
{
    if (options.trace) {
        trace_signal(vcpu, signo);
    }
}
