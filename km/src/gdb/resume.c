// SPDX-License-Identifier: Apache-2.0
/*
 * resume.c: resume the payload's threads, each as gdb wants it, or without gdb.
 */
#include "base/base.h"
#include "gdb/gdb.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one action of vCont wants: c, C with a signal, s, S. */
struct action_wanted {
    bool step;
    int signo;
};

static bool parse_action(const char *text, char **rest, struct action_wanted *action)
{
    *action = (struct action_wanted){.step = *text == 's' || *text == 'S'};
    if (!*text || !strchr("cCsS", *text)) {
        return false;
    }
    *rest = (char *)text + 1;
    if (*text == 'C' || *text == 'S') {
        action->signo = signal_from_gdb((unsigned)strtoul(text + 1, rest, 16));
    }
    return true;
}

/* Let one thread go on as wanted, once the others may. */
static void let_go(struct freezable *thread, const struct action_wanted *action)
{
    struct gdb_thread *own = gdb_thread_of(thread);

    if (own->event == EVENT_SIGNAL) {
        own->signo = action->signo;
    } else if (action->signo) { /* gdb's own signal: it does not come back to gdb */
        own->pass |= SIGNAL_BIT(action->signo);
        (void)syscall(__NR_tgkill, getpid(), thread->tid, action->signo);
    }
    own->event = EVENT_NONE;
    own->step = action->step;
    __atomic_store_n(&thread->held, false, __ATOMIC_RELEASE);
}

bool resume_threads(const char *actions)
{
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        char *rest = (char *)actions;

        while (*rest == ';') {
            struct action_wanted action;
            pid_t tid = -1;

            if (!parse_action(rest + 1, &rest, &action)) {
                return false;
            }
            if (*rest == ':') {
                tid = thread_number(rest + 1, &rest);
            }
            if (tid <= 0 || tid == thread->tid) {
                let_go(thread, &action);
                break;
            }
        }
    }
    return true;
}

void resume_alone(void)
{
    static const struct action_wanted as_it_was = {0};

    breakpoints_forget();
    gdb_set_active(false);
    for (struct freezable *thread = freeze_first(); thread; thread = freeze_next(thread)) {
        const struct action_wanted unreported = {.signo = gdb_thread_of(thread)->signo};

        let_go(thread,
               gdb_thread_of(thread)->event == EVENT_SIGNAL && !gdb_thread_of(thread)->reported
                   ? &unreported
                   : &as_it_was);
    }
    fd_close_hidden(session.fd);
    freeze_release();
}
