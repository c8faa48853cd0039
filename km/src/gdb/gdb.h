// SPDX-License-Identifier: Apache-2.0
/*
 * gdb.h: --gdb, the payload under a debugger: the interface between the files of gdb/.
 *
 * The protocol is in gdb's manual, appendix "GDB Remote Serial Protocol".
 */

#ifndef KM_GDB_H
#define KM_GDB_H

#include "base/base.h"
#include "machine/machine.h"
#include "task/task.h"

/* ---- gdb.c, gdb/threads.c: --gdb ---- */

/* Wait for gdb; the thread of `vcpu`, the only one, stops before its first instruction. */
void gdb_start(struct vcpu *vcpu);

/* The word of the command line by which the next program keeps gdb, and its descriptor; or NULL. */
const char *gdb_carry(const struct vcpu *vcpu, int *fd);

/* The signal that the payload gets instead of `signo`, when gdb was asked: it may be none, 0. */
int gdb_signal(struct vcpu *vcpu, int signo, void *info);

/* An exception: true when it was gdb's, a breakpoint or a step. */
bool gdb_fault(struct vcpu *vcpu, unsigned vector);

/* Around KVM_RUN: at an instruction of the payload; about to enter; back, from the syscall stub. */
void gdb_before_guest(struct vcpu *vcpu);
void gdb_enter_guest(struct vcpu *vcpu);
void gdb_left_guest(struct vcpu *vcpu, bool in_call);

/* A thread ended; the process did, with a status or by a signal. */
void gdb_thread_ended(const struct vcpu *vcpu);
void gdb_exit(int status);
void gdb_death(int signo);

/* gdb stays with the parent. While a vfork's child has its memory, there are no breakpoints. */
void gdb_after_fork(struct vcpu *vcpu);
void gdb_before_vfork(void);
void gdb_after_vfork(void);

#define PACKET_SIZE 16384

/* The content of a packet, without its frame; a zero byte follows it. */
struct packet {
    char data[PACKET_SIZE + 1];
    size_t size;
};

/* What gdb and the stub agreed on; a new program that the payload executes takes it over. */
struct session {
    int fd;
    bool no_ack;      /* packets are not acknowledged any more */
    bool swbreak;     /* gdb knows that the PC of a breakpoint is that of the instruction */
    bool exec_events; /* gdb wants to hear of a new program */
    bool no_resumed;  /* gdb understands that all that it let run has ended */
    uint64_t pass;    /* signals that go to the payload without a stop, a bit for each */
};

extern struct session session;

/* ---- gdb/link.c: the connection ---- */

/* gdb/peer.c: whether the connection is with a process of root or of this process's user. */
bool peer_may_debug(int fd);

/* Wait for gdb at a TCP port of the loopback interface, or at a socket's path. Ends km on errors.
 */
void link_open(const char *where);

/* The next packet, or false when gdb is gone. */
bool link_receive(struct packet *packet);
void link_send(const struct packet *packet);

/* What has come while the payload runs: whether to interrupt it; *gone when gdb closed the link. */
bool link_interrupts(bool *gone);

void packet_put(struct packet *packet, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void packet_put_hex(struct packet *packet, const void *bytes, size_t size);
void packet_put_binary(struct packet *packet, const void *bytes, size_t size);

/* Hexadecimal digits to bytes; how many bytes, at most `size`. */
size_t hex_decode(const char *text, void *bytes, size_t size);

/* A thread's number in hexadecimal digits; 0 is any, -1 all. */
pid_t thread_number(const char *text, char **end);

/* gdb's numbers of signals are its own. 0 is none in both. */
int signal_to_gdb(int signo);
int signal_from_gdb(unsigned number);

/* ---- gdb/registers.c ---- */

/* The target description of this CPU, as XML, and its bytes. */
const char *registers_description(size_t *size);

void registers_read_all(const struct cpu_state *state, struct packet *to);
/* One by its number: false when there is none. */
bool registers_read(const struct cpu_state *state, unsigned number, struct packet *to);
/* From hexadecimal digits; false when the payload may not have such a value. */
bool registers_write_all(struct cpu_state *state, const char *from);
bool registers_write(struct cpu_state *state, unsigned number, const char *from);

/* ---- gdb/memory.c ---- */

void memory_open(void);
/* Of the payload's memory; how many bytes, from the first on. */
size_t memory_read(uint64_t addr, void *bytes, size_t size);
size_t memory_write(uint64_t addr, const void *bytes, size_t size);

/* The breakpoints that gdb set. False when there is no such memory, or too many are set. */
bool breakpoint_insert(uint64_t addr);
bool breakpoint_remove(uint64_t addr);
bool breakpoint_is_at(uint64_t addr);
void breakpoints_forget(void);
/* Take all out of memory, where the child of a vfork runs; put them back. */
void breakpoints_lift(void);
void breakpoints_lower(void);
/* In the child of fork(), whose memory is a copy: take them out of that. */
void breakpoints_after_fork(void);

/* ---- gdb/threads.c: the payload's side: what its threads meet ---- */

enum event { EVENT_NONE, EVENT_SIGNAL, EVENT_BREAKPOINT, EVENT_STEP };

/* What happened to a thread and what gdb wants of it. */
struct gdb_thread {
    const void *info;   /* siginfo of EVENT_SIGNAL, or NULL */
    uint64_t step_from; /* the address of the instruction under `step` */
    uint64_t pass;      /* signals that gdb itself sends: not reported */
    enum event event;
    int signo;     /* reported, then what gdb wants delivered, or 0 */
    bool reported; /* gdb knows of the event */
    bool step;     /* gdb wants one instruction */
    bool stepping; /* it is under way, with the trap flag */
    bool trapped;  /* it is done */
};

struct gdb_thread *gdb_thread_of(const struct freezable *thread);

/* Whether gdb is there. */
bool gdb_is_active(void);
void gdb_set_active(bool now);

/* Becomes readable when a thread has an event, or has ended. */
int gdb_wake_fd(void);
void gdb_wake_open(void);
void gdb_wake_clear(void);

/* ---- gdb/resume.c: gdb's side: what goes on ---- */

/* vCont;ACTION[:THREAD]...: of each thread the first action that is for it; without one it stays.
 * False when that cannot be read. */
bool resume_threads(const char *actions);
/* gdb leaves: the payload runs on without it. */
void resume_alone(void);

/* ---- gdb/access.c, gdb/query.c: gdb's side: commands ---- */

/* Answer what reads or writes registers (of this thread), memory or breakpoints. False when the
 * packet is no such command. */
bool access_answer(const struct packet *packet, struct freezable *thread, struct packet *reply);

/* Answer a query (q, Q). False when it is none that is known. */
bool query_answer(const char *query, struct freezable *thread, struct packet *reply);

#endif /* KM_GDB_H */
