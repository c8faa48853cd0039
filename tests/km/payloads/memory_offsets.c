// SPDX-License-Identifier: Apache-2.0
/*
 * Has a descriptor of its own /proc/self/mem, should it get one, and tries to reach the monitor by
 * each call that takes an offset. Where the monitor is it reads from standard input, in
 * hexadecimal, once it has written argv[1].
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define GUEST_TOP 0x6fff00000000UL
#define STEPS_MAX 1000

static char room[16];
static struct iovec iov = {room, 1};
static int memory, other;

/* Forward, or backward by zero and the highest numbers, which this file takes as positions. */
static bool by_steps(uint64_t at, int64_t step)
{
    uint64_t here = GUEST_TOP - 4096;

    (void)lseek(memory, (off_t)here, SEEK_SET);
    for (int i = 0; i < STEPS_MAX && here != at; i++) {
        uint64_t left = step > 0 ? at - here : here - at;
        uint64_t most = step > 0 ? (uint64_t)step : -(uint64_t)step;
        uint64_t by = left < most ? left : most;

        by = step > 0 ? by : -by;
        if (lseek(memory, (off_t)by, SEEK_CUR) == -1) {
            return false;
        }
        here += by;
    }
    return here == at && read(memory, room, 1) == 1;
}

static bool by_aio(uint64_t at)
{
    struct iocb iocb = {.aio_lio_opcode = IOCB_CMD_PREAD,
                        .aio_fildes = (uint32_t)memory,
                        .aio_buf = (uint64_t)room,
                        .aio_nbytes = 1,
                        .aio_offset = (int64_t)at};
    struct iocb *pointer = &iocb;
    struct io_event event = {0};
    uint64_t context = 0;

    return syscall(SYS_io_setup, 1, &context) == 0 &&
           syscall(SYS_io_submit, context, 1, &pointer) == 1 &&
           syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1 && event.res == 1;
}

/* Print by which call it is reached. */
static void reach(uint64_t at)
{
    off_t offset = (off_t)at, to = (off_t)at;
    int ends[2];

#define TRY(what)                                                                                  \
    if (what) {                                                                                    \
        printf("the monitor is reached by %s\n", #what);                                           \
    }
    (void)pipe(ends);
    (void)!write(ends[1], "xx", 2);
    TRY(pread(memory, room, 1, offset) == 1)
    TRY(preadv(memory, &iov, 1, offset) == 1)
    TRY(syscall(SYS_preadv2, memory, &iov, 1, offset, 0, 0) == 1)
    TRY(lseek(memory, offset, SEEK_SET) == offset && read(memory, room, 1) == 1)
    TRY(syscall(SYS_lseek, memory, offset, 0x466f6c6400000000) == offset)
    TRY(by_steps(at, 1L << 44))
    TRY(by_steps(at, 1L << 46))
    TRY(by_steps(at, INT64_MIN / 2))
    TRY(by_steps(at, -(1L << 56)))
    TRY(by_aio(at))
    TRY(sendfile(other, memory, &offset, 1) == 1)
    TRY(splice(memory, &offset, ends[1], NULL, 1, 0) == 1)
    TRY(splice(ends[0], NULL, memory, &to, 1, 0) == 1)
    TRY(copy_file_range(memory, &offset, other, NULL, 1, 0) == 1)
}

/* Where it can be written, with what is there. */
static void write_to(uint64_t at)
{
    off_t offset = (off_t)at;

    TRY(pwrite(memory, room, 1, offset) == 1)
    TRY(pwritev(memory, &iov, 1, offset) == 1)
    TRY(syscall(SYS_pwritev2, memory, &iov, 1, offset, 0, 0) == 1)
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"/proc/self/mem", "/proc/thread-self/mem"};
    uint64_t at;

    if (argc > 1) {
        (void)!write(STDOUT_FILENO, argv[1], strlen(argv[1]));
    }
    other = open("/tmp", O_RDWR | O_TMPFILE, 0600);
    while (scanf("%lx", &at) == 1) {
        for (size_t i = 0; i < LEN(names); i++) {
            memory = open(names[i], O_RDWR);
            printf(memory < 0 ? "" : "open\n");
            reach(at);
            write_to(at);
            (void)close(memory);
        }
    }
    return 0;
}
