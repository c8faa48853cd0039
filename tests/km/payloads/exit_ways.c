// SPDX-License-Identifier: Apache-2.0
/* Ends in each way that C has: buffers and handlers are served, or not. */
#include "payload.h"

#include <sys/syscall.h>

static void bye(void)
{
    printf("bye\n");
}

static void good_bye(void)
{
    printf("good bye\n");
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)atexit(bye);
    (void)atexit(good_bye);
    printf("in the buffer\n");
    if (is_case(argv, "exit")) {
        exit(3);
    } else if (is_case(argv, "quick")) {
        _exit(4);
    } else if (is_case(argv, "thread")) {
        (void)syscall(SYS_exit, 5);
    } else if (is_case(argv, "abort")) {
        abort();
    }
    return 6;
}
