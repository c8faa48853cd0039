// SPDX-License-Identifier: Apache-2.0
/*
 * top.h: the monitor's start, run loop and end.
 */
#ifndef KM_TOP_H
#define KM_TOP_H

#include "base/base.h"
#include "machine/machine.h"

/* host_calls.c: print what km calls for itself, and end km. */
_Noreturn void print_host_calls(void);

/* ---- sandbox.c: the monitor locks itself in ---- */

/* Must be called before the payload's first instruction. Ends km when the host refuses. */
void sandbox_enter(void);

/* ---- sandbox_filter.c ---- */

#define SANDBOX_NONE (-2)

/*
 * The descriptor that the filter of the program before lets be executed, -1 where it lets none, or
 * SANDBOX_NONE: there is no filter.
 */
int sandbox_program(void);

/* Put the filter on, unless it is there. Ends km when the host refuses. */
void sandbox_calls(int program);

/* Let this process make these calls only. Ends km when the host refuses. */
void sandbox_to(const uint16_t *calls, size_t count);

/* ---- probe.c: km --probe, a run that says how far it came ---- */

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

/* ---- inside.c: km in a VM of km's ---- */

/* Become the program that the command line names, without a VM of its own. */
_Noreturn void inside_run(char **argv, char **envp);

/* ---- command_line.c ---- */

/* Fill `options` from the command line, or print help, version or an error and exit. */
void options_parse(char **argv);

/* ---- exit_report.c: what is said when the payload ends ---- */

void exit_report_exit(const struct vcpu *vcpu, int status, bool of_process);
void exit_report_exec(const struct vcpu *vcpu);
bool exit_report_death(struct vcpu *vcpu, int signo);

/* ---- vcpu.c: the run loop ---- */

/* Run the payload's thread on this vCPU until the process ends. */
_Noreturn void vcpu_run(struct vcpu *vcpu);

/* Wait for the child that made the VM's first KVM_RUN, if it has not been waited for, or see
 * whether it has ended. */
void vcpu_wait_elsewhere(const struct vcpu *vcpu, bool until_it_ends);

#endif /* KM_TOP_H */
