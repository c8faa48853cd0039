// SPDX-License-Identifier: Apache-2.0
/* Copies its input to its output, and its length to its error. */
#include "payload.h"

int main(void)
{
    int c;
    long n = 0;

    for (; (c = getchar()) != EOF; n++) {
        (void)putchar(c);
    }
    (void)fprintf(stderr, "%ld bytes, terminal %d\n", n, isatty(0));
    return 0;
}
