// SPDX-License-Identifier: Apache-2.0
/*
 * keeper.c: `km --keeper SOCKET`, a service that makes every VM of its host begin and end faster;
 * and the other side of it, in each km.
 *
 * The first VM of a host and the last one make the kernel change its own code on all CPUs; and the
 * end of any VM waits for all CPUs. So the keeper holds a VM of one vCPU for as long as it runs,
 * and when a payload ends, km sends it the descriptor of the payload's VM: the kernel takes the VM
 * down when the keeper closes that, while the process that waits for the payload has its status
 * already. The keeper holds nothing else: the payload's memory, its files and its locks go when km
 * ends, as ever.
 *
 * Where no keeper is, the VM ends with km. The keeper can do nothing with a VM that it is sent: KVM
 * obeys only the process that made it.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "top.h"

#include <asm/unistd.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/kontain/keeper.sock"
#define FIX_SOCKET "give the path of a socket to make, in a folder that exists"
#define TICK_US 20000 /* so long at most a message's descriptors may keep the keeper waiting */

/* ---- a message: a byte, and a descriptor ---- */

struct message {
    struct msghdr header;
    struct iovec iov;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void message_init(struct message *message)
{
    message->byte = 0;
    message->iov = (struct iovec){&message->byte, 1};
    message->header = (struct msghdr){
        .msg_iov = &message->iov,
        .msg_iovlen = 1,
        .msg_control = message->control,
        .msg_controllen = sizeof(message->control),
    };
}

/* An address for `path`, or 0 bytes of one when it is too long. */
static socklen_t address(struct sockaddr_un *to, const char *path)
{
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(to->sun_path)) {
        return 0;
    }
    memcpy(to->sun_path, path, strlen(path) + 1);
    return sizeof(*to);
}

/* ---- the service ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un name;
    socklen_t size = address(&name, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (!size || fd < 0) {
        die(STATUS_FAILED, FIX_SOCKET, "no socket can be made at %s: %s", path,
            size ? strerror(errno) : "the path is too long");
    }
    if (connect(fd, (struct sockaddr *)&name, size) == 0) {
        die(STATUS_FAILED, "stop the other first", "a keeper listens at %s already", path);
    }
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        (void)unlink(path); /* of a keeper that was killed */
    }
    if (bind(fd, (struct sockaddr *)&name, size) < 0 || chmod(path, 0666) < 0) {
        die(STATUS_FAILED, FIX_SOCKET, "no socket can be made at %s: %m", path);
    }
    return fd;
}

static void wake(int signo)
{
    (void)signo;
}

/* Every user of the host can send: what a keeper needs not, it cannot do. */
static void lock_keeper(void)
{
    static const uint16_t calls[] = {__NR_poll,         __NR_recvmsg,         __NR_setitimer,
                                     __NR_rt_sigreturn, __NR_restart_syscall, __NR_write,
                                     __NR_exit_group};

    sandbox_to(calls, ARRAY_LEN(calls));
}

/*
 * Take a message from the queue without its descriptors, which the kernel then closes: what a
 * filesystem does when a descriptor of a process is closed (a flush, which a filesystem of a user's
 * may never answer) is not done for one that never was a process's. What waits all the same, such
 * as a socket that lingers, ends at the next tick.
 */
static void take_one(int fd)
{
    static const struct itimerval ticks = {{0, TICK_US}, {0, TICK_US}}, none;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

    (void)setitimer(ITIMER_REAL, &ticks, NULL);
    if (recvmsg(fd, &header, MSG_DONTWAIT) < 0 && errno != EINTR && errno != EAGAIN &&
        errno != ENOMEM) {
        die(STATUS_FAILED, FIX_REPORT, "the keeper cannot receive: %m");
    }
    (void)setitimer(ITIMER_REAL, &none, NULL);
}

_Noreturn void keeper_serve(const char *path)
{
    struct vm vm;
    struct pollfd listens = {.fd = listen_at(path), .events = POLLIN};
    struct sigaction action = {.sa_handler = wake};

    vm_create(&vm);
    if (kvm_ioctl(vm.vm_fd, KVM_CREATE_VCPU, 0) < 0) {
        die(STATUS_FAILED, FIX_KVM, "KVM makes no vCPU: %m");
    }
    (void)sigaction(SIGALRM, &action, NULL);
    lock_keeper();
    for (;;) {
        if (poll(&listens, 1, -1) > 0) {
            take_one(listens.fd);
        }
    }
}

/* ---- who is served ---- */

void keeper_find(void)
{
    struct sockaddr_un name;
    socklen_t size = address(&name, DEFAULT_SOCKET);
    int fd = options.keeper_fd;

    if (fd < 0 && options.kvm_fd < 0) { /* else /run may be a container's, where others write */
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&name, size) < 0) {
            (void)close(fd);
            fd = -1;
        }
    }
    options.keeper_fd = fd < 0 ? -1 : fd_hide(fd);
}

void keeper_take(const struct vm *vm)
{
    struct message message;
    struct cmsghdr *control;

    if (options.keeper_fd < 0) {
        return;
    }
    message_init(&message);
    control = CMSG_FIRSTHDR(&message.header);
    *control = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(control), &vm->vm_fd, sizeof(int));
    (void)sendmsg(options.keeper_fd, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL);
}
