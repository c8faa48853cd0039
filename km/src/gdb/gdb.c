// SPDX-License-Identifier: Apache-2.0
/*
 * gdb.c: --gdb: a stub of gdb's remote protocol, in a thread of its own. While the payload runs it
 * waits for an event of a thread (gdb/threads.c) or for gdb's interrupt; then all threads are
 * stopped, and gdb's commands are answered until one resumes them.
 */
#include "gdb/gdb.h"
#include "base/base.h"
#include "machine/machine.h"
#include "program/program.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session session = {.fd = -1};

static struct freezable *current; /* that registers are read of: it stopped last, or gdb chose it */
static int last_signal;           /* why it stopped */
static bool at_breakpoint;
static bool new_program; /* it stopped because it became another program */

enum outcome { GO_ON_ASKING, RUN, DETACHED };

/* ---- threads ---- */

static struct freezable *find_thread(pid_t tid)
{
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        if (thread->tid == tid) {
            return thread;
        }
    }
    return NULL;
}

/* A thread with an event that gdb does not know of, or NULL. */
static struct freezable *find_event(void)
{
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        const struct gdb_thread *own = gdb_thread_of(thread);

        if (own->event != EVENT_NONE && !own->reported) {
            return thread;
        }
    }
    return NULL;
}

/* ---- why it stopped ---- */

static void put_register(struct packet *reply, const struct cpu_state *state, unsigned number)
{
    packet_put(reply, "%02x:", number);
    (void)registers_read(state, number, reply);
    packet_put(reply, ";");
}

static void put_stop(struct packet *reply)
{
    static struct cpu_state state;

    packet_put(reply, "T%02xthread:%x;", signal_to_gdb(last_signal), current->tid);
    if (at_breakpoint && session.swbreak) {
        packet_put(reply, "swbreak:;");
    }
    if (new_program && session.exec_events) {
        packet_put(reply, "exec:");
        packet_put_hex(reply, image.path, strlen(image.path));
        packet_put(reply, ";");
    }
    freeze_get_state(current, &state);
    for (unsigned number = 6; number <= 7; number++) { /* RBP, RSP, RIP: gdb asks for them first */
        put_register(reply, &state, number);
    }
    put_register(reply, &state, 16);
}

/* Make a thread's event the reason of this stop. The other threads will come to theirs again. */
static void take_event(struct freezable *thread)
{
    struct gdb_thread *own = gdb_thread_of(thread);

    current = thread;
    last_signal = own->signo;
    at_breakpoint = own->event == EVENT_BREAKPOINT;
    own->reported = true;
    for (struct freezable *other = freeze_first(); other; other = freeze_next(other)) {
        struct gdb_thread *its = gdb_thread_of(other);

        if (its->event == EVENT_BREAKPOINT || its->event == EVENT_STEP) {
            its->event = EVENT_NONE;
        }
    }
}

/* ---- commands ---- */

static enum outcome answer_v(const struct packet *packet, struct packet *reply)
{
    if (!strcmp(packet->data, "vCont?")) {
        packet_put(reply, "vCont;c;C;s;S");
    } else if (!strncmp(packet->data, "vCont;", strlen("vCont;"))) {
        if (find_event()) { /* there is something that gdb must hear of first */
            take_event(find_event());
            put_stop(reply);
        } else if (resume_threads(packet->data + strlen("vCont"))) {
            return RUN;
        } else {
            packet_put(reply, "E16");
        }
    } else if (!strncmp(packet->data, "vKill", strlen("vKill"))) {
        packet_put(reply, "OK");
        link_send(reply);
        (void)kill(getpid(), SIGKILL);
    }
    return GO_ON_ASKING;
}

static void answer_thread(const struct packet *packet, struct packet *reply)
{
    bool choose = packet->data[0] == 'H';
    pid_t tid = thread_number(packet->data + (choose ? 2 : 1), NULL);
    struct freezable *thread = tid > 0 ? find_thread(tid) : current;

    if (choose && thread && packet->data[1] == 'g') {
        current = thread;
    }
    packet_put(reply, thread ? "OK" : "E03"); /* ESRCH */
}

static enum outcome answer(const struct packet *packet, struct packet *reply)
{
    switch (packet->data[0]) {
    case '?':
        put_stop(reply);
        break;
    case 'H':
    case 'T':
        answer_thread(packet, reply);
        break;
    case 'v':
        return answer_v(packet, reply);
    case 'k':
        (void)kill(getpid(), SIGKILL);
        return DETACHED;
    case 'D':
        packet_put(reply, "OK");
        return DETACHED;
    default:
        if (!access_answer(packet, current, reply)) {
            (void)query_answer(packet->data, current, reply);
        }
    }
    return GO_ON_ASKING;
}

/* Answer gdb until the payload shall run. False when gdb is gone. */
static bool converse(void)
{
    static struct packet packet, reply;

    while (link_receive(&packet)) {
        enum outcome outcome;

        reply.size = 0;
        if (!strcmp(packet.data, "QStartNoAckMode")) {
            packet_put(&reply, "OK");
            link_send(&reply);
            session.no_ack = true;
            continue;
        }
        outcome = answer(&packet, &reply);
        if (outcome == RUN) {
            return true;
        }
        reply.data[reply.size] = 0;
        link_send(&reply);
        if (outcome == DETACHED) {
            return false;
        }
    }
    return false;
}

/* ---- the stub's thread ---- */

static void send_stop(void)
{
    static struct packet reply;

    reply.size = 0;
    put_stop(&reply);
    link_send(&reply);
}

/* Whether a thread may run, where none has an event. */
static bool some_run(void)
{
    for (const struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        if (!thread->held) {
            return true;
        }
    }
    return false;
}

/* Wait while the payload runs, until there is a reason to stop it: gdb's interrupt is told. */
static bool wait_for_reason(bool *gone)
{
    struct pollfd fds[] = {{.fd = session.fd, .events = POLLIN},
                           {.fd = gdb_wake_fd(), .events = POLLIN}};
    bool interrupt = false, event = false;

    *gone = false;
    while (!*gone && !interrupt && !event) {
        (void)poll(fds, ARRAY_LEN(fds), -1);
        interrupt = fds[0].revents && link_interrupts(gone);
        gdb_wake_clear();
        freeze_lock();
        event = find_event() || !some_run();
        freeze_unlock();
    }
    return interrupt;
}

/* False when gdb is gone. */
static bool wait_for_stop(void)
{
    static struct packet nothing_runs;
    bool gone, interrupt = wait_for_reason(&gone);

    freeze_all(NULL);
    while (!freeze_first()) { /* the process is about to end, and its thread tells gdb */
        (void)pause();
    }
    new_program = at_breakpoint = false;
    current = freeze_first();
    last_signal = interrupt ? SIGINT : 0;
    if (find_event()) {
        take_event(find_event());
    }
    if (!last_signal && session.no_resumed) {
        nothing_runs.size = 0;
        packet_put(&nothing_runs, "N");
        link_send(&nothing_runs);
    } else {
        send_stop();
    }
    return !gone;
}

static void *serve(void *unused)
{
    uint64_t all = ~0UL;
    bool there = true;

    (void)unused;
    (void)syscall(__NR_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
    freeze_all(NULL);
    current = freeze_first();
    last_signal = SIGTRAP;
    if (new_program) {
        send_stop();
    }
    while (there && converse()) {
        freeze_release();
        there = wait_for_stop();
    }
    resume_alone();
    return NULL;
}

/* ---- from one program to the next ---- */

#define SESSION_TEXT "%d:%x:%lx"

enum { FLAG_NO_ACK = 1, FLAG_SWBREAK = 2, FLAG_EXEC_EVENTS = 4, FLAG_NO_RESUMED = 8 };

const char *gdb_carry(const struct vcpu *vcpu, int *fd)
{
    static char word[80];
    unsigned flags = (session.no_ack ? FLAG_NO_ACK : 0U) | (session.swbreak ? FLAG_SWBREAK : 0U) |
                     (session.exec_events ? FLAG_EXEC_EVENTS : 0U) |
                     (session.no_resumed ? FLAG_NO_RESUMED : 0U);

    *fd = -1;
    if (!gdb_is_active() || vcpu->vforked) {
        return NULL;
    }
    *fd = session.fd;
    (void)snprintf(word, sizeof(word), "--gdb-session=" SESSION_TEXT, session.fd, flags,
                   session.pass);
    return word;
}

static void take_over(const char *text)
{
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    unsigned long flags = *end == ':' ? strtoul(end + 1, &end, 16) : 0;

    session.pass = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
    if (end == text || *end || fd < 0 || fd > INT_MAX) {
        die(STATUS_FAILED, "leave --gdb-session to km", "--gdb-session cannot be '%s'", text);
    }
    session.fd = fd_hide((int)fd);
    session.no_ack = flags & FLAG_NO_ACK;
    session.swbreak = flags & FLAG_SWBREAK;
    session.exec_events = flags & FLAG_EXEC_EVENTS;
    session.no_resumed = flags & FLAG_NO_RESUMED;
    new_program = true;
}

void gdb_start(struct vcpu *vcpu)
{
    pthread_t thread;
    int error;

    if (options.gdb_session) {
        take_over(options.gdb_session);
    } else {
        link_open(options.gdb);
    }
    memory_open();
    gdb_wake_open();
    gdb_set_active(true);
    freeze_of(vcpu)->held = true;
    signal_hold();
    error = pthread_create(&thread, NULL, serve, NULL);
    signal_release(vcpu);
    if (error) {
        errno = error;
        die(STATUS_FAILED, "raise the limit on processes (ulimit -u)", "no thread for gdb: %m");
    }
}

/* ---- the end ---- */

static void tell(char kind, int value)
{
    static struct packet packet;
    static bool told;

    if (gdb_is_active() && !__atomic_exchange_n(&told, true, __ATOMIC_ACQ_REL)) {
        packet_put(&packet, "%c%02x", kind, value);
        link_send(&packet);
    }
}

void gdb_exit(int status)
{
    tell('W', status & 0xff);
}

void gdb_death(int signo)
{
    tell('X', signal_to_gdb(signo));
}
