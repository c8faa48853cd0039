// SPDX-License-Identifier: Apache-2.0
/*
 * link.c: the connection with gdb: packets as $DATA#SUM, acknowledged until both sides trust
 * the link.
 *
 * A connected debugger has the rights of the payload. So only processes of its user on this host,
 * and root's, can connect, and only one, before the payload's first instruction: the payload
 * cannot. A caller that hands over a listening socket has seen to that, and says where it is.
 */
#include "base/base.h"
#include "gdb/gdb.h"
#include "task/task.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define INTERRUPT 3 /* the byte of Ctrl-C */
#define FIX_PORT "give --gdb a free port from 0 (any) to 65535, or a path with a slash for a socket"

/* ---- waiting for gdb ---- */

static int listen_at_port(const char *where, char *name, size_t size)
{
    char *end;
    unsigned long port = strtoul(where, &end, 10);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (*end || end == where || *where < '0' || *where > '9' || port > 65535) {
        die(STATUS_FAILED, FIX_PORT, "--gdb: found '%s', wanted a port or a path", where);
    }
    at.sin_port = htons((uint16_t)port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) < 0) {
        die(STATUS_FAILED, FIX_PORT, "cannot wait for gdb at port %lu: %m", port);
    }
    (void)snprintf(name, size, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static int listen_at_path(const char *where, char *name, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177); /* for nobody else */

    if (strlen(where) >= sizeof(at.sun_path)) {
        errno = ENAMETOOLONG;
    } else {
        memcpy(at.sun_path, where, strlen(where) + 1);
        if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0) {
            (void)umask(mask);
            (void)snprintf(name, size, "%s", where);
            return fd;
        }
    }
    die(STATUS_FAILED, FIX_PORT, "cannot wait for gdb at %s: %m", where);
}

/* Close the socket, and let nobody else find it. */
static void end_listening(int listener, const char *path)
{
    (void)close(listener);
    if (path) {
        (void)unlink(path);
    }
}

void link_open(const char *where)
{
    char name[PATH_MAX] = "its socket";
    bool given = options.gdb_fd >= 0, path = !given && strchr(where, '/');
    int listener = given  ? options.gdb_fd
                   : path ? listen_at_path(where, name, sizeof(name))
                          : listen_at_port(where, name, sizeof(name));
    int fd, on = 1;

    if (!given) {
        (void)dprintf(STDERR_FILENO, "km: waiting for gdb: target remote %s\n", name);
    }
    do {
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && !given && !peer_may_debug(fd)) {
            complain("connect as the user who runs km, or use --gdb with a path",
                     "another user's process cannot debug: it connected to %s", name);
            (void)close(fd);
            fd = -1;
            errno = EINTR;
        }
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    end_listening(listener, path ? where : NULL);
    if (fd < 0) {
        die(STATUS_FAILED, FIX_PORT, "gdb could not connect: %m");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* no sense for a path */
    session.fd = fd_hide(fd);
}

/* ---- bytes ---- */

static struct {
    unsigned char bytes[4096];
    ssize_t length, at;
} in;

static int get_byte(void)
{
    if (in.at == in.length) {
        in.at = 0;
        do {
            in.length = read(session.fd, in.bytes, sizeof(in.bytes));
        } while (in.length < 0 && errno == EINTR);
        if (in.length <= 0) {
            in.length = 0;
            return -1;
        }
    }
    return in.bytes[in.at++];
}

static void put_bytes(const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = send(session.fd, bytes, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) { /* the next read will tell */
            return;
        }
        bytes += n;
        size -= (size_t)n;
    }
}

static int digit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t hex_decode(const char *text, void *bytes, size_t size)
{
    size_t n = 0;

    for (; n < size; n++) {
        int high = digit(text[2 * n]), low = high < 0 ? -1 : digit(text[2 * n + 1]);

        if (low < 0) {
            break;
        }
        ((uint8_t *)bytes)[n] = (uint8_t)(high << 4 | low);
    }
    return n;
}

pid_t thread_number(const char *text, char **end)
{
    return (pid_t)strtol(text, end, 16);
}

/* ---- packets ---- */

bool link_interrupts(bool *gone)
{
    bool interrupts = false;
    int c;

    do {
        c = get_byte();
        interrupts = interrupts || c == INTERRUPT;
    } while (c >= 0 && in.at < in.length);
    *gone = c < 0;
    return interrupts;
}

/* What stands between $ and #, and whether its sum is right; -1 when gdb is gone. */
static int receive_frame(struct packet *packet)
{
    uint8_t sum = 0, wanted;
    char text[2];
    int c;

    for (packet->size = 0; (c = get_byte()) != '#'; sum = (uint8_t)(sum + c)) {
        if (c < 0) {
            return -1;
        }
        if (packet->size < PACKET_SIZE) {
            packet->data[packet->size++] = (char)c;
        }
    }
    packet->data[packet->size] = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        c = get_byte();
        if (c < 0) {
            return -1;
        }
        text[i] = (char)c;
    }
    return session.no_ack || (hex_decode(text, &wanted, 1) && wanted == sum);
}

bool link_receive(struct packet *packet)
{
    for (;;) {
        int c = get_byte(), good;

        if (c < 0) {
            return false;
        }
        if (c != '$') { /* acknowledgements; an interrupt of what stands still already */
            continue;
        }
        good = receive_frame(packet);
        if (good < 0) {
            return false;
        }
        if (!session.no_ack) {
            put_bytes(good ? "+" : "-", 1);
        }
        if (good) {
            return true;
        }
    }
}

void link_send(const struct packet *packet)
{
    static char frame[PACKET_SIZE + 8];
    uint8_t sum = 0;

    frame[0] = '$';
    memcpy(frame + 1, packet->data, packet->size);
    for (size_t i = 0; i < packet->size; i++) {
        sum = (uint8_t)(sum + (uint8_t)packet->data[i]);
    }
    (void)snprintf(frame + 1 + packet->size, 4, "#%02x", sum);
    put_bytes(frame, packet->size + 4);
}

void packet_put(struct packet *packet, const char *format, ...)
{
    size_t room = PACKET_SIZE + 1 - packet->size;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(packet->data + packet->size, room, format, args);
    va_end(args);
    packet->size += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void packet_put_hex(struct packet *packet, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        packet_put(packet, "%02x", ((const uint8_t *)bytes)[i]);
    }
}

void packet_put_binary(struct packet *packet, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size && packet->size + 2 <= PACKET_SIZE; i++) {
        char c = ((const char *)bytes)[i];

        if (c == '#' || c == '$' || c == '}' || c == '*') {
            packet->data[packet->size++] = '}';
            c ^= 0x20;
        }
        packet->data[packet->size++] = c;
    }
    packet->data[packet->size] = 0;
}

/* ---- signals; gdb's include/gdb/signals.def ---- */

static const uint8_t gdb_signals[32] = {0,  1,  2,  3,  4,  5,   6,  10, 8,  9,  30,
                                        11, 31, 13, 14, 15, 143, 20, 19, 17, 18, 21,
                                        22, 16, 24, 25, 26, 27,  28, 23, 32, 12};

int signal_to_gdb(int signo)
{
    return signo < 32 ? gdb_signals[signo] : signo == 32 ? 77 : signo == 64 ? 78 : signo - 33 + 45;
}

int signal_from_gdb(unsigned number)
{
    for (int signo = 0; signo <= SIGNAL_MAX; signo++) {
        if ((unsigned)signal_to_gdb(signo) == number) {
            return signo;
        }
    }
    return 0;
}
