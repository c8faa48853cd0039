// SPDX-License-Identifier: Apache-2.0
/* Gives files names, modes and times, and takes them away. */
#include "payload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void show_file(const char *name)
{
    struct stat st;
    uint64_t stx[32]; /* struct statx: bytes 28 to 29 are the mode, 32 to 39 the inode */

    if (lstat(name, &st) < 0) {
        printf("%s: %s\n", name, strerror(errno));
        return;
    }
    printf("%s: mode %o, %lu links, %ld bytes\n", name, st.st_mode, st.st_nlink, (long)st.st_size);
    SHOW(syscall(SYS_statx, AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, 0x7ff, stx));
    printf("statx: mode %lo, inode %d\n", stx[3] >> 32 & 0xffff, stx[4] == st.st_ino);
}

int main(void)
{
    struct timespec times[2] = {{1000, 5}, {2000, 7}};
    struct stat st;
    char target[16] = "";

    SHOW(umask(027));
    SHOW(close(open("a", O_WRONLY | O_CREAT, 0777)));
    show_file("a");
    SHOW(link("a", "b"));
    SHOW(symlink("a", "c"));
    SHOW(symlink("nowhere", "d"));
    SHOW(readlink("c", target, sizeof(target)));
    printf("%s\n", target);
    show_file("b");
    show_file("c");
    SHOW(stat("d", &st));
    SHOW(open("d", O_WRONLY | O_CREAT | O_EXCL, 0600));
    SHOW(open("c", O_RDONLY | O_NOFOLLOW));
    SHOW(rename("b", "e"));
    SHOW(rename("b", "e"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "e", 1));
    SHOW(unlink("b"));
    SHOW(chmod("a", 04711));
    SHOW(fchmodat(AT_FDCWD, "missing", 0600, 0));
    SHOW(utimensat(AT_FDCWD, "a", times, 0));
    SHOW(stat("a", &st));
    SHOW(st.st_atim.tv_sec * 1000 + st.st_mtim.tv_sec + st.st_mtim.tv_nsec);
    SHOW(access("a", W_OK));
    SHOW(access("missing", F_OK));
    SHOW(truncate("missing", 1));
    SHOW(open("a/b", O_RDONLY));
    SHOW(mknod("fifo", S_IFIFO | 0600, 0));
    show_file("fifo");
    show_file("a");
    return 0;
}
