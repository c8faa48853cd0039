// SPDX-License-Identifier: Apache-2.0
/* Uses devices, memfd, inotify, extended attributes and a pseudo-terminal. */
#include "payload.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <termios.h>

static void terminal(void)
{
    struct winsize size = {.ws_row = 7, .ws_col = 9}, seen = {0};
    struct termios settings;
    char name[32], buf[8] = "";
    int number = -1, zero = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave;

    SHOW_DONE(master);
    SHOW(ioctl(master, TIOCSPTLCK, &zero));
    SHOW(ioctl(master, TIOCGPTN, &number));
    (void)snprintf(name, sizeof(name), "/dev/pts/%d", number);
    slave = open(name, O_RDWR | O_NOCTTY);
    SHOW(isatty(slave));
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    SHOW(ioctl(slave, TIOCGWINSZ, &seen));
    SHOW(seen.ws_row * 10 + seen.ws_col);
    SHOW(tcgetattr(slave, &settings));
    settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    SHOW(tcsetattr(slave, TCSANOW, &settings));
    SHOW(write(master, "key", 3));
    SHOW(read(slave, buf, sizeof(buf)));
    SHOW(write(slave, "\n", 1));
    SHOW(read(master, buf, sizeof(buf)));
}

int main(void)
{
    char buf[512];
    int full = open("/dev/full", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
    int memory = memfd_create("name", MFD_CLOEXEC), notify = inotify_init1(IN_NONBLOCK);
    const struct inotify_event *event = (const struct inotify_event *)buf;

    SHOW(write(full, "x", 1));
    SHOW(read(zero, buf, 16));
    SHOW(ftruncate(memory, 100));
    SHOW(read(memory, buf, sizeof(buf)));
    SHOW_DONE(inotify_add_watch(notify, ".", IN_CREATE));
    SHOW(close(creat("new", 0600)));
    SHOW(read(notify, buf, sizeof(buf)));
    printf("%s\n", event->name);
    SHOW(read(notify, buf, sizeof(buf)));
    SHOW(setxattr("new", "user.name", "value", 5, 0));
    SHOW(getxattr("new", "user.name", buf, sizeof(buf)));
    SHOW(getxattr("new", "user.other", buf, sizeof(buf)));
    SHOW(isatty(zero));
    terminal();
    return 0;
}
