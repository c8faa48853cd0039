// SPDX-License-Identifier: Apache-2.0
/* Writes to standard output and standard error. */
#include "payload.h"

int main(void)
{
    printf("hello, world\n");
    (void)fprintf(stderr, "hello, error\n");
    return 0;
}
