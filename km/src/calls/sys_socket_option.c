// SPDX-License-Identifier: Apache-2.0
/*
 * sys_socket_option.c: getsockopt and setsockopt. An option's value is bytes, which the table
 * checked, but for a few options it holds pointers of its own: those are refused, or copied.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Levels of the kernel's linux/socket.h whose options are bytes, but for those below. */
enum {
    LEVEL_IP = 0,
    LEVEL_TCP = 6,
    LEVEL_UDP = 17,
    LEVEL_VSOCK = 40,
    LEVEL_IPV6 = 41,
    LEVEL_ICMPV6 = 58,
    LEVEL_UDPLITE = 136,
    LEVEL_RAW = 255,
    LEVEL_PACKET = 263,
    LEVEL_NETLINK = 270,
    LEVEL_ALG = 279,
    LEVEL_TLS = 282,
    LEVEL_MPTCP = 284,
};

static bool level_is_known(uint32_t level)
{
    switch (level) {
    case SOL_SOCKET:
    case LEVEL_IP:
    case LEVEL_TCP:
    case LEVEL_UDP:
    case LEVEL_VSOCK:
    case LEVEL_IPV6:
    case LEVEL_ICMPV6:
    case LEVEL_UDPLITE:
    case LEVEL_RAW:
    case LEVEL_PACKET:
    case LEVEL_NETLINK:
    case LEVEL_ALG:
    case LEVEL_TLS:
    case LEVEL_MPTCP:
        return true;
    default: /* those of RDS, SCTP and XDP hold addresses that the kernel reads and writes */
        return false;
    }
}

/* Whether the option's value holds pointers: where the kernel would read or write unchecked. */
static bool holds_pointers(uint32_t level, uint32_t option)
{
    static const struct {
        uint32_t level, first, last;
    } options_with_pointers[] = {
        {LEVEL_IP, 64, 65},     /* iptables: IPT_SO_* */
        {LEVEL_IP, 96, 255},    /* arptables, ebtables */
        {LEVEL_IPV6, 64, 65},   /* ip6tables: IP6T_SO_* */
        {LEVEL_TCP, 35, 35},    /* TCP_ZEROCOPY_RECEIVE: copybuf_address, msg_control */
        {LEVEL_PACKET, 22, 22}, /* PACKET_FANOUT_DATA: sock_fprog */
        {LEVEL_MPTCP, 4, 4},    /* MPTCP_FULL_INFO: tcp_info, subflow_info */
    };

    for (size_t i = 0; i < ARRAY_LEN(options_with_pointers); i++) {
        if (level == options_with_pointers[i].level && option >= options_with_pointers[i].first &&
            option <= options_with_pointers[i].last) {
            return true;
        }
    }
    return false;
}

#define NO_LEVEL 0x7ff0 /* of no protocol */
#define NO_OPTION 0x7fffff00

/*
 * Let the kernel answer what is refused as what it does not know, in its own order of errors. It
 * takes level and option as ints: the upper halves of the registers do not count.
 */
static void judge(const uint64_t *args, uint64_t judged[6])
{
    memcpy(judged, args, 6 * sizeof(*judged));
    if (!level_is_known((uint32_t)args[1])) {
        judged[1] = NO_LEVEL;
    } else if (holds_pointers((uint32_t)args[1], (uint32_t)args[2])) {
        judged[2] = NO_OPTION;
    }
}

/* int getsockopt(int sockfd, int level, int optname, void *optval, socklen_t *optlen) */
HANDLER(getsockopt)
{
    uint64_t judged[6];

    (void)vcpu;
    judge(args, judged);
    return host_syscall(__NR_getsockopt, judged);
}

/* struct sock_fprog, of a classic BPF filter: { uint16_t count; struct sock_filter *filter; } */
static int64_t attach_filter(const uint64_t *args)
{
    struct {
        uint16_t count, padding[3];
        uint64_t filter;
    } program;
    uint64_t with_copy[6] = {args[0], args[1], args[2], (uint64_t)&program, args[4]};

    if ((uint32_t)args[4] != sizeof(program)) {
        return -EINVAL;
    }
    if (guest_read(&program, args[3], sizeof(program)) < 0 ||
        !guest_ok(program.filter, program.count * 8UL)) {
        return -EFAULT;
    }
    return host_syscall(__NR_setsockopt, with_copy);
}

/* int setsockopt(int sockfd, int level, int optname, const void *optval, socklen_t optlen) */
HANDLER(setsockopt)
{
    uint32_t option = (uint32_t)args[2];
    uint64_t judged[6];

    (void)vcpu;
    if ((uint32_t)args[1] == SOL_SOCKET &&
        (option == SO_ATTACH_FILTER || option == SO_ATTACH_REUSEPORT_CBPF)) {
        return attach_filter(args);
    }
    judge(args, judged);
    return host_syscall(__NR_setsockopt, judged);
}

/* int socket(int domain, int type, int protocol): not of the kinds whose memory is shared by
 * address */
HANDLER(socket)
{
    (void)vcpu;
    switch ((uint32_t)args[0]) {
    case AF_RDS:
    case AF_XDP:
        return -EAFNOSUPPORT;
    default:
        return host_syscall(__NR_socket, args);
    }
}

/* int socketpair(int domain, int type, int protocol, int sv[2]) */
HANDLER(socketpair)
{
    int64_t result = host_syscall(__NR_socketpair, args);
    int ends[2];

    (void)vcpu;
    if (!result && guest_read(ends, args[3], sizeof(ends)) == 0) {
        hooks.socketpair_made(ends);
    }
    return result;
}
