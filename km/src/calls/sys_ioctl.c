// SPDX-License-Identifier: Apache-2.0
/*
 * sys_ioctl.c: the ioctls that a payload can make: those whose argument is a number or one
 * structure of known size. Others may hold pointers that nobody checked (KVM's own do), and answer
 * ENOTTY as a device does that does not know them.
 *
 * Left out on purpose are those that act on later users of a terminal or device: bytes
 * as if typed (TIOCSTI, TIOCLINUX's paste), another line discipline or console (TIOCSETD, TIOCCONS,
 * KDSETMODE and the like), settings that nobody can change back (TIOCSLCKTRMIOS), the end of
 * others' sessions (TIOCVHANGUP), and random numbers that are called better than they are
 * (RNDADDTOENTCNT).
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "calls/proc.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <linux/random.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TERMIO 18
#define TERMIOS 36
#define TERMIOS2 44
#define IFREQ 40
#define FSXATTR 28
#define PIDFD_INFO(size) (0xc000ff0b | (size) << 16) /* PIDFD_GET_INFO */

static const struct {
    uint32_t command, size; /* bytes behind the pointer; 0: the argument is a number */
} known[] = {
    {TCGETS, TERMIOS},
    {TCSETS, TERMIOS},
    {TCSETSW, TERMIOS},
    {TCSETSF, TERMIOS},
    {TCGETA, TERMIO},
    {TCSETA, TERMIO},
    {TCSETAW, TERMIO},
    {TCSETAF, TERMIO},
    {TIOCGLCKTRMIOS, TERMIOS},
    {0x802c542a, TERMIOS2},
    {0x402c542b, TERMIOS2},
    {0x402c542c, TERMIOS2},
    {0x402c542d, TERMIOS2},
    {TCSBRK, 0},
    {TCXONC, 0},
    {TCFLSH, 0},
    {TCSBRKP, 0},
    {TIOCGWINSZ, 8},
    {TIOCSWINSZ, 8},
    {TIOCGPGRP, 4},
    {TIOCSPGRP, 4},
    {TIOCGSID, 4},
    {TIOCNOTTY, 0},
    {TIOCSBRK, 0},
    {TIOCCBRK, 0},
    {TIOCMIWAIT, 0},
    {TIOCSIG, 0},
    {TIOCGPKT, 4},
    {TIOCEXCL, 0},
    {TIOCNXCL, 0},
    {TIOCOUTQ, 4},
    {FIONREAD, 4},
    {FIONBIO, 4},
    {FIOASYNC, 4},
    {FIOQSIZE, 8},
    {TIOCGPTN, 4},
    {TIOCSPTLCK, 4},
    {TIOCGPTPEER, 0},
    {TIOCGPTLCK, 4},
    {TIOCMGET, 4},
    {TIOCMSET, 4},
    {TIOCMBIS, 4},
    {TIOCMBIC, 4},
    {TIOCGETD, 4},
    {TIOCPKT, 4},
    {TIOCGSOFTCAR, 4},
    {TIOCSSOFTCAR, 4},
    {FIGETBSZ, 4},
    {FS_IOC_GETFLAGS, 8},
    {FS_IOC_SETFLAGS, 8},
    {FS_IOC_GETVERSION, 8},
    {FS_IOC_FSGETXATTR, FSXATTR},
    {FS_IOC_FSSETXATTR, FSXATTR},
    {FS_IOC_FIEMAP, 32}, /* and extents: less than 4 GiB, the gap above GUEST_TOP */
    {BLKGETSIZE64, 8},
    {BLKSSZGET, 4},
    {BLKROGET, 4},
    {RNDGETENTCNT, 4},
    {SIOCATMARK, 4},
    {SIOCGIFNAME, IFREQ},
    {SIOCGIFINDEX, IFREQ},
    {SIOCGIFFLAGS, IFREQ},
    {SIOCGIFADDR, IFREQ},
    {SIOCGIFDSTADDR, IFREQ},
    {SIOCGIFBRDADDR, IFREQ},
    {SIOCGIFNETMASK, IFREQ},
    {SIOCGIFMTU, IFREQ},
    {SIOCGIFHWADDR, IFREQ},
    {SIOCGIFMETRIC, IFREQ},
    {SIOCGIFTXQLEN, IFREQ},
    {SIOCSIFFLAGS, IFREQ},
    {SIOCSIFADDR, IFREQ},
    {SIOCSIFNETMASK, IFREQ},
    {SIOCSIFMTU, IFREQ},
    {SIOCGPGRP, 4},
    {FIOGETOWN, 4},
    {FIOSETOWN, 4},
    {SIOCGSTAMP_OLD, 16},
    {SIOCGSTAMPNS_OLD, 16},
    {SIOCGIFMAP, IFREQ},
    {SIOCOUTQNSD, 4},
    {TIOCGEXCL, 4},
    {TIOCGICOUNT, 80},
    {TIOCGDEV, 4},
    {IOCTL_VM_SOCKETS_GET_LOCAL_CID, 4},
    {FS_IOC_SETVERSION, 8},
    {FS_IOC_GETFSLABEL, FSLABEL_MAX},
    {FITRIM, 24},
    {BLKGETSIZE, 8},
    {BLKFLSBUF, 0},
    {BLKBSZGET, 8},
    {BLKIOMIN, 4},
    {BLKIOOPT, 4},
    {BLKALIGNOFF, 4},
    {BLKPBSZGET, 4},
    {BLKRAGET, 8},
    {0x40085400, 8},       /* TFD_IOC_SET_TICKS */
    {PIDFD_INFO(64U), 64}, /* since Linux 6.13; it grows */
    {PIDFD_INFO(72U), 72},
    {PIDFD_INFO(80U), 80},
    {PIDFD_INFO(88U), 88},
    {NS_GET_USERNS, 0},
    {NS_GET_PARENT, 0},
    {NS_GET_NSTYPE, 0},
    {NS_GET_OWNER_UID, 4},
    {SIOCSPGRP, 4},
    {TUNSETIFF, IFREQ},
    {TUNGETIFF, IFREQ},
    {TUNSETQUEUE, IFREQ},
    {TUNGETFEATURES, 4},
    {TUNSETPERSIST, 0},
    {TUNSETOWNER, 0},
    {TUNSETGROUP, 0},
    {TUNSETLINK, 0},
    {TUNSETOFFLOAD, 0},
    {TUNSETNOCSUM, 0},
    {TUNGETSNDBUF, 4},
    {TUNSETSNDBUF, 4},
    {TUNGETVNETHDRSZ, 4},
    {TUNSETVNETHDRSZ, 4},
};

/* SIOCGIFCONF's structure holds a pointer: struct ifconf { int length; char *buffer; } */
static int64_t get_interfaces(const uint64_t *args)
{
    struct {
        int32_t length, padding;
        uint64_t buffer;
    } conf;
    uint64_t with_copy[6] = {args[0], args[1], (uint64_t)&conf};
    int64_t result;

    if (guest_read(&conf, args[2], sizeof(conf)) < 0 || conf.length < 0 ||
        !guest_ok(conf.buffer, (uint64_t)conf.length)) {
        return -EFAULT;
    }
    result = host_syscall(__NR_ioctl, with_copy);
    return result < 0 ? result : guest_write(args[2], &conf, sizeof(conf));
}

/* FICLONERANGE's structure names another file: { int64_t fd; uint64_t offset, length, to; } */
static int64_t clone_range(const uint64_t *args)
{
    uint64_t range[4], with_copy[6] = {args[0], args[1], (uint64_t)range};

    if (guest_read(range, args[2], sizeof(range)) < 0) {
        return -EFAULT;
    }
    return fd_is_hidden(range[0]) ? -EBADF : host_syscall(__NR_ioctl, with_copy);
}

/* TIOCSETD: a terminal stays what it is, on a kernel that has no other line discipline. */
static int64_t set_discipline(const uint64_t *args)
{
    int32_t wanted, has;
    int64_t error = host_syscall(__NR_ioctl, (uint64_t[6]){args[0], TIOCGETD, (uint64_t)&has});

    if (error < 0) {
        return error;
    }
    if (guest_read(&wanted, args[2], sizeof(wanted)) < 0) {
        return -EFAULT;
    }
    return wanted == has ? 0 : -EINVAL;
}

size_t ioctl_commands(uint32_t *to, size_t max)
{
    static const uint32_t others[] = {SIOCGIFCONF, FICLONE, FICLONERANGE,
                                      TIOCSCTTY,   FIOCLEX, FIONCLEX};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(others) && count < max; i++) {
        to[count++] = others[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(known) && count < max; i++) {
        to[count++] = known[i].command;
    }
    return count;
}

/* What the descriptor says of a command that nobody knows: most ENOTTY, some another error. */
static int64_t refuse(uint64_t fd)
{
    unsigned char unused[TERMIOS];
    int64_t error = host_syscall(__NR_ioctl, (uint64_t[6]){fd, TCGETS, (uint64_t)unused});

    return error == -EBADF || error == -EINVAL ? error : -ENOTTY;
}

/* int ioctl(int fd, unsigned long request, ... arg) */
HANDLER(ioctl)
{
    uint32_t command = (uint32_t)args[1];

    switch (command) {
    case FIOCLEX:
    case FIONCLEX:
        return change_descriptor(vcpu, __NR_ioctl, args, 0);
    case SIOCGIFCONF:
        return get_interfaces(args);
    case FICLONE:
        return fd_is_hidden(args[2]) ? -EBADF : host_syscall(__NR_ioctl, args);
    case FICLONERANGE:
        return clone_range(args);
    case TIOCSETD:
        return set_discipline(args);
    case FIGETBSZ:
    case FS_IOC_GETFLAGS:
    case FS_IOC_SETFLAGS:
    case FS_IOC_FSGETXATTR:
    case FS_IOC_FSSETXATTR:
    case FS_IOC_GETVERSION:
        return guest_ok(args[2], FSXATTR) ? copy_call(vcpu, __NR_ioctl, args) : -EFAULT;
    case TIOCSCTTY: /* by 1, root would take another session's */
        return host_syscall(__NR_ioctl, (uint64_t[6]){args[0], args[1], 0});
    default:
        break;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].command == command) {
            return known[i].size && !guest_ok(args[2], known[i].size)
                       ? -EFAULT
                       : host_syscall(__NR_ioctl, args);
        }
    }
    return refuse(args[0]);
}
