// SPDX-License-Identifier: Apache-2.0
/*
 * hello.c: the proof payload. One line on standard output says whether it runs in a Kontain VM, as
 * uname(2) tells, and so does the exit status: 0 in a VM, 1 elsewhere.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text), end_len = strlen(end);

    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

int main(void)
{
    struct utsname host;

    if (uname(&host) < 0) {
        perror("hello: uname");
        return 1;
    }
    bool in_vm = ends_with(host.release, ".kontain.KVM");
    const char *greeting = in_vm ? "Hello from a Kontain VM" : "Hello, but not from a Kontain VM";
    int written = printf("%s: %s %s %s\n", greeting, host.sysname, host.release, host.machine);
    return in_vm && written > 0 && fflush(stdout) == 0 ? 0 : 1;
}
