// SPDX-License-Identifier: Apache-2.0
/* Talks over Unix sockets: by a file's name, by an abstract name, and over a pair. */
#include "payload.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static void connect_to(const struct sockaddr_un *at, socklen_t len)
{
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), peer;
    const struct sockaddr *name = (const struct sockaddr *)at;
    struct ucred who = {0};
    socklen_t size = sizeof(who);
    char buf[8] = "";

    SHOW(connect(client, name, len));
    SHOW(bind(server, name, len));
    SHOW(bind(server, name, len));
    SHOW(listen(server, 1));
    SHOW(connect(client, name, len));
    peer = accept(server, NULL, NULL);
    SHOW(write(client, "text", 4));
    SHOW(read(peer, buf, sizeof(buf)));
    SHOW(getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &size));
    SHOW(who.pid == getpid() && who.uid == getuid() && size == sizeof(who));
    (void)close(client);
    SHOW(read(peer, buf, sizeof(buf)));
    SHOW(send(peer, buf, 1, MSG_NOSIGNAL));
    (void)close(peer);
    (void)close(server);
}

int main(void)
{
    struct sockaddr_un file = {AF_UNIX, "socket"}, hidden = {AF_UNIX, ""};
    int pair[2];
    char buf[8] = "";

    connect_to(&file, sizeof(file));
    (void)snprintf(hidden.sun_path + 1, 32, "kontain-test-%d", getpid());
    connect_to(&hidden, sizeof(hidden));
    SHOW(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    SHOW(send(pair[0], "one", 3, 0));
    SHOW(send(pair[0], "two!", 4, MSG_EOR));
    SHOW(recv(pair[1], buf, sizeof(buf), 0));
    SHOW(recv(pair[1], buf, 2, MSG_TRUNC));
    SHOW(socketpair(AF_INET, SOCK_STREAM, 0, pair));
    return 0;
}
