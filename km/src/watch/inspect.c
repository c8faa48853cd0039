// SPDX-License-Identifier: Apache-2.0
/*
 * inspect.c: km --inspect describes a program's file and runs nothing of it.
 */
#include "base/base.h"
#include "program/program.h"
#include "watch/watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DYNAMIC_MAX 4096 /* entries of PT_DYNAMIC */
#define NOTES_MAX 65536  /* bytes of one PT_NOTE */

/* Read the text at `offset` of the file: printable, with ? for what is not, and cut at the end. */
static const char *read_text(const struct elf *elf, uint64_t offset, char text[PATH_MAX])
{
    ssize_t n =
        offset < elf->size ? pread(elf->fd, text, PATH_MAX - 1, (off_t)offset) : (ssize_t)-1;

    text[n < 0 ? 0 : n] = 0;
    for (char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
    return text;
}

static const Elf64_Phdr *find_segment(const struct elf *elf, uint32_t type)
{
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        if (elf->phdrs[i].p_type == type) {
            return &elf->phdrs[i];
        }
    }
    return NULL;
}

/* Where in the file the byte is that is loaded at `vaddr`; UINT64_MAX: nowhere. */
static uint64_t offset_of(const struct elf *elf, uint64_t vaddr)
{
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        const Elf64_Phdr *phdr = &elf->phdrs[i];

        if (phdr->p_type == PT_LOAD && vaddr >= phdr->p_vaddr &&
            vaddr - phdr->p_vaddr < phdr->p_filesz) {
            return phdr->p_offset + (vaddr - phdr->p_vaddr);
        }
    }
    return UINT64_MAX;
}

/* Copy the text of gcc-kontain's note, its version, from one segment of notes; see note.S there. */
static bool find_note(const struct elf *elf, const Elf64_Phdr *phdr, char version[64])
{
    static unsigned char notes[NOTES_MAX];
    ssize_t read = phdr->p_filesz <= sizeof(notes)
                       ? pread(elf->fd, notes, phdr->p_filesz, (off_t)phdr->p_offset)
                       : (ssize_t)-1;
    size_t size = read < 0 ? 0 : (size_t)read;
    Elf64_Nhdr note;

    for (size_t at = 0; size - at >= sizeof(note);) {
        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        size_t name = ROUND_UP((size_t)note.n_namesz, 4), text = ROUND_UP((size_t)note.n_descsz, 4);

        if (name > size - at || text > size - at - name) {
            return false;
        }
        if (note.n_namesz == sizeof("Kontain") && note.n_type == NT_VERSION &&
            !memcmp(notes + at, "Kontain", sizeof("Kontain"))) {
            (void)snprintf(version, 64, "%.*s", (int)note.n_descsz, (char *)notes + at + name);
            return true;
        }
        at += name + text;
    }
    return false;
}

static void print_version(const struct elf *elf)
{
    char version[64] = "";
    bool found = false;

    for (size_t i = 0; i < elf->head.e_phnum && !found; i++) {
        found = elf->phdrs[i].p_type == PT_NOTE && find_note(elf, &elf->phdrs[i], version);
    }
    for (char *c = version; *c; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    }
    printf("linked by:  %s%s\n", found ? "gcc-kontain " : "another compiler", version);
}

static void print_loader(const struct elf *elf)
{
    const Elf64_Phdr *phdr = find_segment(elf, PT_INTERP);
    char path[PATH_MAX];

    if (!phdr) {
        puts("loader:     none");
        return;
    }
    read_text(elf, phdr->p_offset, path);
    printf("loader:     %s%s\n", path, access(path, F_OK) < 0 ? " (not on this system)" : "");
}

static void print_libraries(const struct elf *elf)
{
    const Elf64_Phdr *phdr = find_segment(elf, PT_DYNAMIC);
    static Elf64_Dyn entries[DYNAMIC_MAX];
    ssize_t read = 0;
    uint64_t names = UINT64_MAX;
    bool any = false;
    char name[PATH_MAX];

    if (phdr && phdr->p_filesz <= sizeof(entries)) {
        read = pread(elf->fd, entries, phdr->p_filesz, (off_t)phdr->p_offset);
    }
    size_t count = read < 0 ? 0 : (size_t)read / sizeof(*entries);

    for (size_t i = 0; i < count; i++) {
        if (entries[i].d_tag == DT_STRTAB) {
            names = offset_of(elf, entries[i].d_un.d_ptr);
        }
    }
    printf("libraries: ");
    for (size_t i = 0; i < count && names != UINT64_MAX && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag == DT_NEEDED && entries[i].d_un.d_val < elf->size) {
            printf(" %s", read_text(elf, names + entries[i].d_un.d_val, name));
            any = true;
        }
    }
    puts(any ? "" : " none");
}

static void print_memory(const struct elf *elf)
{
    const Elf64_Phdr *stack = find_segment(elf, PT_GNU_STACK);
    uint64_t size = 0;

    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        if (elf->phdrs[i].p_type == PT_LOAD) {
            size += elf->phdrs[i].p_memsz;
        }
    }
    printf("memory:     %lu bytes%s\n", size,
           stack && stack->p_flags & PF_X ? ", and a stack that can be executed" : "");
}

_Noreturn void inspect_payload(void)
{
    static struct elf elf;
    static char found[PATH_MAX];
    bool fixed, loader;

    elf_open(&elf, elf_find(found), options.payload_fd);
    if (elf.snapshot) {
        printf("file:       %s\nprogram:    snapshot, which resumes where it was written\n",
               elf.path);
        exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
    }
    fixed = elf.head.e_type == ET_EXEC;
    loader = find_segment(&elf, PT_INTERP);
    printf("file:       %s\n", elf.path);
    printf("program:    %s, %s, x86-64\n", loader ? "dynamic" : "static",
           fixed ? "of fixed addresses" : "position independent");
    print_version(&elf);
    print_loader(&elf);
    print_libraries(&elf);
    print_memory(&elf);
    exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}
