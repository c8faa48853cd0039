// SPDX-License-Identifier: Apache-2.0
/*
 * seal.c: memory of the monitor that keeps its place and its rights.
 */
#include "base/base.h"

#include <unistd.h>

void seal_memory(uint64_t addr, uint64_t size)
{
    (void)syscall(MSEAL, addr, size, 0); /* an older kernel does without */
}
