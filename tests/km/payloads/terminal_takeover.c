// SPDX-License-Identifier: Apache-2.0
/*
 * Tries to type into the terminal that it shares with a shell, and to change what the shell finds
 * there afterwards. The terminal is one of its own, with this process as the shell.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <linux/random.h>
#include <linux/tiocl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

/* Which make sense on any terminal, or on a console. */
static const struct {
    unsigned long command;
    const char *name;
} takeovers[] = {
    {TIOCSTI, "TIOCSTI"},         {TIOCLINUX, "TIOCLINUX"},     {TIOCSETD, "TIOCSETD"},
    {TIOCCONS, "TIOCCONS"},       {TIOCVHANGUP, "TIOCVHANGUP"}, {TIOCSLCKTRMIOS, "TIOCSLCKTRMIOS"},
    {KDSETMODE, "KDSETMODE"},     {KDSKBMODE, "KDSKBMODE"},     {KDSKBENT, "KDSKBENT"},
    {KDSKBSENT, "KDSKBSENT"},     {0x5606, "VT_ACTIVATE"},      {0x5602, "VT_SETMODE"},
    {PIO_FONT, "PIO_FONT"},       {PIO_UNIMAP, "PIO_UNIMAP"},   {KDFONTOP, "KDFONTOP"},
    {TIOCSSERIAL, "TIOCSSERIAL"}, {TIOCSRS485, "TIOCSRS485"},   {TIOCSERCONFIG, "TIOCSERCONFIG"},
};

static void take_over(int terminal)
{
    union {
        char byte;
        int number;
        char room[4096];
    } argument = {.number = 'X'};

    for (size_t i = 0; i < LEN(takeovers); i++) {
        for (unsigned long high = 0; high <= 1UL << 32; high += 1UL << 32) {
            int refused = takeovers[i].command == TIOCSETD ? EINVAL : ENOTTY;

            if (syscall(SYS_ioctl, terminal, takeovers[i].command | high, &argument) != -1 ||
                errno != refused) {
                printf("%s: %s\n", takeovers[i].name, strerror(errno));
            }
        }
    }
}

/* Another session's terminal: the shell's. */
static void steal(int terminal)
{
    (void)setsid();
    if (ioctl(terminal, TIOCSCTTY, 1) == 0) {
        printf("TIOCSCTTY took another session's terminal\n");
    }
}

static void in_child(void (*what)(int), int terminal)
{
    pid_t child = fork();

    if (!child) {
        what(terminal);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

static void be_the_shell(int terminal)
{
    int typed = 0;

    CHECK(setsid() > 0 && !ioctl(terminal, TIOCSCTTY, 0));
    in_child(take_over, terminal);
    in_child(steal, terminal);
    CHECK(!ioctl(terminal, FIONREAD, &typed));
    if (typed) {
        printf("%d bytes were typed\n", typed);
    }
}

int main(void)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0;

    CHECK(master >= 0 && !ioctl(master, TIOCSPTLCK, &zero));
    in_child(be_the_shell, ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    if (ioctl(open("/dev/urandom", O_RDWR), RNDADDTOENTCNT, &zero) == 0) {
        printf("the kernel's random numbers can be called better\n");
    }
    return 0;
}
