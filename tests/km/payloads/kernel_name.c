// SPDX-License-Identifier: Apache-2.0
/* Sees by the kernel's name that it runs in a VM of Kontain. */
#include "payload.h"

#include <sys/utsname.h>

int main(void)
{
    static const char suffix[] = ".kontain.KVM";
    struct utsname name;

    CHECK(uname(&name) == 0);
    CHECK(!strcmp(name.sysname, "Linux"));
    CHECK(!strcmp(name.machine, "x86_64"));
    CHECK(strlen(name.release) > sizeof(suffix) &&
          !strcmp(name.release + strlen(name.release) + 1 - sizeof(suffix), suffix));
    return 0;
}
