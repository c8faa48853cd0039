// SPDX-License-Identifier: Apache-2.0
/* Puts a filter on itself and, at the end of its standard input, becomes a program that has it. */
#include "payload.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {LEN(code), code};
    char name[256] = {0}, byte;

    if (argc > 1 && argv[1]) {
        SHOW(syscall(SYS_getuid));
        return 0;
    }
    CHECK(readlink("/proc/self/exe", name, sizeof(name) - 1) > 0);
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    CHECK(write(STDOUT_FILENO, "ready\n", 6) == 6 && read(STDIN_FILENO, &byte, 1) == 0);
    (void)execl(name, name, "child", NULL);
    return 1;
}
