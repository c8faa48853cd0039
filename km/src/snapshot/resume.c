// SPDX-License-Identifier: Apache-2.0
/*
 * resume.c: a resumed program's process and threads. The process is a new one of the
 * host, with its user, limits, parent and standard streams; the rest is as it was.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "program/program.h"
#include "snapshot/snapshot.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- the process ---- */

static void set_actions(const struct action *actions)
{
    for (int signo = 1; signo <= SIGNAL_MAX; signo++) {
        if (signo != SIGKILL && signo != SIGSTOP &&
            memcmp(&actions[signo], signal_action(signo), sizeof(*actions)) != 0) {
            (void)signal_set_action(signo, &actions[signo]);
        }
    }
}

static void set_process(void)
{
    const struct snap_process *process = &resuming.process;
    const char *cwd = resuming.strings + process->cwd;

    if (chdir(cwd) < 0) {
        die(STATUS_ELSEWHERE, "create that folder", "cannot resume %s in its folder %s: %m",
            image.execfn, cwd);
    }
    (void)umask(process->umask & 0777);
    image.entry = process->entry;
    image.own_entry = process->own_entry;
    image.phdr = process->phdr;
    image.phdr_count = (unsigned)process->phdr_count;
    image.loader_base = process->loader_base;
    image.start = process->start;
    image.end = process->end;
    stack_show(&process->shown, process->auxv, process->auxv_size);
    set_actions(process->actions);
}

/* ---- threads ---- */

static void set_thread(struct vcpu *vcpu, const struct snap_thread *from)
{
    vcpu->clear_tid = from->clear_tid;
    vcpu->robust_list = from->robust_list;
    memcpy(&vcpu->altstack, from->altstack, sizeof(from->altstack));
}

/* The registers that it goes on with: in the call that asked it finds the answer. */
static void make_state(struct cpu_state *state, size_t i)
{
    *state = resuming.threads[i].state;
    state->regs.rflags = cpu_clean_flags(state->regs.rflags);
    if (i == resuming.process.self) {
        state->regs.rax = (uint64_t)snapshot_answer(resuming.process.open_flags);
    }
}

void snapshot_resume(struct vcpu *vcpu)
{
    static struct cpu_state state;

    snapshot_load(vcpu);
    set_process();
    snapshot_load_fds(vcpu, &resuming);
    set_thread(vcpu, &resuming.threads[0]);
    make_state(&state, 0);
    cpu_load(vcpu, &state);
}

static void set_name(pid_t tid, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    (void)!write(fd, name, strlen(name));
    (void)close(fd);
}

static void start_others(struct vcpu *vcpu)
{
    static struct cpu_state state;

    for (size_t i = 1; i < resuming.process.counts.threads; i++) {
        const struct snap_thread *from = &resuming.threads[i];
        struct vcpu *made = NULL;
        int64_t tid;

        make_state(&state, i);
        tid = thread_resume(vcpu, &state, from->signal_mask, &made);
        if (tid < 0) {
            errno = (int)-tid;
            die(STATUS_FAILED, "raise the limits on processes and memory",
                "cannot resume %s: thread %zu of %u cannot be made: %m", image.execfn, i + 1,
                resuming.process.counts.threads);
        }
        set_thread(made, from);
        pid_map_add(from->tid, (pid_t)tid);
        set_name((pid_t)tid, from->name);
    }
}

void snapshot_resume_threads(struct vcpu *vcpu)
{
    if (!pid_map_reserve(resuming.process.counts.threads)) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)", "no memory: %m");
    }
    pid_map_add(resuming.threads[0].tid, getpid());
    (void)prctl(PR_SET_NAME, resuming.threads[0].name);
    start_others(vcpu);
    pid_map_complete();
    signal_set_mask(vcpu, resuming.threads[0].signal_mask);
    for (int i = 0; i < 3; i++) {
        (void)setitimer(i, (const struct itimerval *)resuming.process.timers[i], NULL);
    }
    threads_go();
}
