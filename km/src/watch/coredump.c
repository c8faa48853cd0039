// SPDX-License-Identifier: Apache-2.0
/*
 * coredump.c: --coredump: the payload's memory and its threads' registers as an ELF core, as the
 * kernel writes one for a process; core(5), elf(5). coredump_notes.c makes the notes.
 *
 * As there, what files have unchanged is left to the debugger to find in them, and of memory that
 * was never touched the core has a hole.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"
#include "watch/watch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#define SEGMENTS_MAX 65000 /* an ELF header counts to 65535 */

#define FIX_CORE "give --coredump a file in a folder that the payload's user can write to"

static Elf64_Phdr *segments; /* SEGMENTS_MAX, made when they are needed */
static size_t segment_count;
static struct maps maps;

void core_write(struct core *core, uint64_t at, const void *bytes, size_t size)
{
    if (at + size > core->most) { /* RLIMIT_CORE: what is behind is cut off */
        size = at < core->most ? core->most - at : 0;
    }
    while (size && !core->error) {
        ssize_t n = pwrite(core->fd, bytes, size, (off_t)at);

        if (n <= 0) {
            core->error = n < 0 ? errno : EIO;
            return;
        }
        bytes = (const char *)bytes + n;
        at += (size_t)n;
        size -= (size_t)n;
    }
}

void core_append(struct core *core, const void *bytes, size_t size)
{
    core_write(core, core->at, bytes, size);
    core->at += size;
}

/* ---- which memory ---- */

static bool begins_as_elf(int mem, const struct mapping *map)
{
    char magic[SELFMAG];

    return *map->path && !map->offset &&
           pread(mem, magic, sizeof(magic), (off_t)map->start) == SELFMAG &&
           !memcmp(magic, ELFMAG, SELFMAG);
}

/* `bytes` of a file's mapping are worth keeping: all when some were changed, else an ELF header. */
static void add_segment(uint64_t start, uint64_t end, int prot, uint64_t bytes)
{
    if (segment_count < SEGMENTS_MAX) {
        segments[segment_count++] = (Elf64_Phdr){
            .p_type = PT_LOAD,
            .p_vaddr = start,
            .p_memsz = end - start,
            .p_filesz = bytes < end - start ? bytes : end - start,
            .p_flags = (prot & PROT_READ ? PF_R : 0U) | (prot & PROT_WRITE ? PF_W : 0U) |
                       (prot & PROT_EXEC ? PF_X : 0U),
            .p_align = PAGE_SIZE,
        };
    }
}

/* The host's mappings say what was changed, the payload's VMAs what it may do there. */
static void add_mapping(int mem, const struct mapping *map)
{
    for (const struct vma *vma = vma_find(map->start); vma && vma->start < map->end;
         vma = vma_next((struct vma *)vma)) {
        bool shared = vma->flags & MAP_ANONYMOUS && vma->flags & MAP_SHARED;
        uint64_t start = vma->start > map->start ? vma->start : map->start;
        uint64_t end = vma->end < map->end ? vma->end : map->end;
        uint64_t head = start == map->start && begins_as_elf(mem, map) ? PAGE_SIZE : 0;

        add_segment(start, end, vma->prot, map->anonymous || shared ? UINT64_MAX : head);
    }
}

static bool find_segments(int mem)
{
    static struct mapping map;

    segments = mmap(NULL, SEGMENTS_MAX * sizeof(*segments), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (segments == MAP_FAILED || !maps_open(&maps, "smaps")) {
        return false;
    }
    segment_count = 1; /* the first is for the notes */
    while (maps_next(&maps, &map) && map.start < GUEST_TOP) {
        add_mapping(mem, &map);
    }
    maps_close(&maps);
    for (const struct vma *vma = vma_find(0); vma; vma = vma_next((struct vma *)vma)) {
        if (vma->flags & VMA_VDSO) {
            add_segment(vma->start, vma->end, vma->prot, UINT64_MAX);
        }
    }
    return true;
}

/* ---- its content ---- */

/* What cannot be read, such as the end of a mapping beyond its file's, stays a hole. */
static void append_page(struct core *core, int mem, uint64_t addr, uint64_t at)
{
    static char page[PAGE_SIZE];

    if (vdso_pread(mem, page, sizeof(page), addr) == (ssize_t)sizeof(page)) {
        core_write(core, at, page, sizeof(page));
    }
}

static void append_content(struct core *core, int mem, int pagemap, Elf64_Phdr *segment)
{
    const struct vma *vma = vma_find(segment->p_vaddr);
    bool sparse = vma && vma->flags & MAP_ANONYMOUS;
    uint64_t end = segment->p_vaddr + segment->p_filesz;

    segment->p_offset = core->at;
    for (uint64_t addr = segment->p_vaddr; addr < end && !core->error;) {
        bool there[PAGES_AT_ONCE];
        size_t count = maps_pages(sparse ? pagemap : -1, addr, end, there);

        for (size_t i = 0; i < count; i++, addr += PAGE_SIZE) {
            if (there[i]) {
                append_page(core, mem, addr, segment->p_offset + (addr - segment->p_vaddr));
            }
        }
    }
    core->at += segment->p_filesz;
}

static void write_headers(struct core *core)
{
    Elf64_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(head),
        .e_ehsize = sizeof(head),
        .e_phentsize = sizeof(*segments),
        .e_phnum = (Elf64_Half)segment_count,
    };

    core_write(core, 0, &head, sizeof(head));
    core_write(core, sizeof(head), segments, segment_count * sizeof(*segments));
}

static void write_core(struct core *core, struct vcpu *vcpu, int signo)
{
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    if (mem < 0 || !find_segments(mem)) {
        core->error = errno;
        return;
    }
    core->at = ROUND_UP(sizeof(Elf64_Ehdr) + segment_count * sizeof(*segments), PAGE_SIZE);
    for (size_t i = 1; i < segment_count; i++) {
        append_content(core, mem, pagemap, &segments[i]);
    }
    segments[0] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = core->at, .p_align = 4};
    core_append_notes(core, vcpu, signo);
    segments[0].p_filesz = core->at - segments[0].p_offset;
    write_headers(core);
}

/* ---- the file ---- */

/* The path that was asked for, with %p the process. */
static void expand(char path[PATH_MAX])
{
    const char *from = options.coredump;
    char *to = path;

    while (*from && to < path + PATH_MAX - 16) {
        if (from[0] == '%' && from[1] == 'p') {
            to += snprintf(to, 16, "%d", getpid());
            from += 2;
        } else {
            *to++ = *from++;
        }
    }
    *to = 0;
}

/* A new name beside the path, until the core is complete. */
static void choose_name(const char *path, char made[PATH_MAX + 64])
{
    const char *slash = strrchr(path, '/');
    uint64_t random = 0;

    (void)getrandom(&random, sizeof(random), 0);
    (void)snprintf(made, PATH_MAX + 64, "%.*s.core.%016lx", slash ? (int)(slash - path) + 1 : 0,
                   path, random);
}

static bool write_file(struct vcpu *vcpu, int signo, const char *path, const char *made)
{
    struct core core = {
        .fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
        .most = options.coredump ? UINT64_MAX : core_limit,
    };

    if (core.fd < 0) {
        return false;
    }
    write_core(&core, vcpu, signo);
    if (!core.error && (fsync(core.fd) < 0 || rename(made, path) < 0)) {
        core.error = errno;
    }
    (void)close(core.fd);
    if (core.error) {
        (void)unlink(made);
        errno = core.error;
    }
    return !core.error;
}

/* Where the core shall be. False: nowhere. */
static bool choose_path(int signo, char path[PATH_MAX])
{
    if (options.coredump) {
        expand(path);
        return true;
    }
    return core_limit >= PAGE_SIZE && prctl(PR_GET_DUMPABLE) == 1 && core_pattern_path(signo, path);
}

bool coredump_write(struct vcpu *vcpu, int signo)
{
    char path[PATH_MAX], made[PATH_MAX + 64];

    if (!choose_path(signo, path)) {
        return false;
    }
    signal_hold();        /* SIGXFSZ: the limit on a file's size is an error here */
    if (!vcpu->vforked) { /* else the other threads are of another process */
        freeze_all(freeze_of(vcpu));
    }
    site_put_back_all(true);
    choose_name(path, made);
    if (write_file(vcpu, signo, path, made)) {
        return true;
    }
    if (options.coredump) {
        complain(FIX_CORE, "cannot write the core %s: %m", path);
    }
    return false;
}
