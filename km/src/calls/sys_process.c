// SPDX-License-Identifier: Apache-2.0
/*
 * sys_process.c: the system calls of the process: its end, its identity, its thread's registers.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/filters.h"
#include "calls/handlers.h"
#include "calls/proc.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PR_SET_VMA_ 0x53564d41

/* void exit_group(int status) */
HANDLER(exit_group)
{
    hooks.call_ends_caller(vcpu, 231, args);
    hooks.exits(vcpu, (int)args[0], true);
    _exit((int)args[0]);
}

/* int arch_prctl(int code, unsigned long addr) */
HANDLER(arch_prctl)
{
    uint64_t fs, gs;

    switch (args[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (args[1] >= GUEST_TOP) {
            return -EPERM;
        }
        (args[0] == ARCH_SET_FS ? cpu_set_fs_base : cpu_set_gs_base)(vcpu, args[1]);
        return 0;
    case ARCH_GET_FS:
    case ARCH_GET_GS:
        cpu_get_bases(vcpu, &fs, &gs);
        return guest_write(args[1], args[0] == ARCH_GET_FS ? &fs : &gs, sizeof(fs));
    case ARCH_GET_CPUID: /* without faults */
        return 1;
    case ARCH_SET_CPUID: /* as on a CPU that has none */
        return -ENODEV;
    default: /* shadow stacks, AMX: not here */
        return -EINVAL;
    }
}

/* int uname(struct utsname *buf): the release says that this is a VM of Kontain */
HANDLER(uname)
{
    struct utsname name;
    size_t length;

    (void)vcpu;
    if (uname(&name) < 0) {
        return -errno;
    }
    length = strnlen(name.release, sizeof(name.release) - sizeof(RELEASE_SUFFIX));
    memcpy(name.release + length, RELEASE_SUFFIX, sizeof(RELEASE_SUFFIX));
    return guest_write(args[0], &name, sizeof(name));
}

/*
 * int personality(unsigned long persona)
 *
 * READ_IMPLIES_EXEC would make all memory that the payload can read executable for the host.
 */
HANDLER(personality)
{
    uint64_t persona = (uint32_t)args[0], with_copy[6] = {persona & ~(uint64_t)READ_IMPLIES_EXEC};

    (void)vcpu;
    return host_syscall(__NR_personality, persona == 0xffffffff ? args : with_copy);
}

/* ---- prctl ---- */

/* Whether the thread may ask what time the CPU counts. */
static int64_t set_tsc(struct vcpu *vcpu, uint64_t how)
{
    if (how != PR_TSC_ENABLE && how != PR_TSC_SIGSEGV) {
        return -EINVAL;
    }
    cpu_forbid_tsc(vcpu, how == PR_TSC_SIGSEGV);
    return 0;
}

/* What the host's kernel answers: it concerns the process alone, and holds no pointer. */
static bool is_the_hosts(uint64_t option)
{
    switch (option) {
    case PR_SET_PDEATHSIG:
    case PR_SET_CHILD_SUBREAPER:
    case PR_GET_DUMPABLE:
    case PR_SET_DUMPABLE: /* it decides whose the process's files below /proc are */
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_TIMERSLACK:
    case PR_SET_TIMERSLACK:
    case PR_GET_TIMING:
    case PR_SET_TIMING:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_CAP_AMBIENT:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_GET_THP_DISABLE:
    case PR_SET_THP_DISABLE:
    case PR_MCE_KILL_GET:
    case PR_GET_SPECULATION_CTRL:
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
        return true;
    default:
        return false;
    }
}

/* int prctl(int option, ...): what concerns the process alone */
HANDLER(prctl)
{
    uint64_t option = (uint32_t)args[0];
    int32_t tsc = vcpu->tsc_forbidden ? PR_TSC_SIGSEGV : PR_TSC_ENABLE;
    char name[16] = {0};

    if (is_the_hosts(option)) {
        return host_syscall(__NR_prctl, args);
    }
    switch (option) {
    case PR_SET_NAME:
    case PR_GET_PDEATHSIG:
    case PR_GET_CHILD_SUBREAPER:
        return guest_ok(args[1], sizeof(name)) ? host_syscall(__NR_prctl, args) : -EFAULT;
    case PR_GET_NAME:
        if (prctl(PR_GET_NAME, name) < 0) {
            return -errno;
        }
        return guest_write(args[1], name, sizeof(name));
    case PR_GET_TID_ADDRESS:
        return guest_write(args[1], &vcpu->clear_tid, sizeof(vcpu->clear_tid));
    case PR_GET_TSC:
        return guest_write(args[1], &tsc, sizeof(tsc));
    case PR_SET_TSC:
        return set_tsc(vcpu, args[1]);
    case PR_GET_SECCOMP: /* of the payload, not of the monitor */
        return proc_filters(proc_self(), vcpu) ? SECCOMP_MODE_FILTER : vcpu->seccomp.mode;
    case PR_SET_SECCOMP:
        return seccomp_set(vcpu, args[1], args[2]);
    case PR_SET_VMA_: /* a name for a mapping */
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- limits ---- */

/*
 * As prlimit64(2) for RLIMIT_CORE. The host's soft limit stays 0, since its core would be the
 * monitor's; what the payload has set is what it reads.
 */
static int64_t limit_core(uint64_t pid, uint64_t new, uint64_t old)
{
    bool own = !pid || pid == (uint64_t)getpid();
    struct {
        uint64_t soft, hard;
    } wanted = {0}, was = {0};
    uint64_t args[6] = {pid, RLIMIT_CORE, new ? (uint64_t)&wanted : 0, (uint64_t)&was};
    uint64_t wanted_soft;
    int64_t error;

    if (new && guest_read(&wanted, new, sizeof(wanted)) < 0) {
        return -EFAULT;
    }
    wanted_soft = wanted.soft;
    if (wanted.soft > wanted.hard) {
        return -EINVAL;
    }
    wanted.soft = 0;
    error = host_syscall(__NR_prlimit64, args);
    if (error < 0) {
        return error;
    }
    was.soft = own ? core_limit : was.soft;
    if (own && new) {
        signal_set_core_limit(wanted_soft);
    }
    return old && guest_write(old, &was, sizeof(was)) < 0 ? -EFAULT : 0;
}

/* As prlimit64(2), of limits that the host has otherwise than the payload. */
static int64_t limit_apart(uint64_t pid, uint64_t resource, uint64_t new, uint64_t old)
{
    struct rlimit wanted = {0, 0}, was = {0, 0};
    uint64_t args[6] = {pid, resource, new ? (uint64_t)&wanted : 0, old ? (uint64_t)&was : 0};
    int64_t error;

    if (new && guest_read(&wanted, new, sizeof(wanted)) < 0) {
        return -EFAULT;
    }
    limits_to_host(resource, &wanted);
    error = host_syscall(__NR_prlimit64, args);
    if (error < 0 || !old) {
        return error;
    }
    limits_to_payload(resource, &was);
    return guest_write(old, &was, sizeof(was));
}

static int64_t change_limit(uint64_t pid, uint64_t resource, uint64_t new, uint64_t old)
{
    switch (resource) {
    case RLIMIT_CORE:
        return limit_core(pid, new, old);
    case RLIMIT_AS:
    case RLIMIT_DATA:
    case RLIMIT_NPROC:
        return limit_apart(pid, resource, new, old);
    default:
        return host_syscall(__NR_prlimit64, (uint64_t[6]){pid, resource, new, old});
    }
}

/* int getrlimit(int resource, struct rlimit *limit), and to set it */
HANDLER(getrlimit)
{
    (void)vcpu;
    return args[1] ? change_limit(0, (uint32_t)args[0], 0, args[1])
                   : host_syscall(__NR_getrlimit, args);
}

HANDLER(setrlimit)
{
    (void)vcpu;
    return args[1] ? change_limit(0, (uint32_t)args[0], args[1], 0)
                   : host_syscall(__NR_setrlimit, args);
}

/* int prlimit(pid_t pid, int resource, const struct rlimit *new, struct rlimit *old) */
HANDLER(prlimit64)
{
    (void)vcpu;
    return change_limit((uint32_t)args[0], (uint32_t)args[1], args[2], args[3]);
}

/* A call that needs a privilege which no payload has: of a mount, a module, the machine itself. */
HANDLER(refuse)
{
    (void)vcpu;
    (void)args;
    return -EPERM;
}
