// SPDX-License-Identifier: Apache-2.0
/* Waits on a word of memory that nobody changes. */
#include "payload.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

static long futex(void *word, int op, unsigned value, const void *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

int main(void)
{
    uint32_t word = 7;
    struct timespec moment = {0, 1000000};

    SHOW(futex(&word, FUTEX_WAIT, 8, NULL));
    SHOW(futex(&word, FUTEX_WAIT, 7, &moment));
    SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 7, &moment));
    SHOW(futex(&word, FUTEX_WAKE, 1, NULL));
    SHOW(futex((char *)&word + 1, FUTEX_WAIT, 7, &moment));
    SHOW(futex(NULL, FUTEX_WAIT, 7, &moment));
    SHOW(futex(&word, 99, 7, NULL));
    SHOW(futex(&word, FUTEX_LOCK_PI, 0, &moment) < 0);
    return 0;
}
