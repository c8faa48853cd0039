// SPDX-License-Identifier: Apache-2.0
/*
 * inside.c: km called in a VM of km's. There is no KVM in it, but the km around it runs what is
 * executed there in a VM already: so km becomes the program that it was to run.
 */
#include "base/base.h"
#include "program/program.h"
#include "top.h"
#include "watch/watch.h"

#include <errno.h>
#include <unistd.h>

/* What a VM of its own would be needed for. */
static const char *asked_of_vm(void)
{
    return options.trace      ? "--trace"
           : options.stats    ? "--stats"
           : options.coredump ? "--coredump"
           : options.snapshot ? "--snapshot"
           : options.gdb      ? "--gdb"
           : options.probe    ? "--probe"
           : options.seccomp  ? "--seccomp"
                              : NULL;
}

_Noreturn void inside_run(char **argv, char **envp)
{
    static char found[4096];
    const char *option, *path;

    options_parse(argv);
    if (options.inspect) {
        inspect_payload();
    }
    option = asked_of_vm();
    if (option) {
        die(STATUS_FAILED, "give this option to the km that made the VM",
            "km runs in a VM of Kontain already, where it can run a plain program only, without %s",
            option);
    }
    path = elf_find(found);
    (void)execve(path, options.argv, envp);
    die(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN, FIX_ELF, "cannot run %s: %m", path);
}
