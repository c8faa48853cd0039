// SPDX-License-Identifier: Apache-2.0
/*
 * shortcut.c: the paths below /proc that say what they lead to, so that the file need not be pinned
 * and judged: openat2(2) goes there from the monitor's own descriptor, and no other way.
 *
 * Below /proc these are the files that belong to no process, and those of a process that
 * neither show the monitor nor lead to a file elsewhere. A text that the monitor writes is known by
 * its name, too: nothing of the host's is opened for the payload then.
 */
#include "base/base.h"
#include "calls/pin.h"
#include "calls/proc.h"
#include "memory/memory.h"

#include <ctype.h>
#include <linux/openat2.h>
#include <string.h>

static const char self[] = "self/";

/* Of a process, whichever, and nothing but numbers and words of its own: not what proc_judge()
 * looks for. */
static const char *const plain[] = {"cgroup", "cmdline",   "comm",      "coredump_filter",
                                    "cpuset", "environ",   "io",        "loginuid",
                                    "mounts", "mountinfo", "oom_score", "oom_score_adj",
                                    "sched",  "schedstat", "sessionid", "statm"};

static bool is_plain(const char *last)
{
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        if (!strcmp(last, plain[i])) {
            return true;
        }
    }
    return false;
}

/* Let `name` be what the path says below /proc. */
static bool read_name(uint64_t path, char name[PROC_AT])
{
    static const char proc[] = "/proc/";
    char all[4096] UNCLEARED, start[sizeof(proc)] = "";

    if (!pin_proc_is_roots() || guest_read(start, path, strlen(proc)) < 0 ||
        strcmp(start, proc) != 0 || guest_read_path(all, path) < 0 ||
        strncmp(all, proc, strlen(proc)) != 0 || strlen(all) >= PROC_AT) {
        return false;
    }
    memcpy(name, all + strlen(proc), strlen(all + strlen(proc)) + 1);
    if (!strcmp(name, "mounts")) { /* the kernel's link */
        (void)snprintf(name, PROC_AT, "%smounts", self);
    }
    return true;
}

bool shortcut_to_text(uint64_t path, struct proc_file *file)
{
    char name[PROC_AT];

    memset(file, 0, sizeof(*file));
    if (!read_name(path, name) || strncmp(name, self, strlen(self)) != 0 ||
        strlen(name + strlen(self)) >= sizeof(file->last)) {
        return false;
    }
    (void)snprintf(file->last, sizeof(file->last), "%s", name + strlen(self));
    if (!proc_is_rewritten(file)) {
        return false;
    }
    file->pid = proc_self();
    file->is_ours = file->pid;
    (void)snprintf(file->folder, sizeof(file->folder), "%d", file->pid);
    return file->is_ours;
}

/* What is named of a process, this one or another by its number; or NULL. */
static const char *of_process(const char *name)
{
    size_t digits = strspn(name, "0123456789");

    if (digits) {
        return name[digits] == '/' ? name + digits + 1 : NULL;
    }
    return strncmp(name, self, strlen(self)) != 0 ? NULL : name + strlen(self);
}

bool shortcut_below_proc(uint64_t path, char name[PROC_AT], uint64_t *resolve)
{
    static const char net[] = "net/"; /* leads to self/net */
    struct proc_file file;
    const char *last;

    *resolve = RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    if (!read_name(path, name) || strstr(name, "/.")) {
        return false;
    }
    last = of_process(name);
    if (last) {
        (void)snprintf(file.last, sizeof(file.last), "%s", last);
        return is_plain(last) && !proc_is_rewritten(&file);
    }
    if (strncmp(name, net, strlen(net)) != 0) {
        *resolve |= RESOLVE_NO_SYMLINKS;
    }
    return isalpha((unsigned char)*name) && strcmp(name, "self") != 0 &&
           strncmp(name, "thread-self", 11) != 0;
}
