// SPDX-License-Identifier: Apache-2.0
/* Asks for the network interfaces by ioctl and by netlink. */
#include "payload.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The host's may come and go at any moment: where it may, it has a network of its own. */
static int open_socket(void)
{
    bool apart = unshare(CLONE_NEWNET) == 0;
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(!apart || ioctl(s, SIOCSIFFLAGS, &loopback) == 0);
    return s;
}

int main(void)
{
    int s = open_socket();
    struct ifreq requests[16], loopback = {.ifr_name = "lo"}, missing = {.ifr_name = "none0"};
    struct ifconf conf = {.ifc_len = sizeof(requests), .ifc_req = requests};
    struct ifaddrs *list, *i;

    SHOW(ioctl(s, SIOCGIFCONF, &conf));
    SHOW(conf.ifc_len);
    printf("%s\n", requests[0].ifr_name);
    SHOW(ioctl(s, SIOCGIFFLAGS, &loopback));
    SHOW(loopback.ifr_flags & (IFF_UP | IFF_LOOPBACK));
    SHOW(ioctl(s, SIOCGIFINDEX, &missing));
    SHOW(if_nametoindex("lo"));
    SHOW(getifaddrs(&list));
    for (i = list; i; i = i->ifa_next) {
        printf("%s family %d flags %x\n", i->ifa_name, i->ifa_addr ? i->ifa_addr->sa_family : -1,
               i->ifa_flags);
    }
    freeifaddrs(list);
    return 0;
}
