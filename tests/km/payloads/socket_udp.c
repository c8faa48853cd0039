// SPDX-License-Identifier: Apache-2.0
/* Sends datagrams to itself, one by one and several at once. */
#include "payload.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

int main(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, from;
    struct sockaddr *name = (struct sockaddr *)&at;
    socklen_t len = sizeof(at), from_len = sizeof(from);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct iovec out[2] = {{"first", 5}, {"second", 6}};
    char buf[2][8] = {"", ""}, c;
    struct iovec in[2] = {{buf[0], 8}, {buf[1], 3}};
    struct mmsghdr outgoing[2] = {0}, incoming[3] = {0};
    struct timeval moment = {0, 20000};

    for (int i = 0; i < 2; i++) {
        outgoing[i].msg_hdr = (struct msghdr){
            .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = out + i, .msg_iovlen = 1};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = in + i, .msg_iovlen = 1};
    }

    SHOW(bind(s, name, len));
    SHOW(getsockname(s, name, &len));
    SHOW(sendto(s, "datagram", 8, 0, name, len));
    SHOW(recvfrom(s, &c, 1, MSG_PEEK | MSG_TRUNC, (struct sockaddr *)&from, &from_len));
    SHOW(from.sin_port == at.sin_port && from_len == sizeof(from));
    SHOW(recvfrom(s, &c, 1, 0, NULL, NULL));
    SHOW(sendto(s, "", 0, 0, name, len));
    SHOW(recv(s, &c, 1, 0));
    SHOW(sendmmsg(s, outgoing, 2, 0));
    SHOW(outgoing[0].msg_len * 10 + outgoing[1].msg_len);
    SHOW(recvmmsg(s, incoming, 3, MSG_DONTWAIT, NULL));
    SHOW(incoming[0].msg_len * 10 + incoming[1].msg_len);
    SHOW(incoming[1].msg_hdr.msg_flags & MSG_TRUNC);
    printf("%.8s %.3s\n", buf[0], buf[1]);
    SHOW(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)));
    SHOW(recv(s, &c, 1, 0));
    SHOW(send(s, "x", 1, 0));
    SHOW(sendto(s, "x", 1, 0, name, 2));
    return 0;
}
