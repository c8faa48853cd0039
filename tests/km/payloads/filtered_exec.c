// SPDX-License-Identifier: Apache-2.0
/* Puts a filter on itself and, at the end of its standard input, becomes a program that has it. */
#include "deny.h"

#include <sys/syscall.h>

int main(int argc, char **argv)
{
    char name[256] = {0}, byte;

    if (argc > 1 && argv[1]) {
        SHOW(syscall(SYS_getuid));
        return 0;
    }
    CHECK(readlink("/proc/self/exe", name, sizeof(name) - 1) > 0);
    deny(SYS_getuid, 0);
    CHECK(write(STDOUT_FILENO, "ready\n", 6) == 6 && read(STDIN_FILENO, &byte, 1) == 0);
    (void)execl(name, name, "child", NULL);
    return 1;
}
