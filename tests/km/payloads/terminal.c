// SPDX-License-Identifier: Apache-2.0
/* Requests to a terminal, by the interfaces of System V and of BSD too. */
#include "payload.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <sys/ioctl.h>

/* struct termio of <asm/termios.h>, which does not go with the C library's headers. */
struct old_terminal {
    unsigned short input, output, control, local;
    unsigned char line, characters[8];
};

int main(void)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), zero = 0, slave, state = -1;
    struct old_terminal old;
    struct termios settings, locked;

    SHOW(ioctl(master, TIOCSPTLCK, &zero));
    SHOW(ioctl(master, TIOCGPTLCK, &state));
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    SHOW(ioctl(slave, TCGETA, &old));
    printf("%o %o %o %o\n", old.input, old.output, old.control, old.local);
    old.local &= (unsigned short)~ECHO;
    SHOW(ioctl(slave, TCSETA, &old));
    SHOW(ioctl(slave, TCSETAW, &old));
    SHOW(ioctl(slave, TCSETAF, &old));
    SHOW(ioctl(slave, TCSETA, NULL));
    SHOW(ioctl(slave, TCGETS, &settings));
    printf("%o\n", settings.c_lflag);
    memset(&locked, 0xff, sizeof(locked));
    SHOW(ioctl(slave, TIOCGLCKTRMIOS, &locked));
    printf("%x\n", locked.c_lflag);
    SHOW(ioctl(slave, TIOCSETD, &zero)); /* which it is already */
    SHOW(ioctl(slave, TIOCSETD, &(int){99}));
    SHOW(ioctl(slave, TIOCSETD, NULL));
    SHOW(ioctl(1000, TIOCSETD, &zero));
    SHOW(ioctl(slave, TIOCSBRK, 0));
    SHOW(ioctl(slave, TIOCCBRK, 0));
    SHOW(ioctl(master, TIOCGPKT, &state));
    SHOW(state);
    SHOW(ioctl(master, TIOCSIG, 999));
    SHOW(ioctl(master, TIOCPKT, &zero));
    SHOW(ioctl(slave, TIOCGWINSZ, NULL));
    return 0;
}
