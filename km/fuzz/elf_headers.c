// SPDX-License-Identifier: Apache-2.0
/*
 * elf_headers.c: libFuzzer gives elf.c a file, as image_open() takes one: it is refused, or its
 * headers are within what elf.c may map. Refusal, which ends km, comes back here.
 */
#include "memory/memory.h"
#include "program/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

struct options options = {.kvm_fd = -1, .report_fd = -1, .payload_fd = -1, .payload = "payload"};
struct layout layout = {.image = 0x555555554000};
static jmp_buf refused;

void die(int status, const char *fix, const char *what, ...)
{
    char text[8192];
    va_list args;

    va_start(args, what);
    (void)vsnprintf(text, sizeof(text), what, args); /* so that its arguments are read too */
    va_end(args);
    longjmp(refused, status && fix ? 1 : 2);
}

int64_t mm_map(uint64_t addr, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
    (void)prot, (void)flags, (void)fd, (void)offset;
    if (!guest_ok(addr, len) || !len) {
        abort();
    }
    return -1; /* only the headers are judged here */
}

uint64_t mm_find_gap(uint64_t len)
{
    return len < GUEST_TOP / 2 ? GUEST_TOP / 2 : 0;
}

bool file_may_execute(const char *path)
{
    return path;
}

void mm_set_brk(uint64_t start, uint64_t end)
{
    (void)start, (void)end;
}

uint64_t limits_to_judge(int resource)
{
    (void)resource;
    return RLIM_INFINITY;
}

_Noreturn void limits_end_program(void)
{
    abort(); /* only for a limit */
}

void program_hold(int fd)
{
    (void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image image;

    options.payload_fd = memfd_create("payload", MFD_CLOEXEC);
    if (options.payload_fd < 0 || write(options.payload_fd, data, size) != (ssize_t)size) {
        abort();
    }
    image = (struct image){0};
    if (!setjmp(refused)) {
        image_open(&image);
        image_load(&image);
    }
    for (int fd = 3; fd < 64; fd++) {
        (void)close(fd);
    }
    return 0;
}
