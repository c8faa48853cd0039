// SPDX-License-Identifier: Apache-2.0
/*
 * exec.c: execve and execveat: the process becomes a new monitor, with the new program as its
 * payload.
 *
 * km reports a program that cannot run before, as an errno; the host's kernel keeps here too all
 * that it keeps across execve (descriptors, ignored signals, the mask, timers).
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/opening.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGS_MAX (1UL << 20) /* pointers; the host refuses less, by their bytes */

/* ---- can it run? ---- */

/* Open a file that the payload named, as it might do itself. */
static int open_named(struct vcpu *vcpu, const char *path)
{
    return (int)open_at(vcpu, (uint64_t)AT_FDCWD, (uint64_t)path, O_RDONLY | O_CLOEXEC, 0);
}

#define F_SETSIG_ 10

/*
 * Whether somebody has the file open to write to it: a lease for readers is refused then. Who
 * opens it so at this very moment sends a signal that is ignored.
 */
static bool is_written(int fd)
{
    bool written;

    (void)fcntl(fd, F_SETSIG_, SIGURG);
    written = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return written;
}

static int64_t check_elf(struct vcpu *vcpu, const char *path)
{
    bool written;
    Elf64_Ehdr head = {0};
    int fd = open_named(vcpu, path);
    ssize_t n;

    if (fd < 0) {
        return fd;
    }
    n = read(fd, &head, sizeof(head));
    written = is_written(fd);
    (void)close(fd);
    if (written) {
        return -ETXTBSY;
    }
    if (n == (ssize_t)sizeof(head) &&
        !memcmp(head.e_ident, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC))) {
        return 0;
    }
    return n == (ssize_t)sizeof(head) && !memcmp(head.e_ident, ELFMAG, SELFMAG) &&
                   head.e_ident[EI_CLASS] == ELFCLASS64 && head.e_machine == EM_X86_64 &&
                   (head.e_type == ET_EXEC || head.e_type == ET_DYN)
               ? 0
               : -ENOEXEC;
}

static int64_t check_file(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        return -errno;
    }
    return S_ISREG(st.st_mode) && file_may_execute(path) ? 0 : -EACCES;
}

/* Follow scripts, and links to km, to the program that runs; its path is left in *path. */
static int64_t resolve(struct vcpu *vcpu, struct script *script, const char **path,
                       char beside[PATH_MAX])
{
    int64_t found;
    int fd;

    do {
        found = check_file(*path);
        if (found < 0) {
            return found;
        }
        if (self_is(*path) && payload_beside(*path, beside)) {
            *path = beside;
        }
        fd = open_named(vcpu, *path);
        if (fd >= 0 && is_written(fd)) {
            (void)close(fd);
            return -ETXTBSY;
        }
        found = script_resolve(script, *path, fd);
        if (found > 0) {
            *path = script->head[0];
        }
    } while (found > 0);
    return found < 0 ? found : check_elf(vcpu, *path);
}

/* ---- the new monitor's arguments ---- */

struct arguments {
    uint64_t *at; /* NULL-terminated: argv, then envp */
    size_t used, numbers_used;
    char numbers[6][16], limit[48]; /* some of the strings */
};

static void add(struct arguments *to, const char *string)
{
    to->at[to->used++] = (uint64_t)string;
}

/* Append the payload's NULL-terminated array of pointers at `addr`, from its element `from` on. */
static int64_t add_array(struct arguments *to, uint64_t addr, size_t from)
{
    uint64_t pointer = 0;

    for (size_t i = from; addr; i++) {
        if (guest_read(&pointer, addr + i * sizeof(pointer), sizeof(pointer)) < 0 ||
            !guest_ok(pointer, 0)) {
            return -EFAULT;
        }
        if (!pointer) {
            break;
        }
        if (to->used > ARGS_MAX - 2) {
            return -E2BIG;
        }
        to->at[to->used++] = pointer;
    }
    to->at[to->used++] = 0;
    return 0;
}

static void add_fd(struct arguments *to, const char *option, int fd)
{
    char *text = to->numbers[to->numbers_used];

    if (fd >= 0) {
        (void)snprintf(text, sizeof(*to->numbers), "%d", fd);
        to->numbers_used++;
        add(to, option);
        add(to, text);
    }
}

/* Append km's name and options; `gdb` is the word of the session with gdb, or NULL. */
static void add_options(struct arguments *to, const struct vcpu *vcpu, int program, int filters,
                        const char *gdb)
{
    const char *mounts = mounts_carry();

    add(to, "km");
    add_fd(to, "--kvm-fd", vcpu->vm->kvm_fd);
    add_fd(to, "--keeper-fd", options.keeper_fd);
    add_fd(to, "--report-fd", options.report_fd);
    add_fd(to, "--proc-fd", pin_proc());
    if (gdb) {
        add(to, gdb);
    }
    (void)snprintf(to->limit, sizeof(to->limit), "--core-limit=%lu", core_limit);
    add(to, to->limit);
    add_fd(to, "--payload-fd", program);
    add_fd(to, "--seccomp-fd", filters);
    if (mounts) {
        add(to, mounts);
    }
    for (size_t i = 0; i < CARRIED_COUNT; i++) {
        if (options.carried[i]) {
            add(to, options.carried[i]);
        }
    }
}

/* Let the descriptors that the new monitor takes over live through execve, or not. */
static void keep_open(const struct vcpu *vcpu, int program, int gdb, int filters, bool keep)
{
    int fds[] = {vcpu->vm->kvm_fd, options.keeper_fd, options.report_fd, pin_proc(), program, gdb,
                 filters};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            (void)fcntl(fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC);
        }
    }
}

/*
 * Become the monitor of `path`; only failure returns. `program` is an open descriptor of the
 * program where its path does not lead there, or -1; `filters` likewise of what seccomp_save()
 * left.
 */
static int64_t become_with(struct vcpu *vcpu, const char *path, int program, int filters,
                           const struct script *script, uint64_t argv, uint64_t envp)
{
    size_t size = ROUND_UP((ARGS_MAX + 64) * sizeof(uint64_t), PAGE_SIZE);
    void *at = (void *)(places.exec + vcpu->id * size); /* another thread may be here too */
    struct arguments to = {.at = mmap(at, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
                                      0)};
    uint64_t argv0 = 0;
    int64_t error;
    int gdb_fd;
    const char *gdb = hooks.debugger_word(vcpu, &gdb_fd);
    size_t environment;

    if (to.at == MAP_FAILED) {
        return -ENOMEM;
    }
    if (!limits_leave_room()) { /* natively a signal would end it before its first instruction */
        return -E2BIG;
    }
    if (argv && (guest_read(&argv0, argv, sizeof(argv0)) < 0 || !guest_ok(argv0, 0))) {
        return -EFAULT;
    }
    add_options(&to, vcpu, program, filters, gdb);
    if (!script->count) {
        add(&to, "--argv0");
        add(&to, argv0 ? (const char *)argv0 : "");
    }
    add(&to, "--");
    add(&to, path);
    for (size_t i = 1; i < script->count; i++) {
        add(&to, script->head[i]);
    }
    error = add_array(&to, argv0 ? argv : 0, 1);
    environment = to.used;
    if (!error) {
        error = add_array(&to, envp, 0);
    }
    if (error < 0) {
        return error;
    }
    if (vcpu->vforked) { /* the parent's monitor would not hear of another root or folder */
        (void)unshare(CLONE_FS);
    }
    hooks.executes(vcpu);
    keep_open(vcpu, program, gdb_fd, filters, true);
    if (!vcpu->vforked) {
        freeze_executes(vcpu, true);
    }
    held_hand_on(vcpu);
    error = self_execute((char *const *)to.at, (char *const *)(to.at + environment));
    held_take_back();
    if (!vcpu->vforked) {
        freeze_executes(vcpu, false);
    }
    keep_open(vcpu, program, gdb_fd, filters, false);
    return error;
}

static int64_t become(struct vcpu *vcpu, const char *path, int program, const struct script *script,
                      uint64_t argv, uint64_t envp)
{
    int64_t error;

    if (vcpu->children_apart && !vm_can_run(vcpu->vm)) {
        complain("fork after unshare(CLONE_NEWPID), as `unshare --pid --fork` does",
                 "a process after unshare(CLONE_NEWPID) cannot execute a program: KVM cannot start "
                 "a VM's thread there");
        return -EINVAL;
    }
    if (seccomp_is_off(vcpu)) {
        return become_with(vcpu, path, program, -1, script, argv, envp);
    }
    if (!seccomp_save(vcpu)) {
        return -ENOMEM;
    }
    error = become_with(vcpu, path, program, vcpu->pin, script, argv, envp);
    pin_clear(vcpu);
    return error;
}

/* ---- the calls ---- */

static int64_t exec_path(struct vcpu *vcpu, const char *path, uint64_t argv, uint64_t envp)
{
    struct script script = {0};
    char beside[PATH_MAX];
    int64_t error = resolve(vcpu, &script, &path, beside);

    return error < 0 ? error : become(vcpu, path, -1, &script, argv, envp);
}

/* int execve(const char *pathname, char *const argv[], char *const envp[]) */
HANDLER(execve)
{
    char path[PATH_MAX];
    int64_t error = guest_read_path(path, args[0]);

    if (error < 0) {
        return error;
    }
    return exec_path(vcpu, path_is_own_exe(path) ? image.path : path, args[1], args[2]);
}

/* A program that is named by a descriptor, as execveat names it. */
static int64_t exec_below(struct vcpu *vcpu, const uint64_t *args, const char *path)
{
    char name[PATH_MAX + 32];
    struct script script = {0};
    int closes = fcntl((int)args[0], F_GETFD), fd;
    int64_t error;

    if (closes < 0) {
        return -EBADF;
    }
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d%s%s", (int)args[0], *path ? "/" : "",
                   path);
    error = check_file(name);
    if (!error) {
        error = check_elf(vcpu, name);
    }
    if (error == -ENOEXEC) { /* a script's interpreter opens it by this name */
        (void)snprintf(name, sizeof(name), "/dev/fd/%d%s%s", (int)args[0], *path ? "/" : "", path);
        return closes ? -ENOENT : exec_path(vcpu, name, args[2], args[3]);
    }
    if (error < 0) {
        return error;
    }
    fd = open_named(vcpu, name);
    if (fd < 0) {
        return fd;
    }
    error = become(vcpu, name, fd, &script, args[2], args[3]);
    (void)close(fd);
    return error;
}

/* int execveat(int dirfd, const char *pathname, char *const argv[], char *const envp[], int flags)
 */
HANDLER(execveat)
{
    char path[PATH_MAX];
    uint32_t flags = (uint32_t)args[4];
    int64_t error = guest_read_path(path, args[1]);
    struct stat st;

    if (error == -ENOENT && flags & AT_EMPTY_PATH) {
        *path = 0;
        error = 0;
    }
    if (error < 0) {
        return error;
    }
    if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) {
        return -EINVAL;
    }
    if (*path && flags & AT_SYMLINK_NOFOLLOW &&
        fstatat((int)args[0], path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
        return -ELOOP;
    }
    if (*path == '/' || ((int)args[0] == AT_FDCWD && *path)) {
        return exec_path(vcpu, path_is_own_exe(path) ? image.path : path, args[2], args[3]);
    }
    return (int)args[0] == AT_FDCWD ? -EACCES : exec_below(vcpu, args, path);
}
