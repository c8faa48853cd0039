// SPDX-License-Identifier: Apache-2.0
/*
 * program.h: the payload's program: its files, its image, and what it finds on its stack.
 */
#ifndef KM_PROGRAM_H
#define KM_PROGRAM_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

#define SNAPSHOT_MAGIC "\x7fkmsnap" /* 8 bytes, with its end */

/* ---- script.c ---- */

#define SCRIPT_DEPTH_MAX 5  /* as the kernel follows #! lines */
#define SCRIPT_LINE_MAX 256 /* BINPRM_BUF_SIZE */

/* What #! lines put before the arguments, in place of argv[0]. */
struct script {
    const char *head[2 * SCRIPT_DEPTH_MAX + 2];
    size_t count;
    size_t depth;
    char lines[SCRIPT_DEPTH_MAX][SCRIPT_LINE_MAX + 1];
};

/*
 * When the file at `path`, open at `fd` or -1, is a script, put its interpreter, the line's
 * argument and `path` in front, and return 1. 0 when it is none, -ENOEXEC for a line without
 * interpreter, -ELOOP. Closes `fd`.
 */
int script_resolve(struct script *script, const char *path, int fd);

/* ---- elf.c, stack.c: the payload's image and what it finds on its stack ---- */

struct image {
    uint64_t entry;     /* where the payload starts: its loader's entry, or its own */
    uint64_t own_entry; /* AT_ENTRY */
    uint64_t phdr;      /* gva of the program headers */
    unsigned phdr_count;
    uint64_t loader_base; /* AT_BASE: where PT_INTERP's file was put, or 0 */
    uint64_t start, end;  /* of the image in memory; the break starts at its end */
    bool has_loader;
    bool stack_executable; /* PT_GNU_STACK */
    const char *execfn;    /* the path that was opened: AT_EXECFN */
    int snapshot_fd;       /* the open file when it is a snapshot, else -1 */
    char path[4096];       /* the same, resolved: what /proc/self/exe shows */
};

/*
 * access.c: whether this process may execute the file, also where it is on a mount that is noexec
 * to keep an image's programs from running outside a VM.
 */
bool file_may_execute(const char *path);

/* `python` may be a link to km that stands for `python.km` beside it: whether, and its path. */
bool payload_beside(const char *program, char path[4096]);

/* Find options.payload, and its loader if it names one, and check both. Ends km with 126 or 127. */
void image_open(struct image *to);

/* Map what image_open() found. */
void image_load(struct image *to);

/* ---- running.c ---- */

/* Keep this descriptor of the program, by which others see that it runs. */
void program_hold(int fd);

/* Whether the file of a descriptor, open to read, runs as a program in some VM. */
bool program_runs(int fd);

/* Make the stack: argv, envp, auxv as execve(2) leaves them. Returns the stack pointer. */
uint64_t stack_create(const struct image *from, uint64_t vdso, char **argv, char **envp);

/* The auxiliary vector that stack_create() left, and its bytes. */
const void *stack_auxv(size_t *size);

/* What of the stack /proc/PID/{cmdline,environ,stat} show, see PR_SET_MM in prctl(2). */
struct stack_shown {
    uint64_t sp, arg_start, arg_end, env_end;
};

const struct stack_shown *stack_get_shown(void);

/* Whether the host's kernel lets it be shown. */
bool stack_is_shown(void);

/* Show it, and this auxiliary vector, as stack_create() does. */
void stack_show(const struct stack_shown *what, const void *from, size_t size);

extern struct image image;

#define PHDRS_MAX 128

struct elf {
    const char *path;
    int fd;
    uint64_t size; /* of the file */
    bool snapshot; /* it is one, and no program: there are no headers */
    Elf64_Ehdr head;
    Elf64_Phdr phdrs[PHDRS_MAX];
};

#define FIX_ELF "give an ELF program for Linux on x86-64, such as gcc-kontain makes"

/* ---- elf_find.c ---- */

/*
 * The path of options.payload, searched as km --help says, to a file that may be executed; else km
 * ends with STATUS_NOT_FOUND or STATUS_CANNOT_RUN. `found` is where the path may be kept.
 */
const char *elf_find(char found[4096]);
/* End km with one of these unless the file may be executed. */
void elf_check_file(const char *path);

/* ---- elf.c ---- */

/*
 * Read the headers of the file at `path`, or of the open descriptor `fd` when it is not negative.
 * Whatever cannot run ends km with STATUS_CANNOT_RUN; all that PT_LOAD names is then in the file.
 */
void elf_open(struct elf *elf, const char *path, int fd);

#endif /* KM_PROGRAM_H */
