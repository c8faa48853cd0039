// SPDX-License-Identifier: Apache-2.0
/*
 * elf.h: a program's file, as elf.c reads and judges it.
 */
#ifndef KM_ELF_H
#define KM_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

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

#endif
