// SPDX-License-Identifier: Apache-2.0
/* Is both ends of a TCP connection. */
#include "payload.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

int main(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, peer;
    socklen_t len = sizeof(at), peer_len = sizeof(peer), option_len = sizeof(int);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, error = -1;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), accepted;
    struct pollfd writable = {client, POLLOUT, 0};
    char buf[16] = "";

    SHOW(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    SHOW(bind(server, (struct sockaddr *)&at, len));
    SHOW(listen(server, 4));
    SHOW(getsockname(server, (struct sockaddr *)&at, &len));
    SHOW(connect(client, (struct sockaddr *)&at, len));
    SHOW(poll(&writable, 1, -1));
    accepted = accept4(server, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC);
    SHOW(peer_len);
    SHOW(peer.sin_addr.s_addr == at.sin_addr.s_addr);
    SHOW(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &option_len));
    SHOW(error);
    SHOW(recv(client, buf, sizeof(buf), 0));
    SHOW(send(accepted, "hello", 5, MSG_NOSIGNAL));
    SHOW(poll(&(struct pollfd){client, POLLIN, 0}, 1, -1));
    SHOW(recv(client, buf, sizeof(buf), MSG_PEEK));
    SHOW(read(client, buf, sizeof(buf)));
    SHOW(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
    SHOW(setsockopt(client, IPPROTO_TCP, 999, &one, sizeof(one)));
    SHOW(shutdown(client, SHUT_WR));
    SHOW(read(accepted, buf, sizeof(buf)));
    SHOW(getpeername(server, (struct sockaddr *)&peer, &peer_len));
    SHOW(close(accepted));
    SHOW(close(server));
    SHOW(bind(client, (struct sockaddr *)&at, 3));
    SHOW(socket(99, SOCK_STREAM, 0));
    return 0;
}
