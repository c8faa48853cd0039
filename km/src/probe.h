// SPDX-License-Identifier: Apache-2.0
/*
 * probe.h: km --probe, a run that says how far it came.
 */
#ifndef KM_PROBE_H
#define KM_PROBE_H

#include "vm.h"

/* Say what km does next, for --probe and who reads its failure: KVM's name of it. */
void probe_step(const char *name);

/*
 * Become a child that is to run the probe's program; its parent waits for it, says how it ended,
 * and ends with 0 or STATUS_FAILED.
 */
void probe_begin(void);

/* Load that program in place of a payload's. */
void probe_load(struct vm *vm);

/* km fails: say at what, with the errno `error` or 0. */
void probe_failed(int error);

#endif /* KM_PROBE_H */
