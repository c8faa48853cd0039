// SPDX-License-Identifier: Apache-2.0
/* Maps a file, privately and shared, and writes to it in each way. */
#include "fault.h"

#include <fcntl.h>
#include <sys/mman.h>

int main(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600), reader = open("file", O_RDONLY);
    char *shared, *private, *second, buf[4] = "";

    fault_catch();
    SHOW(ftruncate(fd, 2 * PAGE + 100));
    SHOW(pwrite(fd, "abc", 3, PAGE));
    shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0);
    second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED);
    SHOW(errno);
    printf("%.3s %.3s %.3s\n", shared + PAGE, private + PAGE, second);
    shared[PAGE] = 'A';
    SHOW(pread(fd, buf, 3, PAGE));
    printf("%s %.3s %.3s\n", buf, private + PAGE, second);
    private[PAGE + 1] = 'B';
    SHOW(pwrite(fd, "C", 1, PAGE + 2));
    SHOW(pread(fd, buf, 3, PAGE));
    printf("%s %.3s %.3s %c\n", buf, shared + PAGE, second, private[PAGE + 1]);
    SHOW(msync(shared, PAGE, MS_SYNC));
    fault_try("behind the end", 'r', shared + 2 * PAGE + 200);
    fault_try("page behind the end", 'r', shared + 3 * PAGE + 8);
    fault_try("page behind the end", 'w', shared + 3 * PAGE + 8);
    fault_try("read only", 'w', second);
    SHOW(ftruncate(fd, PAGE));
    fault_try("cut off", 'r', shared + PAGE + 16);
    fault_try("kept", 'r', shared + 16);
    SHOW(ftruncate(fd, 4 * PAGE));
    fault_try("back", 'r', shared + PAGE);
    SHOW(write(1, shared + 3 * PAGE, 0));
    SHOW(close(fd));
    fault_try("closed", 'w', shared + 2);
    return 0;
}
