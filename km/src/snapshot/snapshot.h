// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot.h: a running program in a file, and back; the file's format.
 *
 * snapshot.c writes such a file, and resume.c resumes from it.
 *
 * It has a header, the pages of memory, each at a multiple of PAGE_SIZE, and the metadata: one
 * struct snap_process, then arrays of the structures below in their order, then the strings. A
 * string is named by its offset among the strings, where the first byte is 0: 0 is none. The file
 * comes from anywhere: snapshot/check.c judges all of the metadata before any of it is used.
 */

#ifndef KM_SNAPSHOT_H
#define KM_SNAPSHOT_H

#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"
#include "task/task.h"

/* ---- snapshot.c: a running program in a file, and back; snapshot.h ---- */

/* Read and judge what image_open() found. Ends km when it cannot be resumed here. */
void snapshot_open(void);

/* Map its memory, instead of a program's, and become its process; then, locked in, its threads. */
void snapshot_resume(struct vcpu *vcpu);
void snapshot_resume_threads(struct vcpu *vcpu);

/* Whether an open(2) of the payload asks for a snapshot; what it returns then. */
bool snapshot_is_asked(uint64_t path);

/* Somebody asks from outside, by a signal that process `word` gets: km --snapshot-now. */
_Noreturn void snapshot_request(const char *word);

/* Whether a siginfo is that, which is noted then; a thread that stands at an instruction obeys. */
bool snapshot_is_request(const void *signal_info);
void snapshot_point(struct vcpu *vcpu);

/* The payload made this socketpair. */
void snapshot_note_pair(const int ends[2]);
int64_t snapshot_ask(struct vcpu *vcpu, uint64_t path, uint64_t open_flags);

#define SNAPSHOT_FORMAT 2U
#define SNAPSHOT_STRINGS_MAX (1U << 20)
#define SNAPSHOT_ADDRESS 128 /* bytes of a socket's address: sockaddr_storage */

/* What the program's code has found out about where it runs, and relies on. */
struct snap_host {
    char km[32];       /* the monitor's version */
    uint64_t vdso;     /* checksum of the kernel's vDSO; 0: the program has none */
    uint64_t vdso_elf; /* its gva */
    uint64_t clock;    /* CLOCK_MONOTONIC, nanoseconds */
    uint32_t features[CPUID_WORDS];
    uint64_t xfeatures;
    uint32_t xsave_size, reserved;
};

struct snap_header {
    char magic[8];
    uint32_t format, reserved;
    uint64_t file_size, meta_at, meta_size;
    uint64_t meta_sum; /* checksums, see snapshot_sum() */
    struct snap_host host;
    uint64_t sum; /* of the header up to here */
};

struct snap_counts {
    uint32_t mappings, pieces, threads, fds, watches, strings;
};

struct snap_process {
    struct snap_counts counts;
    uint32_t self;       /* the thread that asked, in the call that asks; or UINT32_MAX */
    uint32_t open_flags; /* of that call */
    uint64_t brk_start, brk_end;
    struct layout layout;
    uint64_t entry, own_entry, phdr, phdr_count, loader_base, start, end; /* struct image */
    uint32_t path, cwd;
    uint32_t umask, auxv_size;
    uint8_t auxv[640];
    struct stack_shown shown;
    struct action actions[SIGNAL_MAX + 1];
    uint64_t timers[3][4]; /* struct itimerval of ITIMER_REAL, _VIRTUAL, _PROF */
};

enum { MAPPING_PRIVATE, MAPPING_SHARED, MAPPING_FILE, MAPPING_VDSO, MAPPING_KINDS };

/* A mapping: its memory is zeroes but for its pieces; of MAPPING_FILE it is the file's. */
struct snap_mapping {
    uint64_t start, end;
    uint32_t prot, kind;
    uint64_t offset, inode, size; /* of the file */
    uint32_t path, write;
};

/* [start, start + size) is in the file at `offset`. */
struct snap_piece {
    uint64_t start, size, offset;
};

struct snap_thread {
    struct cpu_state state;
    uint64_t signal_mask, clear_tid, robust_list;
    uint8_t altstack[24];
    int32_t tid;
    char name[16];
    uint32_t reserved;
};

enum {
    FD_STANDARD, /* a copy of standard input, output or error, `other` */
    FD_COPY,     /* a copy of the descriptor `other`, which stands before it */
    FD_FILE,     /* values: offset */
    FD_DEVICE,   /* one without a state, by its path */
    FD_PIPE,     /* `other` is its other end; values: bytes in it, which are at `path` */
    FD_PAIR,     /* a socketpair; values: domain, type, protocol */
    FD_EVENT,    /* values: count, flags */
    FD_EPOLL,
    FD_TIMER,  /* values: clock, ticks, it_value, it_interval in ns */
    FD_SIGNAL, /* values: mask */
    FD_SOCKET, /* not connected; values: domain, type, protocol, listening, options */
    FD_KINDS,
};

struct snap_fd {
    int32_t fd, other;
    uint32_t kind, flags; /* flags: of F_GETFL */
    uint32_t cloexec, path;
    uint64_t values[5];
    uint32_t address_size, reserved;
    uint8_t address[SNAPSHOT_ADDRESS];
};

/* An epoll's interest in a descriptor. */
struct snap_watch {
    int32_t epoll, fd;
    uint64_t data;
    uint32_t events, reserved;
};

/* The metadata in memory, as it is written or as it was read. */
struct snapshot {
    int fd;
    uint64_t data_end; /* the first byte after the pages */
    uint32_t fd_count; /* of `fds`, while they are saved */
    struct snap_process process;
    struct snap_mapping *mappings;
    struct snap_piece *pieces;
    struct snap_thread *threads;
    struct snap_fd *fds;
    struct snap_watch *watches;
    char *strings;
};

/* The arrays in their order: where each pointer, its count and the size of an element is. */
#define SNAPSHOT_ARRAYS(X)                                                                         \
    X(mappings, 65536U)                                                                            \
    X(pieces, 1U << 20)                                                                            \
    X(threads, VCPUS_MAX) X(fds, 65536U) X(watches, 65536U) X(strings, SNAPSHOT_STRINGS_MAX)

uint64_t snapshot_sum(const void *bytes, size_t size);

/* ---- snapshot/host.c ---- */

/* Describe where this monitor runs. */
void snapshot_host(struct snap_host *host);

/* End km when a program that ran there cannot go on here. */
void snapshot_check_host(const struct snap_host *host, const char *path);

/* ---- snapshot/write.c, snapshot/memory.c, snapshot/fds.c ---- */

/* Why no snapshot is taken, for complain(): WHAT goes wrong and what to do; of an errno's kind. */
struct refusal {
    char what[256];
    const char *fix;
    int error;
};

/* False with *why filled in; `self`: the thread that asks, `in_call`: by an open(2) of such flags.
 */
bool snapshot_write(const struct freezable *self, bool in_call, uint64_t open_flags,
                    struct refusal *why);

bool refuse(struct refusal *why, const char *fix, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* Append an element, or a string; false when there is no room. */
bool snapshot_add_string(struct snapshot *to, const char *string, uint32_t *at);
bool snapshot_add_bytes(struct snapshot *to, const void *bytes, size_t size, uint32_t *at);
bool snapshot_save_memory(struct snapshot *to, struct refusal *why);
bool snapshot_save_fds(struct snapshot *to, struct refusal *why);

/* The host's answers about a descriptor: what it leads to, and a number of its fdinfo. */
bool fd_link(int fd, char path[4096]);
bool fd_info(int fd, const char *field, int base, uint64_t *value);

/* The inode of the socket that this one is a socketpair with, or 0. */
uint64_t snapshot_pair_of(uint64_t inode);

#define FIX_SNAPSHOT_FILE                                                                          \
    "give --snapshot a file in a folder with room, that the payload's user can write to"

/* ---- snapshot/check.c, snapshot/load.c, snapshot/resume.c, snapshot/refill.c ---- */

/* What is being resumed. */
extern struct snapshot resuming;

/* What the call that asked for the snapshot returns in the resumed program. */
int64_t snapshot_answer(uint64_t open_flags);

/* Map its memory, when the host is such as it needs. */
void snapshot_load(const struct vcpu *vcpu);

/* Whether the metadata is such as snapshot_write() makes; else *what tells. */
bool snapshot_valid(const struct snapshot *from, const char **what);

/* Make its descriptors again. Ends km when that cannot be. */
void snapshot_load_fds(struct vcpu *vcpu, const struct snapshot *snapshot);

#endif /* KM_SNAPSHOT_H */
