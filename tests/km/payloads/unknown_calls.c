// SPDX-License-Identifier: Apache-2.0
/* Makes system calls by numbers that have none. */
#include "payload.h"

#include <sys/syscall.h>

int main(void)
{
    static const long none[] = {340, 380, 400, 1000, 9999, 0x7fffffff, -1, -2, -4096, 0x80000000L};

    for (size_t i = 0; i < LEN(none); i++) {
        SHOW(syscall(none[i], 1, 2, 3, 4, 5, 6));
    }
    SHOW(syscall(SYS_getpid | 1L << 32) == getpid()); /* the number is EAX */
    return 0;
}
