// SPDX-License-Identifier: Apache-2.0
/* Positions in files and folders: far, relative, at the end, below the begin; offsets in memory. */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void of_a_file(int fd)
{
    SHOW(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(fd, 3, SEEK_CUR));
    SHOW(lseek(fd, -2, SEEK_CUR));
    SHOW(lseek(fd, -7, SEEK_CUR));
    SHOW(lseek(fd, INT64_MAX, SEEK_CUR));
    SHOW(lseek(fd, INT64_MIN, SEEK_CUR));
    SHOW(lseek(fd, -3, SEEK_END));
    SHOW(lseek(fd, 1L << 40, SEEK_CUR));
    SHOW(lseek(fd, 0x6ffeffffffff, SEEK_SET));
    SHOW(lseek(fd, 1L << 47, SEEK_SET));
    SHOW(lseek(fd, INT64_MAX, SEEK_SET));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 99));
    SHOW(syscall(SYS_lseek, fd, 7, 1UL << 32 | SEEK_SET));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(lseek(fd, 0, SEEK_HOLE));
}

/* It has bytes at every offset. */
static void of_a_device(void)
{
    const int64_t far[] = {1L << 47, 0x3b6e9f1a2c4d5e60, INT64_MAX - PAGE};
    int fd = open("/dev/zero", O_RDWR), null = open("/dev/null", O_WRONLY);
    char byte;

    for (size_t i = 0; i < LEN(far); i++) {
        int64_t offset = far[i];

        SHOW(pread(fd, &byte, 1, offset));
        SHOW(pwrite(fd, &byte, 1, offset));
        SHOW(lseek(fd, offset, SEEK_SET));
        SHOW(read(fd, &byte, 1));
        SHOW(lseek(fd, offset, SEEK_CUR));
        SHOW(lseek(fd, -offset, SEEK_CUR));
        SHOW(sendfile(null, fd, &offset, 1));
        SHOW(offset);
    }
}

static void of_a_folder(void)
{
    long places[8];
    char *names[8];
    size_t count = 0;
    DIR *folder;

    (void)mkdir("folder", 0700);
    for (char name[] = "folder/a"; name[7] < 'f'; name[7]++) {
        (void)close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    folder = opendir("folder");
    for (const struct dirent *entry;
         places[count] = telldir(folder), count < LEN(places) && (entry = readdir(folder));
         count++) {
        names[count] = strdup(entry->d_name);
    }
    for (size_t i = count; i-- > 0;) {
        seekdir(folder, places[i]);
        CHECK(!strcmp(readdir(folder)->d_name, names[i]));
    }
    SHOW(count);
}

static void in_memory(int from)
{
    int to = open("to", O_CREAT | O_RDWR, 0600), ends[2];
    int64_t offset = 2, other = 1;
    char text[16] = {0};

    (void)pipe(ends);
    SHOW(sendfile(to, from, &offset, 3));
    SHOW(offset);
    SHOW(splice(from, &offset, ends[1], NULL, 2, 0));
    SHOW(offset);
    SHOW(splice(ends[0], NULL, to, &other, 2, 0));
    SHOW(other);
    SHOW(copy_file_range(from, &offset, to, &other, 2, 0));
    printf("%ld %ld\n", offset, other);
    SHOW(pread(to, text, sizeof(text), 0));
    printf("%s\n", text);
    offset = -1;
    SHOW(sendfile(to, from, &offset, 3));
    SHOW(syscall(SYS_sendfile, to, from, 8, 3));
    SHOW(syscall(SYS_sendfile, 99, from, 8, 3));
    SHOW(syscall(SYS_splice, from, 8, ends[1], 0, 2, 0));
    SHOW(lseek(ends[0], 1, SEEK_CUR));
    SHOW(lseek(99, 1, SEEK_CUR));
    SHOW(lseek(99, 0x6fffffffffff, SEEK_SET));
    SHOW(lseek(open("/dev/null", O_RDONLY), 5, SEEK_CUR));
}

int main(void)
{
    int fd = open("file", O_CREAT | O_RDWR, 0600);

    CHECK(write(fd, "0123456789", 10) == 10);
    of_a_file(fd);
    of_a_device();
    of_a_folder();
    in_memory(fd);
    return 0;
}
