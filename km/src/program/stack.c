// SPDX-License-Identifier: Apache-2.0
/*
 * stack.c: the payload's stack as execve(2) leaves it: strings at the top, below them the auxiliary
 * vector, the environment, the arguments and their count, where the stack pointer is.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "program/program.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIX_STACK "give fewer or shorter arguments, or raise the limit on stack size (ulimit -s)"
#define AUX_MAX 40
#define STACK_USED (32UL << 10) /* of the stack, by most programs */

static Elf64_auxv_t auxv[AUX_MAX];
static size_t auxc;
static struct stack_shown shown;

const void *stack_auxv(size_t *size)
{
    *size = auxc * sizeof(*auxv);
    return auxv;
}

struct builder {
    uint64_t at; /* everything from here up is written */
    uint64_t bottom;
};

static uint64_t push(struct builder *b, const void *bytes, size_t size)
{
    if (b->at - b->bottom < size) {
        die(STATUS_CANNOT_RUN, FIX_STACK, "the arguments and the environment do not fit the stack");
    }
    b->at -= size;
    memcpy((void *)b->at, bytes, size);
    return b->at;
}

static size_t count(char **strings)
{
    size_t n = 0;

    while (strings[n]) {
        n++;
    }
    return n;
}

/* Push the strings; their addresses are left in the pointers from `table` on. */
static void push_strings(struct builder *b, char **strings, size_t n, uint64_t *table)
{
    for (size_t i = n; i-- > 0;) {
        table[i] = push(b, strings[i], strlen(strings[i]) + 1);
    }
}

static void fill_auxv(const struct image *from, uint64_t vdso, uint64_t execfn, uint64_t random,
                      uint64_t platform)
{
    uint64_t stack_min = getauxval(AT_MINSIGSTKSZ); /* a C library takes no 0: before Linux 5.14 */
    const uint64_t pairs[][2] = {
        {AT_PHDR, from->phdr},
        {AT_PHENT, sizeof(Elf64_Phdr)},
        {AT_PHNUM, from->phdr_count},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_BASE, from->loader_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, from->own_entry},
        {AT_UID, getuid()},
        {AT_EUID, geteuid()},
        {AT_GID, getgid()},
        {AT_EGID, getegid()},
        {AT_SECURE, 0},
        {AT_CLKTCK, getauxval(AT_CLKTCK)},
        {AT_HWCAP, cpuid_hwcap()},
        {AT_HWCAP2, cpuid_hwcap2()},
        {stack_min ? AT_MINSIGSTKSZ : AT_IGNORE, stack_min},
        {AT_PLATFORM, platform},
        {AT_EXECFN, execfn},
        {AT_RANDOM, random},
        {vdso ? AT_SYSINFO_EHDR : AT_IGNORE, vdso},
        {AT_NULL, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        auxv[i].a_type = pairs[i][0];
        auxv[i].a_un.a_val = pairs[i][1];
    }
    auxc = ARRAY_LEN(pairs);
}

static void stack_map(struct builder *b, bool executable)
{
    uint64_t top = layout.stack_top, size = layout.stack_size;

    if (mm_map(top - size, size, PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) < 0) {
        if (limits_to_judge(RLIMIT_AS) != RLIM_INFINITY) {
            limits_end_program();
        }
        die(STATUS_FAILED, "raise the limit on address space (ulimit -v)",
            "no memory for a stack of %lu KiB", size >> 10);
    }
    mm_populate(top - LAYOUT_STACK_MIN, LAYOUT_STACK_MIN);
    prefault_new(top - STACK_USED, STACK_USED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    *b = (struct builder){.at = top, .bottom = top - size};
}

static bool is_shown;

/*
 * Let /proc/PID/{cmdline,environ,auxv,stat,comm} show the payload, not the monitor. A kernel
 * without checkpoint/restore does not offer this; then cmdline and environ show km's, and of the
 * others nothing is shown (proc_text.c).
 */
static void show_process(void)
{
    struct prctl_mm_map map = {
        .start_code = image.start,
        .end_code = image.end,
        .start_data = image.start,
        .end_data = image.end,
        .start_brk = image.end,
        .brk = image.end,
        .start_stack = shown.sp,
        .arg_start = shown.arg_start,
        .arg_end = shown.arg_end,
        .env_start = shown.arg_end,
        .env_end = shown.env_end,
        .auxv = (void *)auxv,
        .auxv_size = (uint32_t)(auxc * sizeof(*auxv)),
        .exe_fd = (uint32_t)-1,
    };

    is_shown = prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) == 0;
}

bool stack_is_shown(void)
{
    return is_shown;
}

const struct stack_shown *stack_get_shown(void)
{
    return &shown;
}

void stack_show(const struct stack_shown *what, const void *from, size_t size)
{
    shown = *what;
    auxc = size / sizeof(*auxv);
    memcpy(auxv, from, auxc * sizeof(*auxv));
    show_process();
}

uint64_t stack_create(const struct image *from, uint64_t vdso, char **argv, char **envp)
{
    size_t argc = count(argv), envc = count(envp), words = 1 + argc + 1 + envc + 1;
    uint8_t random[16] = {0};
    struct builder b;
    uint64_t execfn, random_at, platform, zero = 0, *table;
    const char *slash = strrchr(from->execfn, '/');

    stack_map(&b, from->stack_executable);
    (void)push(&b, &zero, sizeof(zero));
    execfn = push(&b, from->execfn, strlen(from->execfn) + 1);
    (void)getrandom(random, sizeof(random), 0);
    random_at = push(&b, random, sizeof(random));
    platform = push(&b, "x86_64", sizeof("x86_64"));
    fill_auxv(from, vdso, execfn, random_at, platform);

    /* The pointers go below the strings, whose size is known only once they are written: so the
     * strings are written first, and the pointers kept in the scratch below them meanwhile. */
    table = (uint64_t *)ROUND_DOWN(b.bottom, PAGE_SIZE);
    if ((words + 2 * auxc) * sizeof(*table) > (b.at - b.bottom) / 4) {
        die(STATUS_CANNOT_RUN, FIX_STACK, "the arguments and the environment do not fit the stack");
    }
    table[0] = argc;
    b.bottom += (words + 2 * auxc) * sizeof(*table);
    shown.env_end = b.at;
    push_strings(&b, envp, envc, &table[1 + argc + 1]);
    shown.arg_end = b.at;
    push_strings(&b, argv, argc, &table[1]);
    shown.arg_start = b.at;
    b.at = ROUND_DOWN(b.at, 16);
    if (words % 2) { /* so that the stack pointer is a multiple of 16 */
        (void)push(&b, &zero, sizeof(zero));
    }
    (void)push(&b, auxv, auxc * sizeof(*auxv));
    (void)push(&b, table, words * sizeof(*table));
    shown.sp = b.at;
    show_process();
    (void)prctl(PR_SET_NAME, slash ? slash + 1 : from->execfn);
    memset(table, 0, (words + 2 * auxc) * sizeof(*table));
    return b.at;
}
