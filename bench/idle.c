// SPDX-License-Identifier: Apache-2.0
/* idle.c: says that it runs, and waits for the end of its standard input. */
#include <stdio.h>

int main(void)
{
    (void)puts("ready");
    (void)fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
