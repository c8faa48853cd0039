// SPDX-License-Identifier: Apache-2.0
/* server.c: an HTTP server with a thread for each connection; it answers every request alike. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 8080, BACKLOG = 128, REQUEST_SIZE = 8192 };

static const char END_OF_REQUEST[] = "\r\n\r\n";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 13\r\n"
                             "\r\n"
                             "Hello from C\n";

/* Return 0, or -1 when the peer has gone. */
static int send_all(int peer, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(peer, data, len, MSG_NOSIGNAL);

        if (sent <= 0) {
            return -1;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* Answer the requests of one connection until it ends; a request has no body here. */
static void *serve(void *argument)
{
    int peer = (int)(intptr_t)argument;
    char request[REQUEST_SIZE + 1];
    size_t used = 0;
    ssize_t got;

    while ((got = recv(peer, request + used, REQUEST_SIZE - used, 0)) > 0) {
        char *end;

        used += (size_t)got;
        request[used] = '\0';
        while ((end = strstr(request, END_OF_REQUEST)) != NULL) {
            end += sizeof(END_OF_REQUEST) - 1;
            used -= (size_t)(end - request);
            memmove(request, end, used + 1);
            if (send_all(peer, ANSWER, sizeof(ANSWER) - 1) < 0) {
                used = REQUEST_SIZE;
                break;
            }
        }
        if (used == REQUEST_SIZE) {
            break;
        }
    }
    close(peer);
    return NULL;
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, BACKLOG) < 0) {
        perror("server: cannot listen on port 8080");
        return 1;
    }
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        pthread_t thread;

        if (peer >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)peer) == 0) {
            pthread_detach(thread);
        } else if (peer >= 0) {
            close(peer);
        }
    }
}
