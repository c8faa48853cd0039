// SPDX-License-Identifier: Apache-2.0
/* Sends a descriptor, its credentials and scattered bytes in one message. */
#include "payload.h"

#include <sys/socket.h>
#include <sys/un.h>

union room {
    char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr aligned;
};

static void send_descriptor(int to, int fd)
{
    union room room = {{0}};
    struct iovec iov[] = {{"abc", 3}, {"", 0}, {"defgh", 5}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 3, .msg_control = room.bytes};
    struct cmsghdr *head;

    message.msg_controllen = CMSG_SPACE(sizeof(int));
    head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    SHOW(sendmsg(to, &message, 0));
}

int main(void)
{
    union room room;
    char a[2] = "", b[16] = "", text[8] = "";
    struct iovec iov[] = {{a, sizeof(a)}, {b, sizeof(b)}};
    struct msghdr message = {
        .msg_iov = iov, .msg_iovlen = 2, .msg_control = room.bytes, .msg_controllen = sizeof(room)};
    int pair[2], pipe_ends[2], one = 1, received = -1;
    struct ucred who = {0};

    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    SHOW(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    SHOW(pipe(pipe_ends));
    send_descriptor(pair[0], pipe_ends[1]);
    SHOW(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC));
    printf("%.2s|%.6s flags %x\n", a, b, message.msg_flags);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        printf("level %d type %d length %zu\n", h->cmsg_level, h->cmsg_type, (size_t)h->cmsg_len);
        memcpy(h->cmsg_type == SCM_RIGHTS ? (void *)&received : (void *)&who, CMSG_DATA(h),
               h->cmsg_len - CMSG_LEN(0));
    }
    SHOW(who.pid == getpid() && who.uid == getuid());
    SHOW(received);
    SHOW(write(received, "through", 7));
    SHOW(read(pipe_ends[0], text, sizeof(text)));
    send_descriptor(pair[0], pipe_ends[1]);
    message.msg_controllen = 1;
    SHOW(recvmsg(pair[1], &message, 0));
    SHOW((message.msg_flags & MSG_CTRUNC) != 0);
    send_descriptor(pair[0], 99);
    message.msg_iovlen = 2000;
    SHOW(recvmsg(pair[1], &message, 0));
    return 0;
}
