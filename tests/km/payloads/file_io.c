// SPDX-License-Identifier: Apache-2.0
/* Reads and writes a file in every way. */
#include "payload.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void show_content(int fd)
{
    char buf[64];
    ssize_t n = pread(fd, buf, sizeof(buf), 0);

    for (ssize_t i = 0; i < n; i++) {
        (void)putchar(buf[i] ? buf[i] : '.');
    }
    printf(" (%zd)\n", n);
}

int main(void)
{
    char a[4], b[8];
    struct iovec in[] = {{a, sizeof(a)}, {b, sizeof(b)}};
    struct iovec out[] = {{"one ", 4}, {"", 0}, {"two", 3}};
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640), copy;
    off_t from = 2;

    SHOW(open("file", O_RDWR | O_CREAT | O_EXCL, 0640));
    SHOW(writev(fd, out, 3));
    SHOW(pwrite(fd, "TWO", 3, 4));
    SHOW(lseek(fd, -3, SEEK_END));
    SHOW(write(fd, "2", 1));
    show_content(fd);
    SHOW(lseek(fd, 20, SEEK_SET));
    SHOW(write(fd, "far", 3));
    SHOW(preadv(fd, in, 2, 0));
    printf("%.4s|%.8s\n", a, b);
    SHOW(ftruncate(fd, 10));
    show_content(fd);
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 77));
    SHOW(read(fd, a, 0));
    SHOW(fallocate(fd, 0, 0, 30));
    SHOW(lseek(fd, 0, SEEK_END));
    copy = open("copy", O_WRONLY | O_CREAT | O_APPEND, 0600);
    SHOW(sendfile(copy, fd, &from, 5));
    SHOW(from);
    SHOW(copy_file_range(fd, &from, copy, NULL, 2, 0));
    SHOW(write(copy, "end", 3));
    SHOW(read(copy, a, 1));
    SHOW(fsync(copy));
    SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    SHOW(truncate("file", 3));
    show_content(fd);
    return 0;
}
