// SPDX-License-Identifier: Apache-2.0
/*
 * elf.c: refuse a file that cannot run, and map another as the kernel's execve does.
 */
#include "base/base.h"
#include "memory/memory.h"
#include "program/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct image image;

/* The image must leave room for the mappings and the stack above it. */
#define IMAGE_TOP (GUEST_TOP - (64UL << 30))

/* ---- the headers ---- */

static void check_head(const struct elf *elf)
{
    const Elf64_Ehdr *head = &elf->head;

    if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) {
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: it is not an ELF file%s", elf->path,
            memcmp(head->e_ident, "#!", 2) != 0 ? "" : " but a script: name its interpreter first");
    }
    if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
        head->e_machine != EM_X86_64) {
        die(STATUS_CANNOT_RUN, FIX_ELF,
            "cannot run %s: it is for another machine (ELF class %u, machine %u), wanted x86-64 "
            "(class 2, machine 62)",
            elf->path, head->e_ident[EI_CLASS], head->e_machine);
    }
    if (head->e_type != ET_EXEC && head->e_type != ET_DYN) {
        die(STATUS_CANNOT_RUN, FIX_ELF,
            "cannot run %s: it is not a program (ELF type %u, wanted 2 or 3)", elf->path,
            head->e_type);
    }
    if (head->e_phentsize != sizeof(Elf64_Phdr) || !head->e_phnum || head->e_phnum > PHDRS_MAX) {
        die(STATUS_CANNOT_RUN, FIX_ELF,
            "cannot run %s: it has %u program headers of %u bytes, wanted 1 to %u of %zu",
            elf->path, head->e_phnum, head->e_phentsize, PHDRS_MAX, sizeof(Elf64_Phdr));
    }
}

static _Noreturn void die_truncated(const struct elf *elf, const char *what)
{
    die(STATUS_CANNOT_RUN, "copy or build the file again",
        "cannot run %s: its %s goes beyond the end of the file (%lu bytes)", elf->path, what,
        elf->size);
}

static void check_segment(const struct elf *elf, const Elf64_Phdr *phdr)
{
    uint64_t file_end, end;

    if (__builtin_add_overflow(phdr->p_offset, phdr->p_filesz, &file_end) || file_end > elf->size) {
        die_truncated(elf, "segment");
    }
    if (__builtin_add_overflow(phdr->p_vaddr, phdr->p_memsz, &end) || end > IMAGE_TOP ||
        (elf->head.e_type == ET_EXEC && phdr->p_memsz && phdr->p_vaddr < GUEST_BOTTOM)) {
        die(STATUS_CANNOT_RUN, FIX_ELF,
            "cannot run %s: a segment of 0x%lx bytes at 0x%lx is not within 0x%lx to 0x%lx",
            elf->path, phdr->p_memsz, phdr->p_vaddr, GUEST_BOTTOM, IMAGE_TOP);
    }
    if (phdr->p_filesz > phdr->p_memsz || (phdr->p_vaddr - phdr->p_offset) % PAGE_SIZE) {
        die(STATUS_CANNOT_RUN, FIX_ELF,
            "cannot run %s: a segment at 0x%lx does not fit its place in the file (offset 0x%lx, "
            "0x%lx bytes there, 0x%lx in memory)",
            elf->path, phdr->p_vaddr, phdr->p_offset, phdr->p_filesz, phdr->p_memsz);
    }
}

void elf_open(struct elf *elf, const char *path, int fd)
{
    size_t phdrs_size;
    bool loads = false;
    struct stat st;

    *elf = (struct elf){.path = path, .fd = fd};
    if (fd < 0) {
        elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    if (elf->fd < 0 || fstat(elf->fd, &st) < 0) {
        die(STATUS_CANNOT_RUN, "make it readable with chmod +r", "cannot read %s: %m", path);
    }
    if (!S_ISREG(st.st_mode)) { /* a FIFO would be waited for, a device may do anything */
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: it is not a regular file", path);
    }
    elf->size = (uint64_t)st.st_size;
    if (pread(elf->fd, &elf->head, sizeof(elf->head), 0) != (ssize_t)sizeof(elf->head)) {
        if (!memcmp(elf->head.e_ident, ELFMAG, SELFMAG)) {
            die_truncated(elf, "header");
        }
        check_head(elf);
    }
    elf->snapshot = !memcmp(elf->head.e_ident, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC));
    if (elf->snapshot) {
        elf->head = (Elf64_Ehdr){0};
        return;
    }
    check_head(elf);
    phdrs_size = elf->head.e_phnum * sizeof(Elf64_Phdr);
    if (elf->head.e_phoff > LONG_MAX ||
        pread(elf->fd, elf->phdrs, phdrs_size, (off_t)elf->head.e_phoff) != (ssize_t)phdrs_size) {
        die_truncated(elf, "table of program headers");
    }
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        if (elf->phdrs[i].p_type == PT_LOAD) {
            check_segment(elf, &elf->phdrs[i]);
            loads = true;
        }
    }
    if (!loads) {
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: it has no segment to load", path);
    }
}

/* ---- mapping ---- */

/* There is no room for what a program begins with. */
static _Noreturn void die_of_room(int64_t error, const char *path, uint64_t start, uint64_t size)
{
    if (error == -ENOMEM && (limits_to_judge(RLIMIT_AS) != RLIM_INFINITY ||
                             limits_to_judge(RLIMIT_DATA) != RLIM_INFINITY)) {
        limits_end_program();
    }
    errno = (int)-error;
    die(STATUS_CANNOT_RUN, FIX_ELF, "cannot map 0x%lx bytes of %s at 0x%lx: %m", size, path, start);
}

static void map_segment(const struct elf *elf, const Elf64_Phdr *phdr, uint64_t bias)
{
    int prot = (phdr->p_flags & PF_R ? PROT_READ : 0) | (phdr->p_flags & PF_W ? PROT_WRITE : 0) |
               (phdr->p_flags & PF_X ? PROT_EXEC : 0);
    uint64_t start = bias + phdr->p_vaddr, file_end = start + phdr->p_filesz;
    uint64_t end = start + phdr->p_memsz, page = ROUND_DOWN(start, PAGE_SIZE);
    uint64_t zeroes = phdr->p_filesz ? ROUND_UP(file_end, PAGE_SIZE) : page;

    int64_t error = phdr->p_filesz ? mm_map(page, file_end - page, prot, MAP_PRIVATE | MAP_FIXED,
                                            elf->fd, phdr->p_offset - (start - page))
                                   : 0;

    if (error < 0) {
        die_of_room(error, elf->path, start, file_end - page);
    }
    if (end > file_end && zeroes > file_end && phdr->p_filesz && prot & PROT_WRITE) {
        memset((void *)file_end, 0, (zeroes < end ? zeroes : ROUND_UP(end, PAGE_SIZE)) - file_end);
    }
    error = end > zeroes
                ? mm_map(zeroes, end - zeroes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
                : 0;
    if (error < 0) {
        die_of_room(error, elf->path, zeroes, end - zeroes);
    }
}

/* The lowest and the highest address that segments use, page aligned, before any bias. */
static void elf_extent(const struct elf *elf, uint64_t *low, uint64_t *high)
{
    *low = UINT64_MAX;
    *high = 0;
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        const Elf64_Phdr *phdr = &elf->phdrs[i];

        if (phdr->p_type == PT_LOAD && phdr->p_vaddr < *low) {
            *low = ROUND_DOWN(phdr->p_vaddr, PAGE_SIZE);
        }
        if (phdr->p_type == PT_LOAD && phdr->p_vaddr + phdr->p_memsz > *high) {
            *high = ROUND_UP(phdr->p_vaddr + phdr->p_memsz, PAGE_SIZE);
        }
    }
}

/* Map all segments at `base` (ignored by a program of fixed address). Returns the bias. */
static uint64_t elf_map(const struct elf *elf, uint64_t base)
{
    uint64_t low, high, bias;

    elf_extent(elf, &low, &high);
    bias = elf->head.e_type == ET_DYN ? base - low : 0;
    if (!guest_ok(bias, high) || !guest_ok(bias, elf->head.e_entry)) {
        die(STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: its entry 0x%lx is not within its memory",
            elf->path, elf->head.e_entry);
    }
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        if (elf->phdrs[i].p_type == PT_LOAD && elf->phdrs[i].p_memsz) {
            map_segment(elf, &elf->phdrs[i], bias);
        }
    }
    return bias;
}

/* The address of the program headers in memory, for AT_PHDR; 0 when no segment holds them. */
static uint64_t phdr_address(const struct elf *elf, uint64_t bias)
{
    for (size_t i = 0; i < elf->head.e_phnum; i++) {
        const Elf64_Phdr *phdr = &elf->phdrs[i];

        if (phdr->p_type == PT_LOAD && elf->head.e_phoff >= phdr->p_offset &&
            elf->head.e_phoff < phdr->p_offset + phdr->p_filesz) {
            return bias + phdr->p_vaddr + (elf->head.e_phoff - phdr->p_offset);
        }
    }
    return 0;
}

/* ---- the payload and its loader ---- */

static struct elf payload, loader;

static void open_loader(struct image *to, const Elf64_Phdr *phdr)
{
    static char path[PATH_MAX];

    if (phdr->p_filesz < 2 || phdr->p_filesz > sizeof(path) ||
        pread(payload.fd, path, phdr->p_filesz, (off_t)phdr->p_offset) != (ssize_t)phdr->p_filesz ||
        path[phdr->p_filesz - 1]) {
        die_truncated(&payload, "loader's name");
    }
    if (access(path, F_OK) < 0) {
        die(STATUS_CANNOT_RUN,
            "install the loader and libraries, or link statically with gcc-kontain",
            "cannot run %s: its loader %s does not exist", payload.path, path);
    }
    elf_open(&loader, path, -1);
    check_head(&loader);
    to->has_loader = true;
}

/* Replace the payload by its interpreter while it is a script; options.argv gets what that adds. */
static const char *follow_scripts(const char *path)
{
    static struct script script;
    size_t rest = 0;
    char **argv;
    int found;

    while ((found = script_resolve(&script, path, open(path, O_RDONLY | O_CLOEXEC))) > 0) {
        path = script.head[0];
        elf_check_file(path);
    }
    if (found < 0) {
        die(STATUS_CANNOT_RUN, "name an interpreter after #!, at most 4 scripts deep",
            "cannot run %s: its #! line names no interpreter that can run", path);
    }
    while (options.argv[rest]) {
        rest++;
    }
    if (!script.count) {
        return path;
    }
    argv = mmap(NULL, (script.count + rest) * sizeof(*argv), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (argv == MAP_FAILED) {
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)", "no memory: %m");
    }
    memcpy(argv, script.head, script.count * sizeof(*argv));
    memcpy(argv + script.count, options.argv + 1, rest * sizeof(*argv));
    options.argv = argv;
    return path;
}

/* What /proc/self/exe and AT_EXECFN show. */
static void name_image(struct image *to, const char *path)
{
    char link[32];
    ssize_t n = -1;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", payload.fd);
    n = readlink(link, to->path, sizeof(to->path) - 1);
    to->path[n < 0 ? 0 : n] = 0;
    if (n <= 0 && !realpath(path, to->path)) { /* where /proc is not mounted */
        (void)snprintf(to->path, sizeof(to->path), "%s", path);
    }
    to->execfn = path;
}

void image_open(struct image *to)
{
    static char found[PATH_MAX];
    const char *path = options.payload;

    if (options.payload_fd < 0) {
        path = follow_scripts(elf_find(found));
    }
    elf_open(&payload, path, options.payload_fd);
    name_image(to, path);
    to->snapshot_fd = payload.snapshot ? payload.fd : -1;
    for (size_t i = 0; i < payload.head.e_phnum; i++) {
        if (payload.phdrs[i].p_type == PT_INTERP) {
            open_loader(to, &payload.phdrs[i]);
        }
        if (payload.phdrs[i].p_type == PT_GNU_STACK && payload.phdrs[i].p_flags & PF_X) {
            to->stack_executable = true;
        }
    }
}

void image_load(struct image *to)
{
    uint64_t low, high, bias;

    elf_extent(&payload, &low, &high);
    bias = elf_map(&payload, layout.image);
    program_hold(payload.fd);
    to->own_entry = to->entry = bias + payload.head.e_entry;
    to->phdr = phdr_address(&payload, bias);
    to->phdr_count = payload.head.e_phnum;
    to->start = bias + low;
    to->end = bias + high;
    mm_set_brk(to->end, to->end);
    if (to->has_loader) {
        elf_extent(&loader, &low, &high);
        to->loader_base = elf_map(&loader, mm_find_gap(high - low));
        (void)close(loader.fd);
        to->entry = to->loader_base + loader.head.e_entry;
    }
}
