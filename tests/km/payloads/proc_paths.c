// SPDX-License-Identifier: Apache-2.0
/*
 * Opens files of /proc by their paths and by their folder, and finds the same; by paths that seem
 * to be such, and finds no memory; and where the root is another, and finds what is in that one.
 */
#include "payload.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const same[] = {"meminfo",
                                   "mounts",
                                   "net/tcp",
                                   "self/comm",
                                   "self/statm",
                                   "self/cmdline",
                                   "self/maps",
                                   "self/status",
                                   "self/stat",
                                   "self/limits",
                                   "self/mounts",
                                   "self/mountinfo",
                                   "self/auxv",
                                   "self/coredump_filter",
                                   "sys/kernel/osrelease",
                                   "sys/net/core/somaxconn",
                                   "tty/drivers",
                                   "1/comm",
                                   "1/statm",
                                   "1/stat"};

static const char *const memory[] = {
    "self/mem",        "self/../self/mem", "sys/../self/mem",      "tty/../self/mem",
    "net/../mem",      "self//mem",        "self/task/../mem",     "thread-self/mem",
    "self/./mem",      "/self/mem",        "./self/mem",           "self/pagemap",
    "self/net/../mem", "1/../self/mem",    "1/net/../../self/mem", "net/../task/../mem"};

static void compare(int proc, const char *name)
{
    char path[64], link[64], one[64] = "", two[64] = "";
    struct stat by_path, by_folder;
    int fd, other;

    (void)snprintf(path, sizeof(path), "/proc/%s", name);
    fd = open(path, O_RDONLY);
    other = openat(proc, name, O_RDONLY);
    CHECK((fd < 0) == (other < 0));
    if (fd < 0) {
        return;
    }
    CHECK(fstat(fd, &by_path) == 0 && fstat(other, &by_folder) == 0);
    CHECK(by_path.st_ino == by_folder.st_ino && by_path.st_dev == by_folder.st_dev);
    CHECK(by_path.st_mode == by_folder.st_mode && by_path.st_size == by_folder.st_size);
    CHECK(fcntl(fd, F_GETFL) == fcntl(other, F_GETFL) && fcntl(fd, F_GETFD) == 0);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    CHECK(readlink(link, one, sizeof(one) - 1) > 0);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", other);
    CHECK(readlink(link, two, sizeof(two) - 1) > 0);
    CHECK(!strcmp(one, two));
    (void)close(fd);
    (void)close(other);
}

static void open_all(void)
{
    char path[64];
    int proc = open("/proc", O_PATH | O_DIRECTORY), fd;

    for (size_t i = 0; i < LEN(same); i++) {
        compare(proc, same[i]);
    }
    (void)close(proc);
    for (size_t i = 0; i < LEN(memory); i++) {
        (void)snprintf(path, sizeof(path), "/proc/%s", memory[i]);
        fd = open(path, O_RDONLY);
        if (fd >= 0) {
            printf("%s\n", path);
        }
        CHECK(fd < 0);
    }
}

/* A file of one's own, `name` below `root`. */
static void make(const char *root, const char *name)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/proc/%s", root, name);
    fd = open(path, O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0 && write(fd, "own", 3) == 3 && close(fd) == 0);
}

static void read_own(void)
{
    static const char *const paths[] = {"/proc/meminfo", "/proc/self/comm", "/proc/self/maps"};
    char text[4];
    int fd;

    for (size_t i = 0; i < LEN(paths); i++) {
        fd = open(paths[i], O_RDONLY);
        CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 3 && !memcmp(text, "own", 3));
        (void)close(fd);
    }
}

/* In a child, and in the program that it executes there: this one, which is linked statically. */
static void enter(void)
{
    int status;

    CHECK(mkdir("inner", 0755) == 0 && mkdir("inner/proc", 0755) == 0 &&
          mkdir("inner/proc/self", 0755) == 0);
    make("inner", "meminfo");
    make("inner", "self/comm");
    make("inner", "self/maps");
    copy_self("inner/program");
    if (!fork()) {
        CHECK(chroot("inner") == 0);
        read_own();
        (void)execl("/program", "program", "inner", NULL);
        CHECK(false);
    }
    CHECK(wait(&status) > 0 && status == 0);
}

int main(int argc, char **argv)
{
    (void)argc;
    if (is_case(argv, "inner")) {
        read_own();
        return 0;
    }
    open_all();
    if (chroot("/") == 0) {
        enter();
    }
    return 0;
}
