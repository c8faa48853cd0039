// SPDX-License-Identifier: Apache-2.0
/* Opens files of all kinds in ways of all kinds, while it has a second thread. */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static pthread_mutex_t until_end = PTHREAD_MUTEX_INITIALIZER;

static void *second(void *unused)
{
    (void)pthread_mutex_lock(&until_end);
    return unused;
}

static long open2(const char *path, uint64_t flags, uint64_t mode, uint64_t resolve, size_t size)
{
    struct {
        uint64_t flags, mode, resolve, more;
    } how = {flags, mode, resolve, 0};

    return syscall(SYS_openat2, AT_FDCWD, path, &how, size);
}

static void *write_end(void *fifo)
{
    int fd = open(fifo, O_WRONLY);

    CHECK(write(fd, "through", 7) == 7);
    return NULL;
}

static void links(void)
{
    char text[8] = "";
    pthread_t thread;
    int fd;

    CHECK(mkdir("folder", 0700) == 0 && symlink("../made", "folder/dangling") == 0 &&
          symlink("folder/dangling", "twice") == 0 && symlink("loop", "loop") == 0);
    SHOW_DONE(open("twice", O_RDONLY));
    SHOW_DONE(open("twice", O_WRONLY | O_CREAT | O_EXCL, 0600));
    SHOW_DONE(open("twice", O_WRONLY | O_CREAT, 0640));
    SHOW_DONE(open("made", O_RDONLY | O_NOFOLLOW));
    SHOW_DONE(open("twice", O_RDONLY | O_NOFOLLOW));
    SHOW_DONE(open("twice", O_RDONLY | O_NOFOLLOW | O_PATH));
    SHOW_DONE(open("loop", O_RDWR | O_CREAT, 0600));
    CHECK(mkfifo("fifo", 0600) == 0 && pthread_create(&thread, NULL, write_end, "fifo") == 0);
    fd = open("fifo", O_RDONLY);
    CHECK(read(fd, text, 7) == 7 && pthread_join(thread, NULL) == 0);
    SHOW_DONE(open("fifo", O_WRONLY | O_NONBLOCK));
    printf("%s\n", text);
}

int main(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int fd, listening = socket(AF_UNIX, SOCK_STREAM, 0);
    pthread_t thread;

    (void)pthread_mutex_lock(&until_end);
    CHECK(pthread_create(&thread, NULL, second, NULL) == 0);
    CHECK(bind(listening, (struct sockaddr *)&name, sizeof(name)) == 0);
    (void)umask(022);
    fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0666);
    SHOW(fd);
    SHOW(write(fd, "text", 4));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(open("file", O_RDWR | O_TRUNC | O_CLOEXEC), F_GETFD));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0) == MAP_FAILED ? -1 : 0);
    SHOW_DONE(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, listening, 0) == MAP_FAILED ? -1 : 0);
    SHOW_DONE(open("socket", O_RDWR));
    SHOW_DONE(open(".", O_RDONLY));
    SHOW_DONE(open(".", O_RDWR));
    SHOW_DONE(open(".", O_RDWR | O_TMPFILE, 0600));
    SHOW_DONE(open("file/below", O_RDONLY));
    SHOW_DONE(open("", O_RDONLY));
    SHOW_DONE(open(NULL, O_RDONLY));
    SHOW_DONE(open("missing", O_RDONLY));
    SHOW_DONE(open("missing/file", O_RDWR | O_CREAT, 0600));
    SHOW_DONE(creat("created", 0666));
    SHOW_DONE(openat(open(".", O_PATH), "created", O_WRONLY | O_TRUNC));
    SHOW_DONE(open("/dev/null", O_RDWR));
    SHOW_DONE(open("/proc/self/status", O_RDONLY));
    SHOW_DONE(open("/proc/self/fd/0", O_RDONLY));
    SHOW_DONE(open2("made2", O_RDWR | O_CREAT, 0600, 0, 24));
    SHOW_DONE(open2("made2", O_RDWR, 0600, 0, 24));
    SHOW_DONE(open2("made2", O_RDWR, 0, 0, 32));
    SHOW_DONE(open2("made2", O_RDWR, 0, 0, 8));
    SHOW_DONE(open2("../made2", O_RDWR, 0, 8 /* RESOLVE_BENEATH */, 24));
    links();
    (void)pthread_mutex_unlock(&until_end);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
