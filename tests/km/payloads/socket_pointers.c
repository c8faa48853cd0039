// SPDX-License-Identifier: Apache-2.0
/* Uses the socket options and kinds whose structures hold addresses, with the monitor's. */
#include "payload.h"

#include <netinet/in.h>
#include <sys/socket.h>

static const uint64_t places[] = {0x7d0000000000, 0x7d1000000000, 0x7d2000000000, 0x7e0000010000};

struct zerocopy { /* struct tcp_zerocopy_receive */
    uint64_t address;
    uint32_t length, skip, inq;
    int32_t error;
    uint64_t copy_to;
    int32_t copy_len;
    uint32_t flags;
    uint64_t control, control_len;
    uint32_t control_flags, reserved;
};

static int tcp_pair(int protocol, int *other)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM, protocol), one;

    if (listener < 0) {
        return -1;
    }
    one = socket(AF_INET, SOCK_STREAM, protocol);
    CHECK(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    CHECK(connect(one, (struct sockaddr *)&at, size) == 0);
    *other = accept(listener, NULL, NULL);
    (void)close(listener);
    return one;
}

static void zerocopy(uint64_t place)
{
    struct zerocopy how = {.copy_to = place, .copy_len = 4096};
    socklen_t size = sizeof(how);
    int other, one = tcp_pair(0, &other);

    CHECK(write(other, "overwritten", 11) == 11);
    CHECK(getsockopt(one, IPPROTO_TCP, 35, &how, &size) == -1 && errno == ENOPROTOOPT);
    (void)close(one);
    (void)close(other);
}

static void full_info(uint64_t place)
{
    struct { /* struct mptcp_full_info, far larger than it is */
        uint32_t sizes[8];
        uint64_t pointers[64];
    } how = {.sizes = {64, 64, 64, 64, 8, 64, 64, 8}};
    socklen_t size = sizeof(how);
    int other, one = tcp_pair(262 /* IPPROTO_MPTCP */, &other);

    for (size_t i = 0; i < LEN(how.pointers); i++) {
        how.pointers[i] = place;
    }
    CHECK(one < 0 || getsockopt(one, 284 /* SOL_MPTCP */, 4, &how, &size) == -1);
    (void)close(one);
    (void)close(other);
}

int main(void)
{
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t umem[4] = {0, 1 << 20, 4096, 0};

    for (size_t i = 0; i < LEN(places); i++) {
        zerocopy(places[i]);
        full_info(places[i]);
        umem[0] = places[i];
        CHECK(setsockopt(udp, 283 /* SOL_XDP */, 4, umem, sizeof(umem)) == -1);
        CHECK(setsockopt(udp, 276 /* SOL_RDS */, 2, umem, sizeof(umem)) == -1);
    }
    CHECK(socket(21 /* AF_RDS */, SOCK_SEQPACKET, 0) == -1 && errno == EAFNOSUPPORT);
    CHECK(socket(44 /* AF_XDP */, SOCK_RAW, 0) == -1 && errno == EAFNOSUPPORT);
    return 0;
}
