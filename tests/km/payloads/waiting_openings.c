// SPDX-License-Identifier: Apache-2.0
/* A hundred threads wait in open for the other end of a FIFO, while others open what they like. */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define WAITING 100

static atomic_int waiting;

static void *wait_for_writer(void *unused)
{
    int fd;

    waiting++;
    fd = open("/proc/self/cwd/fifo", O_RDONLY); /* a link that leads across mounts */
    return fd < 0 ? &waiting : unused;
}

int main(void)
{
    pthread_t threads[WAITING];
    pthread_attr_t attr;
    void *failed;
    int wrong = 0, fd;

    CHECK(mkfifo("fifo", 0600) == 0 && pthread_attr_init(&attr) == 0 &&
          pthread_attr_setstacksize(&attr, 64UL << 10) == 0);
    for (int i = 0; i < WAITING; i++) {
        CHECK(pthread_create(&threads[i], &attr, wait_for_writer, NULL) == 0);
    }
    while (waiting < WAITING) {
        (void)usleep(1000);
    }
    (void)usleep(200000);
    fd = open("/dev/null", O_RDWR);
    SHOW_DONE(fd);
    SHOW_DONE(open("/proc/self/status", O_RDONLY));
    SHOW_DONE(open("fifo", O_WRONLY));
    for (int i = 0; i < WAITING; i++) {
        CHECK(pthread_join(threads[i], &failed) == 0);
        wrong += failed != NULL;
    }
    SHOW(wrong);
    return 0;
}
