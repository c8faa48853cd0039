// SPDX-License-Identifier: Apache-2.0
/* Asynchronous reads and writes of the kernel: each request is done, and its event has its name.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static aio_context_t context;
static int file;

static long submit(struct iocb *iocb)
{
    return syscall(SYS_io_submit, context, 1, &iocb);
}

static struct iocb request(int what, int fd, const void *buffer, size_t size, long offset)
{
    static long count;

    return (struct iocb){.aio_lio_opcode = (unsigned short)what,
                         .aio_fildes = (unsigned)fd,
                         .aio_buf = (uint64_t)buffer,
                         .aio_nbytes = size,
                         .aio_offset = offset,
                         .aio_data = (uint64_t)(100 + count++)};
}

/* Wait for one event and say whether it is of this request. */
static void await(const struct iocb *iocb)
{
    struct io_event event = {0};

    SHOW(syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
    printf("own %d data %lld result %lld\n", event.obj == (uint64_t)iocb, event.data, event.res);
}

static void transfers(void)
{
    char buffer[16] = "", first[4] = "", second[8] = "";
    struct iovec parts[] = {{first, 3}, {second, 7}};
    struct iocb write = request(IOCB_CMD_PWRITE, file, "asynchronous", 12, 0);
    struct iocb read = request(IOCB_CMD_PREAD, file, buffer, 15, 1);
    struct iocb scatter = request(IOCB_CMD_PREADV, file, parts, 2, 2);
    struct iocb sync = request(IOCB_CMD_FSYNC, file, NULL, 0, 0);
    struct iocb *both[] = {&read, &scatter};
    struct io_event events[4];
    struct timespec soon = {0, 1000000};

    SHOW(submit(&write));
    await(&write);
    SHOW(syscall(SYS_io_submit, context, 2, both));
    SHOW(syscall(SYS_io_getevents, context, 2, 4, events, NULL));
    printf("%s %s %s\n", buffer, first, second);
    printf("%d\n", events[0].obj + events[1].obj == (uint64_t)&read + (uint64_t)&scatter);
    SHOW(submit(&sync));
    await(&sync);
    SHOW(syscall(SYS_io_getevents, context, 1, 1, events, &soon));
    SHOW(syscall(SYS_io_pgetevents, context, 1, 1, events, &soon, NULL));
}

static void notices(void)
{
    int notice = eventfd(0, 0), pipes[2];
    struct iocb marked = request(IOCB_CMD_PWRITE, file, "x", 1, 100), poll;
    struct io_event event;
    uint64_t count = 0;

    marked.aio_flags = IOCB_FLAG_RESFD;
    marked.aio_resfd = (unsigned)notice;
    SHOW(submit(&marked));
    SHOW(read(notice, &count, sizeof(count)));
    SHOW(count);
    await(&marked);
    CHECK(pipe(pipes) == 0);
    poll = request(IOCB_CMD_POLL, pipes[0], (void *)POLLIN, 0, 0);
    SHOW(submit(&poll));
    SHOW(syscall(SYS_io_getevents, context, 0, 1, &event, NULL));
    CHECK(write(pipes[1], "y", 1) == 1);
    await(&poll);
    CHECK(read(pipes[0], &count, 1) == 1);
    SHOW(submit(&poll));
    (void)syscall(SYS_io_cancel, context, &poll, &event); /* what it returns changed in Linux 6.x */
    await(&poll);
    SHOW(syscall(SYS_io_cancel, context, &marked, &event));
    marked.aio_resfd = (unsigned)file;
    SHOW(submit(&marked));
}

/* Whether a request fails: at once, or by its event. */
static int fails(struct iocb *iocb)
{
    struct io_event event = {.res = -1};

    return submit(iocb) != 1 ||
           (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1 && event.res < 0);
}

static void refusals(void)
{
    aio_context_t other = 1, none = 0;
    void *monitor = (void *)0x7d0000000000;
    struct iovec inside = {monitor, 8};
    struct io_event event;
    struct iocb bad[] = {
        request(IOCB_CMD_PREAD, 99, "", 1, 0),
        request(IOCB_CMD_PREAD, file, monitor, 8, 0),
        request(IOCB_CMD_PWRITE, file, monitor, 8, 0),
        request(IOCB_CMD_PREADV, file, &inside, 1, 0),
        request(IOCB_CMD_PWRITEV, file, monitor, 1, 0),
        request(IOCB_CMD_NOOP, file, NULL, 0, 0),
        request(99, file, NULL, 0, 0),
    };

    SHOW(syscall(SYS_io_setup, 0, &none));
    SHOW(syscall(SYS_io_setup, 1, &other));
    SHOW(syscall(SYS_io_setup, 1, NULL));
    SHOW(syscall(SYS_io_setup, 1, monitor));
    for (size_t i = 0; i < LEN(bad); i++) {
        SHOW(fails(&bad[i]));
    }
    SHOW(submit(NULL));
    SHOW(syscall(SYS_io_submit, context, -1, NULL));
    SHOW(syscall(SYS_io_submit, 0, 1, NULL));
    SHOW(syscall(SYS_io_submit, 0x7d0000000000, 1, NULL));
    SHOW(syscall(SYS_io_getevents, context, 2, 1, &event, NULL));
    SHOW(syscall(SYS_io_getevents, 12345, 0, 1, &event, NULL));
    SHOW(syscall(SYS_io_destroy, 0));
    SHOW(syscall(SYS_io_destroy, 0x7d0000000000));
}

int main(void)
{
    int status;

    file = open("data", O_RDWR | O_CREAT, 0600);
    SHOW(syscall(SYS_io_setup, 8, &context));
    CHECK(context);
    transfers();
    notices();
    refusals();
    if (!fork()) {
        struct iocb write = request(IOCB_CMD_PWRITE, file, "z", 1, 0);

        SHOW(submit(&write)); /* contexts are not inherited */
        _exit(0);
    }
    SHOW(wait(&status) > 0 && !status);
    SHOW(syscall(SYS_io_destroy, context));
    SHOW(syscall(SYS_io_destroy, context));
    return 0;
}
