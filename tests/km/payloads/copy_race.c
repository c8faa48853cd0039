// SPDX-License-Identifier: Apache-2.0
/*
 * Reads a file of /proc from its begin, over and over, while another thread puts a file of its own
 * at that descriptor, opened to be read: nothing writes to that.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define AT 50
#define SIZE 100000

static bool done;

static void *swap(void *argument)
{
    int file = *(int *)argument, text = open("/proc/self/maps", O_RDONLY);

    CHECK(text >= 0);
    while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) {
        CHECK(dup2(text, AT) == AT && dup2(file, AT) == AT);
    }
    return NULL;
}

int main(void)
{
    static char bytes[SIZE];
    int out = open("file", O_CREAT | O_WRONLY, 0600), file = open("file", O_RDONLY);
    time_t end = time(NULL) + 3;
    char part[64];
    struct stat st;
    pthread_t thread;

    CHECK(write(out, bytes, SIZE) == SIZE && close(out) == 0);
    CHECK(pthread_create(&thread, NULL, swap, &file) == 0);
    while (time(NULL) < end) {
        (void)pread(AT, part, sizeof(part), 0);
    }
    __atomic_store_n(&done, true, __ATOMIC_RELAXED);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(fstat(file, &st) == 0 && st.st_size == SIZE);
    CHECK(pread(file, part, sizeof(part), 0) == sizeof(part) && !memcmp(part, bytes, sizeof(part)));
    return 0;
}
