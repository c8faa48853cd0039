// SPDX-License-Identifier: Apache-2.0
/*
 * peer.c: whose process has connected to --gdb. A port of 127.0.0.1 is open to every user of the
 * host, and a debugger has the payload's rights: only root and the user who runs it may.
 */
#include "gdb/gdb.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ESTABLISHED 1 /* TCP_ESTABLISHED */

/* What stands in a line of the table. */
enum { LOCAL = 1, REMOTE = 2, STATE = 3, USER = 7, INODE = 9, FIELDS = 10 };

static bool is_ours(uid_t uid)
{
    return !uid || uid == geteuid();
}

/* An end of a connection as /proc/net/tcp and tcp6 write it; the latter with more digits before. */
static void name_end(const struct sockaddr_in *end, char name[16])
{
    (void)snprintf(name, 16, "%08X:%04X", end->sin_addr.s_addr, ntohs(end->sin_port));
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), wanted = strlen(end);

    return length >= wanted && !strcmp(text + length - wanted, end);
}

/*
 * Look for the other end's socket; proc_net(5). One that its process has closed is shown as root's,
 * with inode 0, while what was sent by it can still be read.
 */
static bool find_owner(const char *file, const char *other, const char *own, uid_t *uid)
{
    char line[512];
    FILE *table = fopen(file, "re");
    bool found = false;

    while (table && !found && fgets(line, sizeof(line), table)) {
        char *fields[FIELDS], *rest = NULL;
        size_t count = 0;

        for (char *field = strtok_r(line, " ", &rest); field && count < FIELDS;
             field = strtok_r(NULL, " ", &rest)) {
            fields[count++] = field;
        }
        found = count == FIELDS && ends_with(fields[LOCAL], other) &&
                ends_with(fields[REMOTE], own) && strtoul(fields[STATE], NULL, 16) == ESTABLISHED &&
                strtoul(fields[INODE], NULL, 10);
        if (found) {
            *uid = (uid_t)strtoul(fields[USER], NULL, 10);
        }
    }
    if (table) {
        (void)fclose(table);
    }
    return found;
}

static bool of_port(int fd)
{
    struct sockaddr_in own = {0}, other = {0};
    socklen_t size = sizeof(own);
    char own_name[16], other_name[16];
    uid_t uid = 0;

    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
        getpeername(fd, (struct sockaddr *)&other, &size) < 0) {
        return false;
    }
    name_end(&own, own_name);
    name_end(&other, other_name);
    return (find_owner("/proc/self/net/tcp", other_name, own_name, &uid) ||
            find_owner("/proc/self/net/tcp6", other_name, own_name, &uid)) &&
           is_ours(uid);
}

bool peer_may_debug(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    int family = 0;

    (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){sizeof(family)});
    if (family != AF_UNIX) {
        return of_port(fd);
    }
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && is_ours(peer.uid);
}
