// SPDX-License-Identifier: Apache-2.0
/* Locks parts of a file and the whole of it. */
#include "payload.h"

#include <fcntl.h>
#include <sys/file.h>

int main(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), other = open("file", O_RDWR);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

    SHOW(fcntl(fd, F_SETLK, &lock));
    lock.l_type = F_RDLCK;
    SHOW(fcntl(other, F_GETLK, &lock));
    SHOW(lock.l_type);
    whole.l_type = F_WRLCK;
    SHOW(fcntl(fd, F_OFD_SETLK, &whole));
    lock.l_type = F_UNLCK;
    SHOW(fcntl(fd, F_SETLKW, &lock));
    SHOW(fcntl(fd, F_OFD_SETLK, &whole));
    whole.l_pid = 0;
    SHOW(fcntl(other, F_OFD_GETLK, &whole));
    SHOW(whole.l_type);
    SHOW(fcntl(fd, F_SETLK, NULL));
    SHOW(flock(fd, LOCK_EX));
    SHOW(flock(other, LOCK_SH | LOCK_NB));
    SHOW(flock(fd, LOCK_UN));
    SHOW(flock(other, LOCK_SH | LOCK_NB));
    SHOW(flock(fd, 99));
    return 0;
}
