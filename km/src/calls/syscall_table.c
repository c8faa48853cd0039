// SPDX-License-Identifier: Apache-2.0
/*
 * syscall_table.c: the arrays of syscall_list.inc. A call's description is apart from its handler:
 * an array of addresses is written when the monitor is relocated at its start, by the page.
 */
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/syscall_words.h"

#include <asm/unistd.h>

/* Newer than the headers of the oldest system that builds this. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#define __NR_fchmodat2 452
#define __NR_futex_wake 454
#define __NR_statmount 457
#define __NR_listmount 458
#endif

#define LINE(name, function, waits, helped, ...)                                                   \
    [__NR_##name] = {#name, {__VA_ARGS__}, waits, helped}
const struct syscall syscall_table[SYSCALL_COUNT] = {
#include "syscall_list.inc"
};

#undef LINE
#define LINE(name, function, waits, helped, ...) [__NR_##name] = (function)
const syscall_handler syscall_handlers[SYSCALL_COUNT] = {
#include "syscall_list.inc"
};
