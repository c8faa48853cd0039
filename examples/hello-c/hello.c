// SPDX-License-Identifier: Apache-2.0
/* hello.c: say where this program runs. */
#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
    struct utsname system;

    uname(&system);
    printf("Hello from %s %s\n", system.sysname, system.release);
    return 0;
}
