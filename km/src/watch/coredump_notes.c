// SPDX-License-Identifier: Apache-2.0
/*
 * coredump_notes.c: the notes of a core: registers, signal, process, auxiliary vector, mapped
 * files. Their layout is the kernel's, in linux/elfcore.h and fs/binfmt_elf.c.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"
#include "watch/watch.h"

#include <asm/unistd.h>
#include <elf.h>
#include <signal.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif
#define XCR0_AT 464 /* where debuggers look for the features of NT_X86_XSTATE */

static struct maps maps;
static struct mapping map;

/* Notes are written behind their header, whose size comes last. */
static uint64_t begin_note(struct core *core)
{
    uint64_t start = core->at;

    core->at += sizeof(Elf64_Nhdr) + 8;
    return start;
}

static void end_note(struct core *core, uint64_t start, const char *name, unsigned type)
{
    struct {
        Elf64_Nhdr head;
        char name[8];
    } note = {.head = {
                  .n_namesz = (Elf64_Word)strlen(name) + 1,
                  .n_descsz = (Elf64_Word)(core->at - start - sizeof(note)),
                  .n_type = type,
              }};

    memcpy(note.name, name, strlen(name));
    core_write(core, start, &note, sizeof(note));
    core->at = ROUND_UP(core->at, 4);
}

static void append_note(struct core *core, const char *name, unsigned type, const void *bytes,
                        size_t size)
{
    uint64_t start = begin_note(core);

    core_append(core, bytes, size);
    end_note(core, start, name, type);
}

/* ---- a thread ---- */

/* The kernel's struct user_regs_struct, in its order. */
static void fill_registers(const struct cpu_state *state, elf_gregset_t to)
{
    const struct kvm_regs *r = &state->regs;
    const elf_gregset_t values = {
        r->r15, r->r14, r->r13,    r->r12, r->rbp, r->rbx,         r->r11,         r->r10,
        r->r9,  r->r8,  r->rax,    r->rcx, r->rdx, r->rsi,         r->rdi,         ~0UL,
        r->rip, 0x33,   r->rflags, r->rsp, 0x2b,   state->fs_base, state->gs_base,
    };

    memcpy(to, values, sizeof(values));
}

static void append_status(struct core *core, const struct cpu_state *state, pid_t tid, int signo)
{
    struct elf_prstatus status = {
        .pr_info = {.si_signo = signo},
        .pr_cursig = (short)signo,
        .pr_pid = tid,
        .pr_ppid = getppid(),
        .pr_pgrp = getpgrp(),
        .pr_sid = getsid(0),
        .pr_fpvalid = 1,
    };

    fill_registers(state, status.pr_reg);
    append_note(core, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

static void append_vectors(struct core *core, struct cpu_state *state)
{
    uint64_t features;
    uint32_t size = xsave_size(&features);

    append_note(core, "CORE", NT_FPREGSET, &state->xsave, FXSAVE_SIZE);
    memcpy((char *)&state->xsave + XCR0_AT, &features, sizeof(features));
    if (size > FXSAVE_SIZE) {
        append_note(core, "LINUX", NT_X86_XSTATE, &state->xsave, size);
    }
}

/* ---- the process ---- */

static void append_process(struct core *core)
{
    const char *slash = strrchr(image.execfn, '/');
    struct elf_prpsinfo info = {
        .pr_sname = 'R',
        .pr_uid = getuid(),
        .pr_gid = getgid(),
        .pr_pid = getpid(),
        .pr_ppid = getppid(),
        .pr_pgrp = getpgrp(),
        .pr_sid = getsid(0),
    };
    size_t used = 0;

    (void)snprintf(info.pr_fname, sizeof(info.pr_fname), "%s", slash ? slash + 1 : image.execfn);
    for (char **arg = options.argv; *arg && used < sizeof(info.pr_psargs); arg++) {
        used += (size_t)snprintf(info.pr_psargs + used, sizeof(info.pr_psargs) - used, "%s%s",
                                 used ? " " : "", *arg);
    }
    append_note(core, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static bool next_file(void)
{
    while (maps_next(&maps, &map) && map.start < GUEST_TOP) {
        if (*map.path) {
            return true;
        }
    }
    return false;
}

/* Count, page size, then start, end and offset in pages of each; then the names. */
static void append_files(struct core *core)
{
    uint64_t start = begin_note(core), head[2] = {0, PAGE_SIZE}, head_at = core->at;

    core->at += sizeof(head);
    for (int pass = 0; pass < 2 && maps_open(&maps, "maps"); pass++) {
        while (next_file()) {
            uint64_t place[] = {map.start, map.end, map.offset / PAGE_SIZE};

            if (pass) {
                core_append(core, map.path, strlen(map.path) + 1);
            } else {
                core_append(core, place, sizeof(place));
                head[0]++;
            }
        }
        maps_close(&maps);
    }
    core_write(core, head_at, head, sizeof(head));
    end_note(core, start, "CORE", NT_FILE);
}

void core_append_notes(struct core *core, struct vcpu *vcpu, int signo)
{
    static struct cpu_state state;
    struct freezable *own = freeze_of(vcpu);
    size_t size;
    const void *auxv = stack_auxv(&size);

    cpu_save(vcpu, &state);
    append_status(core, &state, (pid_t)syscall(__NR_gettid), signo);
    append_process(core);
    append_note(core, "CORE", NT_SIGINFO, vcpu->signal_info, sizeof(vcpu->signal_info));
    append_note(core, "CORE", NT_AUXV, auxv, size);
    append_files(core);
    append_vectors(core, &state);
    for (struct freezable *thread = freeze_first(); thread && !vcpu->vforked;
         thread = freeze_next(thread)) {
        if (thread != own) {
            freeze_get_state(thread, &state);
            append_status(core, &state, thread->tid, 0);
            append_vectors(core, &state);
        }
    }
}
