// SPDX-License-Identifier: Apache-2.0
/*
 * access.c: whether a process may execute a file that lies on a mount of mounts.c's.
 *
 * For such a file the host's kernel answers EACCES before it has looked at the file's mode. So it
 * is asked for what else is wanted, and the right to execute is judged here as the kernel would:
 * path_resolution(7), acl(5), capabilities(7), user_namespaces(7). A security module's answer about
 * execution alone is not known here.
 *
 * The number of a user or group that stands for all that this user namespace does not have does not
 * tell whether it is the process's own. The kernel's answers for reading and writing do, as far as
 * they differ.
 */
#include "base/base.h"
#include "calls/mounts.h"
#include "memory/memory.h"
#include "program/program.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MEMORY_FILE "/memfd:" /* begins what /proc/PID/fd/N links to; memfd_create(2) */

/* ---- who asks ---- */

struct caller {
    uint32_t uid, gid;
    uint64_t caps; /* the effective ones */
    uint32_t *groups;
    int group_count;
    bool in_namespace; /* of users: some are not mapped there */
};

#define UNMAPPED 65534U /* /proc/sys/kernel/overflowuid, overflowgid */
#define NO_SETUID_FIXUP 4
#define GROUPS_MAX 65536 /* NGROUPS_MAX of the kernel */

static bool in_user_namespace(void)
{
    static const char all[] = "         0          0 4294967295\n";
    char line[sizeof(all)] = "";
    FILE *map = fopen("/proc/self/uid_map", "re");

    if (map) {
        (void)!fgets(line, sizeof(line), map);
        (void)fclose(map);
    }
    return strcmp(line, all) != 0;
}

static uint64_t caps_of(bool effective)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{0}};

    (void)syscall(__NR_capget, &head, sets);
    return effective ? sets[0].effective | (uint64_t)sets[1].effective << 32
                     : sets[0].permitted | (uint64_t)sets[1].permitted << 32;
}

/* access(2) asks for the real user, with the capabilities that a program of that user's would have.
 */
static void find_caller(struct caller *caller, bool effective)
{
    bool fixup = !(prctl(PR_GET_SECUREBITS) & NO_SETUID_FIXUP);
    int count;

    caller->uid = effective ? (uint32_t)syscall(__NR_setfsuid, -1) : getuid();
    caller->gid = effective ? (uint32_t)syscall(__NR_setfsgid, -1) : getgid();
    caller->caps = !effective && fixup && caller->uid ? 0 : caps_of(effective || !fixup);
    caller->groups = NULL;
    caller->group_count = 0;
    count = getgroups(0, NULL);
    if (count > 0 && count <= GROUPS_MAX) {
        caller->groups = calloc((size_t)count, sizeof(*caller->groups));
    }
    if (caller->groups && getgroups(count, caller->groups) == count) {
        caller->group_count = count;
    }
}

static bool has_cap(const struct caller *caller, unsigned cap)
{
    return caller->caps >> cap & 1;
}

static bool in_group(const struct caller *caller, uint32_t gid)
{
    bool found = gid == caller->gid;

    for (int i = 0; i < caller->group_count; i++) {
        found |= gid == caller->groups[i];
    }
    return found;
}

/* ---- what the file grants ---- */

/* What the xattr system.posix_acl_access holds; linux/posix_acl_xattr.h. */
struct acl_entry {
    uint16_t tag, rights;
    uint32_t id;
};

enum {
    ACL_OWNER = 1,
    ACL_USER = 2,
    ACL_OWNING_GROUP = 4,
    ACL_GROUP = 8,
    ACL_MASK = 16,
    ACL_OTHER = 32
};

#define ACL_VERSION 2

struct acl {
    uint32_t version;
    struct acl_entry entries[];
};

/* Of what is not known for sure, one possibility. */
struct guess {
    bool owner, group, mapped;
};

struct file {
    struct file_facts facts;
    const struct acl *acl;
    size_t acl_count; /* of its entries, 0: it has none */
};

static bool has(uint32_t rights, uint32_t wanted)
{
    return (rights & wanted) == wanted;
}

static bool acl_grants(const struct file *file, const struct caller *caller,
                       const struct guess *guess, uint32_t wanted)
{
    const struct acl_entry *entries = file->acl->entries;
    uint32_t mask = 7, others = 0;
    bool granted = false, in_any = false;

    for (size_t i = 0; i < file->acl_count; i++) {
        mask = entries[i].tag == ACL_MASK ? entries[i].rights : mask;
    }
    for (size_t i = 0; i < file->acl_count; i++) {
        uint32_t rights = entries[i].rights;
        bool is_own = entries[i].tag == ACL_OWNING_GROUP;

        if (entries[i].tag == ACL_USER && entries[i].id == caller->uid) {
            return has(rights & mask, wanted);
        }
        if (is_own ? guess->group
                   : entries[i].tag == ACL_GROUP && in_group(caller, entries[i].id)) {
            in_any = true;
            granted |= has(rights & mask, wanted);
        }
        others = entries[i].tag == ACL_OTHER ? rights : others;
    }
    return in_any ? granted : has(others, wanted);
}

/* As generic_permission() of the kernel's fs/namei.c decides of a file that is no folder. */
static bool grants(const struct file *file, const struct caller *caller, const struct guess *guess,
                   uint32_t wanted)
{
    uint32_t mode = file->facts.mode;
    bool granted;

    if (guess->owner) {
        granted = has(mode >> 6, wanted);
    } else if (file->acl_count && mode & S_IRWXG) {
        granted = acl_grants(file, caller, guess, wanted);
    } else {
        granted = has(guess->group ? mode >> 3 : mode, wanted);
    }
    return granted || (guess->mapped &&
                       ((has_cap(caller, CAP_DAC_OVERRIDE) && (!(wanted & X_OK) || mode & 0111)) ||
                        (has_cap(caller, CAP_DAC_READ_SEARCH) && wanted == R_OK)));
}

/* ---- what is not sure ---- */

/* As faccessat2(); before Linux 5.8, as faccessat(), for whom real and effective ids are the same.
 */
static int64_t ask(const uint64_t args[6])
{
    int64_t answer = host_syscall(__NR_faccessat2, args);

    if (answer == -ENOSYS && !(args[3] & ~(uint64_t)AT_EACCESS)) {
        answer = host_syscall(__NR_faccessat, args);
    }
    return answer;
}

/* Whether a possibility agrees with what the kernel answers for one right; of a file system that is
 * read-only, for instance, it does not tell. */
static bool agrees(const struct file *file, const struct caller *caller, const struct guess *guess,
                   const uint64_t *args, uint32_t wanted)
{
    int64_t answer = ask((uint64_t[6]){args[0], args[1], wanted, args[3]});

    return (answer && answer != -EACCES) || grants(file, caller, guess, wanted) == !answer;
}

/* Judge by the first possibility that agrees. A part that is sure has one value only. */
static bool may(const struct file *file, const struct caller *caller, const uint64_t *args)
{
    const struct file_facts *facts = &file->facts;
    bool owner = facts->uid == caller->uid, group = in_group(caller, facts->gid);
    bool no_user = caller->in_namespace && facts->uid == UNMAPPED;
    bool no_group = caller->in_namespace && facts->gid == UNMAPPED;
    unsigned unsure = (owner && no_user ? 1U : 0) | (group && no_group ? 2U : 0) |
                      (caller->caps && (no_user || no_group) ? 4U : 0);

    for (unsigned not_so = unsure;; not_so = (not_so - 1) & unsure) {
        struct guess guess = {owner && !(not_so & 1), group && !(not_so & 2), !(not_so & 4)};

        if (!unsure || (agrees(file, caller, &guess, args, R_OK) &&
                        agrees(file, caller, &guess, args, W_OK))) {
            return grants(file, caller, &guess, (uint32_t)args[2]);
        }
        if (!not_so) {
            return false;
        }
    }
}

/* ---- the file ---- */

/* Its list of rights, and how many entries that has: 0, and NULL, for one without. No call reads
 * one below a folder's descriptor. */
static struct acl *read_acl(const uint64_t *args, size_t *entries)
{
    static const char name[] = "system.posix_acl_access";
    char path[PATH_MAX], below[PATH_MAX + 32];
    int64_t error = guest_read_path(path, args[1]), size;
    uint64_t call[6] = {args[1], (uint64_t)name};
    struct acl *acl = NULL;

    if (error == -ENOENT || (!error && *path != '/' && (int)args[0] != AT_FDCWD)) {
        (void)snprintf(below, sizeof(below), "/proc/self/fd/%d%s%s", (int)args[0], error ? "" : "/",
                       error ? "" : path);
        call[0] = (uint64_t)below;
    }
    size = host_syscall(__NR_getxattr, call);
    if (size > (int64_t)sizeof(*acl)) {
        acl = malloc((size_t)size);
        call[2] = (uint64_t)acl;
        call[3] = (uint64_t)size;
        size = acl ? host_syscall(__NR_getxattr, call) : 0;
    }
    *entries = acl && size > (int64_t)sizeof(*acl) && acl->version == ACL_VERSION
                   ? ((size_t)size - sizeof(*acl)) / sizeof(struct acl_entry)
                   : 0;
    return acl;
}

static bool judge(const struct file_facts *facts, const uint64_t *args)
{
    struct file file = {.facts = *facts};
    struct acl *acl = read_acl(args, &file.acl_count);
    struct caller caller;
    bool result;

    file.acl = acl;
    find_caller(&caller, args[3] & AT_EACCESS);
    caller.in_namespace = (facts->uid == UNMAPPED || facts->gid == UNMAPPED) && in_user_namespace();
    result = may(&file, &caller, args);
    free(caller.groups);
    free(acl);
    return result;
}

int64_t access_without_noexec(uint64_t dirfd, uint64_t path, uint64_t mode, uint64_t flags)
{
    uint64_t args[6] = {dirfd, path, mode, flags}, others[6] = {dirfd, path, mode & ~1UL, flags};
    struct file_facts facts;
    int64_t answer;

    if (file_look(dirfd, path, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), &facts) < 0 ||
        !S_ISREG(facts.mode) || !mounts_hides(facts.mount)) {
        return -EACCES;
    }
    answer = ask(others);
    if (answer < 0 && answer != -EROFS) {
        return answer;
    }
    return judge(&facts, args) ? answer : -EACCES;
}

/* ---- execve ---- */

/* A km that was told of no mounts runs what is on a noexec one, too. */
/*
 * Whether it is a file in memory, by the name that the kernel gives it. Where vm.memfd_noexec is
 * set, as krun has it in containers, none of them has the right to be executed; in the VM it may.
 */
static bool is_memory(const char *path)
{
    char target[sizeof(MEMORY_FILE)] = "";
    struct stat st;

    return readlink(path, target, sizeof(target) - 1) == sizeof(target) - 1 &&
           strcmp(target, MEMORY_FILE) == 0 && stat(path, &st) == 0 && st.st_nlink == 0;
}

bool file_may_execute(const char *path)
{
    uint64_t args[6] = {(uint64_t)AT_FDCWD, (uint64_t)path, X_OK, AT_EACCESS};
    struct file_facts facts;
    struct statvfs fs;

    if (ask(args) == 0 || is_memory(path)) {
        return true;
    }
    if (mounts_any()) {
        return access_without_noexec(args[0], args[1], args[2], args[3]) == 0;
    }
    return statvfs(path, &fs) == 0 && fs.f_flag & ST_NOEXEC &&
           file_look(args[0], args[1], 0, &facts) == 0 && judge(&facts, args);
}
