// SPDX-License-Identifier: Apache-2.0
/*
 * filters.c: judge each system call of a payload's thread by the filters that it has set.
 *
 * The monitor obeys them as the kernel does for a process without tracer and listener. A filter is
 * never changed; a thread has the newest, which leads to the older ones, so that threads and forks
 * share them.
 */
#include "calls/filters.h"
#include "base/base.h"
#include "calls/calls.h"
#include "calls/pin.h"
#include "machine/machine.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <ctype.h>
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool of_container; /* the oldest filter is the container's profile: seccomp_parse() */

/* ---- filters ---- */

static size_t size_of(unsigned short count)
{
    return sizeof(struct filter) + count * sizeof(struct sock_filter);
}

struct filter *filter_alloc(unsigned short count)
{
    struct filter *filter =
        mmap(NULL, size_of(count), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (filter == MAP_FAILED) {
        return NULL;
    }
    filter->count = count;
    return filter;
}

void filter_free(struct filter *filter)
{
    (void)munmap(filter, size_of(filter->count));
}

void filter_drop(struct filter *filter)
{
    while (filter && --filter->users == 0) {
        struct filter *older = filter->older;

        filter_free(filter);
        filter = older;
    }
}

void seccomp_give(struct vcpu *vcpu, struct filter *filters, unsigned mode)
{
    struct filter *old = vcpu->seccomp.filters;

    if (filters) {
        filters->users++;
    }
    __atomic_store_n(&vcpu->seccomp.filters, filters, __ATOMIC_RELEASE);
    __atomic_store_n(&vcpu->seccomp.mode, mode, __ATOMIC_SEQ_CST);
    if (mode) {
        stub_set_answers(vcpu); /* there are none now */
    }
    if (!vcpu->vforked) { /* its parent gets the old ones back, and has counted them */
        filter_drop(old);
    }
}

void seccomp_add(struct vcpu *vcpu, struct filter *filter)
{
    filter->older = vcpu->seccomp.filters;
    if (filter->older) {
        filter->older->users++;
    }
    seccomp_give(vcpu, filter, SECCOMP_MODE_FILTER);
}

void seccomp_release(struct vcpu *vcpu)
{
    freeze_lock();
    seccomp_give(vcpu, NULL, SECCOMP_MODE_DISABLED);
    freeze_unlock();
}

unsigned seccomp_count(const struct vcpu *vcpu)
{
    unsigned count = 0;

    for (const struct filter *f = vcpu->seccomp.filters; f; f = f->older) {
        count++;
    }
    return count;
}

/* ---- the verdict ---- */

/* Of several filters the sternest counts, of equally stern ones the newest. */
static uint32_t run_all(const struct vcpu *vcpu, const struct seccomp_data *data)
{
    uint32_t verdict = SECCOMP_RET_ALLOW;

    for (const struct filter *f = __atomic_load_n(&vcpu->seccomp.filters, __ATOMIC_ACQUIRE); f;
         f = f->older) {
        uint32_t found = bpf_run(f->code, data);

        if ((int32_t)(found & SECCOMP_RET_ACTION_FULL) <
            (int32_t)(verdict & SECCOMP_RET_ACTION_FULL)) {
            verdict = found;
        }
    }
    return verdict;
}

/* The siginfo of SIGSYS; asm-generic/siginfo.h. */
static void describe(siginfo_t *info, const struct seccomp_data *data, uint32_t reason)
{
    *info = (siginfo_t){.si_signo = SIGSYS, .si_code = 1 /* SYS_SECCOMP */};
    info->si_errno = (int)(reason & SECCOMP_RET_DATA);
    info->si_call_addr = (void *)data->instruction_pointer;
    info->si_syscall = data->nr;
    info->si_arch = data->arch;
}

static _Noreturn void kill_by(struct vcpu *vcpu, int signo, bool thread_only, const siginfo_t *info)
{
    memcpy(vcpu->signal_info, info, sizeof(vcpu->signal_info));
    if (thread_only && thread_several() && !vcpu->vforked) {
        thread_end(vcpu, -signo);
    }
    signal_die(signo);
}

static bool strict_allows(uint64_t number)
{
    return number == __NR_read || number == __NR_write || number == __NR_exit ||
           number == __NR_rt_sigreturn;
}

static void trap(struct vcpu *vcpu, const siginfo_t *info)
{
    cpu_leave_stub(vcpu); /* RAX is the call's number still, as Linux leaves it */
    vcpu->fault = (struct exception){0};
    signal_force_info(vcpu, info);
}

static void refuse(struct vcpu *vcpu, uint64_t number, const uint64_t *args, uint32_t error)
{
    uint64_t start = hooks.call_begins(vcpu, number, args);

    vcpu->regs->rax = -(uint64_t)error;
    hooks.call_ended(vcpu, number, args, -(int64_t)error, start);
}

bool seccomp_allows(struct vcpu *vcpu, uint64_t next, uint64_t number, const uint64_t *args)
{
    struct seccomp_data data = {
        .nr = (int)number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = next};
    uint32_t verdict, error;
    siginfo_t info;

    if (vcpu->seccomp.mode == SECCOMP_MODE_STRICT) {
        if (strict_allows(number)) {
            return true;
        }
        kill_by(vcpu, SIGKILL, true, &(siginfo_t){.si_signo = SIGKILL, .si_code = SI_KERNEL});
    }
    memcpy(data.args, args, sizeof(data.args));
    verdict = run_all(vcpu, &data);
    describe(&info, &data, verdict);
    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return true;
    case SECCOMP_RET_ERRNO:
        error = verdict & SECCOMP_RET_DATA;
        refuse(vcpu, number, args, error < 4095 ? error : 4095); /* MAX_ERRNO */
        return false;
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
        refuse(vcpu, number, args, ENOSYS);
        return false;
    case SECCOMP_RET_TRAP:
        trap(vcpu, &info);
        return false;
    case SECCOMP_RET_KILL_THREAD:
        kill_by(vcpu, SIGSYS, true, &info);
    default: /* SECCOMP_RET_KILL_PROCESS, and what no kernel knows */
        kill_by(vcpu, SIGSYS, false, &info);
    }
}

/* ---- the way through execve ---- */

struct carried { /* then the filters, the oldest first: a uint32_t, and so many instructions */
    uint32_t mode, filters, of_container;
};

/* The bytes that are carried; so many of them are written to `to` at most. */
static size_t carry(const struct vcpu *vcpu, char *to, size_t room)
{
    const struct filter *newest = vcpu->seccomp.filters;
    size_t used = sizeof(struct carried), all = used;
    uint32_t filters = 0;

    for (const struct filter *f = newest; f; f = f->older) {
        all += sizeof(uint32_t) + f->count * sizeof(*f->code);
        filters++;
    }
    if (!to || room < all) {
        return all;
    }
    memcpy(to, &(struct carried){vcpu->seccomp.mode, filters, of_container}, used);
    used = all;
    for (const struct filter *f = newest; f; f = f->older) { /* from the end: the oldest is first */
        size_t size = f->count * sizeof(*f->code);
        uint32_t count = f->count;

        used -= size;
        memcpy(to + used, f->code, size);
        used -= sizeof(count);
        memcpy(to + used, &count, sizeof(count));
    }
    return all;
}

bool seccomp_save(struct vcpu *vcpu)
{
    size_t size;
    char *bytes;
    bool saved;

    freeze_lock(); /* another thread may give this one its filters */
    size = carry(vcpu, NULL, 0);
    bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes != MAP_FAILED) {
        (void)carry(vcpu, bytes, size);
    }
    freeze_unlock();
    saved = bytes != MAP_FAILED && sealed_make(vcpu, bytes, size);
    if (bytes != MAP_FAILED) {
        (void)munmap(bytes, size);
    }
    return saved;
}

/* What is read: by its place, not by a position that another process may move. */
struct reader {
    int fd;
    off_t at;
};

static bool get(struct reader *from, void *bytes, size_t size)
{
    bool whole = pread(from->fd, bytes, size, from->at) == (ssize_t)size;

    from->at += (off_t)size;
    return whole;
}

static bool load_filter(struct vcpu *vcpu, struct reader *from)
{
    struct filter *filter;
    uint32_t count;

    if (!get(from, &count, sizeof(count)) || count > BPF_MAXINSNS) {
        return false;
    }
    filter = filter_alloc((unsigned short)count);
    if (!filter || !get(from, filter->code, count * sizeof(*filter->code)) ||
        !bpf_check(filter->code, count)) {
        return false;
    }
    seccomp_add(vcpu, filter);
    return true;
}

void seccomp_load(struct vcpu *vcpu, int fd)
{
    struct reader from = {.fd = fd};
    struct carried head;
    bool whole = get(&from, &head, sizeof(head)) &&
                 (head.mode == SECCOMP_MODE_STRICT || head.mode == SECCOMP_MODE_FILTER);

    for (uint32_t i = 0; whole && i < head.filters; i++) {
        whole = load_filter(vcpu, &from);
    }
    if (!whole) {
        die(STATUS_FAILED, "leave --seccomp-fd out: km itself uses it, for execve",
            "descriptor %d holds no filters of system calls", fd);
    }
    vcpu->seccomp.mode = head.mode;
    of_container = head.of_container;
    (void)close(fd);
}

/* ---- the container's profile ---- */

#define WORD 2 /* digits of a byte */

static bool read_hex(unsigned char *to, const char *text, size_t size)
{
    char byte[WORD + 1] = "", *end;

    for (size_t i = 0; i < size; i++) {
        memcpy(byte, &text[i * WORD], WORD);
        to[i] = (unsigned char)strtoul(byte, &end, 16);
        if (*end || !isxdigit(byte[0])) {
            return false;
        }
    }
    return true;
}

void seccomp_parse(struct vcpu *vcpu, const char *text)
{
    size_t size = strlen(text) / WORD, count = size / sizeof(struct sock_filter);
    struct filter *filter =
        count && count <= BPF_MAXINSNS && strlen(text) == count * sizeof(struct sock_filter) * WORD
            ? filter_alloc((unsigned short)count)
            : NULL;

    if (!filter || !read_hex((unsigned char *)filter->code, text, size) ||
        !bpf_check(filter->code, filter->count)) {
        die(STATUS_FAILED, "give instructions as seccomp(2) takes them, in hexadecimal",
            "--seccomp holds no filter of system calls");
    }
    seccomp_add(vcpu, filter);
    of_container = true;
}

/* The newest of the host's is km's own, and one that km judges by stands there in another form. */
unsigned seccomp_shown(const struct vcpu *vcpu, unsigned host)
{
    unsigned outside = host > 1 ? host - 1 : 0;

    if (of_container && outside) {
        outside--;
    }
    return outside + (vcpu ? seccomp_count(vcpu) : of_container);
}
