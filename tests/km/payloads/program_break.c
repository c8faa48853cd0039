// SPDX-License-Identifier: Apache-2.0
/* Moves the program break up and down. */
#include "fault.h"

#include <sys/syscall.h>

static char *set_break(char *to)
{
    return (char *)syscall(SYS_brk, to);
}

int main(void)
{
    char *start = set_break(NULL);

    fault_catch();
    SHOW(set_break(start + 10 * PAGE) == start + 10 * PAGE);
    fault_try("first", 'r', start);
    start[9 * PAGE] = 'z';
    SHOW(set_break(start + 3 * PAGE + 5) == start + 3 * PAGE + 5);
    fault_try("above", 'r', start + 9 * PAGE);
    SHOW(set_break(start + 10 * PAGE) == start + 10 * PAGE);
    fault_try("again", 'r', start + 9 * PAGE);
    SHOW(set_break(start - PAGE) == start + 10 * PAGE);
    SHOW(set_break((char *)~0UL) == start + 10 * PAGE);
    SHOW(set_break((char *)(1UL << 62)) == start + 10 * PAGE);
    SHOW(set_break(start + 20 * HUGE) == start + 20 * HUGE);
    memset(start, 'b', 20 * HUGE);
    SHOW(start[20 * HUGE - 1]);
    SHOW(set_break(start) == start);
    fault_try("gone", 'r', start + HUGE);
    return 0;
}
