// SPDX-License-Identifier: Apache-2.0
/*
 * Gives calls that decide by a command what they do with a pointer a command of which only the
 * lower half counts, or one that is seldom used, and the monitor's addresses.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/ioctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define WIDE(n) ((unsigned long)(n) | 1UL << 32)

static const uint64_t places[] = {0x7d0000000000, 0x7d1000000000, 0x7d2000000000,
                                  0x7d4000000000, 0x7e0000000000, 0x7e0000001000};

static void refuse(long result)
{
    CHECK(result == -1 && (errno == EFAULT || errno == EINVAL || errno == ENOPROTOOPT));
}

int main(void)
{
    struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()};
    int file = open("file", O_RDWR | O_CREAT, 0600), tcp = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fcntl(file, F_SETOWN_EX, &owner) == 0);
    for (size_t i = 0; i < LEN(places); i++) {
        void *p = (void *)places[i];
        struct sock_fprog program = {.len = 1, .filter = p};
        static const int commands[] = {
            F_GETLK, F_OFD_GETLK, F_GETOWN_EX, 17 /* F_GETOWNER_UIDS */,
            1035,    1036,        1037,        1038 /* F_GET_RW_HINT and its kin */};

        for (size_t c = 0; c < LEN(commands); c++) {
            refuse(syscall(SYS_fcntl, file, commands[c], p));
            refuse(syscall(SYS_fcntl, file, WIDE(commands[c]), p));
        }
        refuse(setsockopt(tcp, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
        refuse(syscall(SYS_setsockopt, tcp, WIDE(SOL_SOCKET), SO_ATTACH_FILTER, &program,
                       sizeof(program)));
        refuse(syscall(SYS_setsockopt, tcp, SOL_SOCKET, WIDE(SO_ATTACH_FILTER), &program,
                       sizeof(program)));
        refuse(syscall(SYS_ioctl, tcp, WIDE(FIONREAD), p));
        refuse(syscall(SYS_semctl, 0, 0, WIDE(IPC_STAT), p));
        refuse(syscall(SYS_shmctl, 0, WIDE(IPC_STAT), p));
        refuse(syscall(SYS_prctl, WIDE(16) /* PR_GET_NAME */, p));
        refuse(syscall(SYS_prctl, WIDE(2) /* PR_GET_PDEATHSIG */, p));
        refuse(syscall(SYS_arch_prctl, WIDE(0x1003) /* ARCH_GET_FS */, p));
    }
    return 0;
}
