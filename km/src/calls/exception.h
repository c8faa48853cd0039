// SPDX-License-Identifier: Apache-2.0
/*
 * exception.h: the exceptions that the CPU raises where KVM does something else.
 */
#ifndef KM_EXCEPTION_H
#define KM_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* ---- umip.c ---- */

/*
 * Answer, as Linux does, an instruction that asks where the CPU's tables are, and go on after it.
 * False: it is none, or its operand cannot be written.
 */
bool umip_answer(struct vcpu *vcpu);

/* ---- instruction.c ---- */

/*
 * Which of #UD and #GP this CPU raises at CPL 3 for the instruction at `rip`, where KVM's emulator
 * has raised `vector`; and the error code that the CPU gives with it, if it is not 0.
 */
unsigned instruction_vector(uint64_t rip, unsigned vector, uint64_t *error);

#endif /* KM_EXCEPTION_H */
