// SPDX-License-Identifier: Apache-2.0
/*
 * proc.h: files of proc(5), and those that stand in their place.
 */
#ifndef KM_PROC_H
#define KM_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct maps;
struct stat;
struct text;
struct vcpu;

/* ---- proc_file.c: what a file of a proc(5) is ---- */

#define PROC_AT 96 /* bytes of a name below pin_proc() */

/* What belongs to a process: FOLDER/LAST, where FOLDER is PID or PID/task/TID. Below LAST "fd",
 * "fdinfo" and "map_files" it may be an entry of that. */
struct proc_file {
    pid_t pid;     /* as pin_proc() counts; 0: it belongs to none */
    bool is_ours;  /* below pin_proc(), by its inode; another proc(5) may call it so, too */
    bool is_other; /* below pin_proc(), and none of these */
    char folder[32], last[20], entry[36];
};

/* What `fd` is, whose stat is `st`, and which nobody moves. */
void proc_look(int fd, const struct stat *st, struct proc_file *file);

/* Whether `fd` is on a proc(5); this process's number there, which the child of fork() forgets;
 * whether it is a process in a VM. */
bool proc_has(int fd);
pid_t proc_self(void);
void proc_forget_self(void);
bool proc_is_monitors(const struct proc_file *file);

/* Whether this is a folder of whose entries some may be a monitor's. */
bool proc_lists_monitors(const struct proc_file *file);

/* Whether this entry of a process in a VM is its monitor's; likewise file->entry. */
bool proc_is_monitors_entry(const struct proc_file *file, const char *entry);
bool proc_is_hidden(const struct proc_file *file);

/* How many entries of such a folder, FOLDER/LAST, are. */
unsigned long proc_count_monitors(const struct proc_file *file);

/* What of a process in a VM the link itself is that the path names: whether it is one. The pin
 * is used for it. */
bool proc_look_at_link(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, struct proc_file *file);

/* Whether the last name of a path may be that of a descriptor or a mapping there: of a number. */
bool proc_may_be_entry(uint64_t path);

/* Whether a path may lead into a proc(5) by where it begins: there, in a folder there, or in this
 * process's, which is. */
bool proc_path_begins_there(uint64_t dirfd, uint64_t path);

/* Whether a path is that of such a link, and what it leads to is the monitor's. */
bool proc_path_is_hidden(struct vcpu *vcpu, uint64_t dirfd, uint64_t path);

/* The program of a process in a VM. False when it cannot be told. */
bool proc_program(const struct proc_file *file, char program[4096]);

/* Whether a payload may open this file: 0 or -errno. file->last is empty, or it is to be rewritten.
 */
int64_t proc_judge(int fd, const struct stat *st, struct proc_file *file);
bool proc_is_kvm(const struct stat *st);

/* Whether that of a process in a VM is rewritten. */
bool proc_is_rewritten(const struct proc_file *file);

/* Let `file` be what `name`, a path that the kernel shows, names below a proc(5); it is cut up. */
void proc_take_apart(char *name, struct proc_file *file);

/* ---- shortcut.c: paths below /proc that say what they lead to ---- */

/* Whether the guest's `path` names a text of this process that is rewritten: which. The root is the
 * one that the payload has had at its start. */
bool shortcut_to_text(uint64_t path, struct proc_file *file);

/* Whether it names what a payload may open as it is: its name below pin_proc(), and how openat2(2)
 * must go there, for the folders may change. */
bool shortcut_below_proc(uint64_t path, char name[PROC_AT], uint64_t *resolve);

/* ---- proc_copy.c: the files in memory that stand in the place of what is rewritten ---- */

/* Let the pin be a file that tells of a process in a VM what `file` would tell of its program
 * alone: 0 or -errno. */
int64_t proc_rewrite(struct vcpu *vcpu, const struct proc_file *file);

/* Whether `fd` is such a file, and of which; whether a stat may be one's. */
bool proc_copy_of(int fd, const struct stat *st, struct proc_file *file);
bool proc_copy_at(int fd, struct proc_file *file);
bool proc_copy_may_be(const struct stat *st);

/* The name of the file that it stands for, where the kernel says it is at `path`; or NULL. */
const char *proc_copy_name(const char *path);

/* If it is one, let it say what is so now, as /proc does to who reads from the begin. */
void proc_copy_renew(struct vcpu *vcpu, int fd);

/* ---- sys_copy.c: of a copy, all but its content ---- */

/* Whether it was opened to read, to write, or both, as O_RDONLY and its kin say. */
int copy_access(int fd);

/* Let the pin be another file of /proc, opened so, whose content a payload may have. */
int64_t copy_pin_other(struct vcpu *vcpu, int access);

/* Make a call on descriptor args[0], or on such a file where that is a copy. */
int64_t copy_call(struct vcpu *vcpu, uint64_t number, const uint64_t *args);

/* ---- proc_text.c: such a file's content ---- */

/* Add what it shall say. False when the host does not say it to this process. */
bool proc_write(struct text *to, const struct proc_file *what);

/* proc_maps.c: likewise of the list of mappings `last`, one of /proc/PID, which `list` reads; it is
 * this process's `own`. All have a line for each mapping but numa_maps and smaps_rollup. */
void proc_write_mappings(struct text *to, struct maps *list, const char *last, bool own);

/* Must be called before there is a second thread; in the child of fork(). */
void proc_open_lists(void);
void proc_after_fork(void);

/* Open a file below pin_proc() to read it, or NULL. */
FILE *proc_open(const char *name);

/* How many filters of system calls a process that km runs shows, this one to `own`, or NULL. */
unsigned proc_filters(pid_t pid, const struct vcpu *own);

/* Whether a thread of the process is not the payload's: KVM's own or the monitor's helper. */
bool proc_is_monitors_thread(pid_t pid, const char *tid);

#endif /* KM_PROC_H */
