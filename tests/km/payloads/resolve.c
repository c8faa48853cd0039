// SPDX-License-Identifier: Apache-2.0
/* Opens by openat2 with each rule of how a path may lead. */
#include "payload.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const struct {
    const char *name;
    uint64_t resolve;
} rules[] = {{"none", 0},
             {"in root", RESOLVE_IN_ROOT},
             {"beneath", RESOLVE_BENEATH},
             {"no link", RESOLVE_NO_SYMLINKS},
             {"no mount", RESOLVE_NO_XDEV},
             {"no magic", RESOLVE_NO_MAGICLINKS},
             {"in root, no link", RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS},
             {"in root, beneath", RESOLVE_IN_ROOT | RESOLVE_BENEATH}};

static const char *const paths[] = {"file",
                                    "/file",
                                    "../file",
                                    "/../../file",
                                    "link",
                                    "absolute",
                                    "/folder/up",
                                    "/folder/../../file",
                                    "folder",
                                    "/",
                                    "/proc/version",
                                    "/etc/passwd",
                                    "/proc/self/mounts"};

static void try(int dir, const char *where)
{
    for (size_t i = 0; i < LEN(rules); i++) {
        for (size_t j = 0; j < LEN(paths); j++) {
            struct open_how how = {.flags = O_RDONLY, .resolve = rules[i].resolve};
            int fd = (int)syscall(SYS_openat2, dir, paths[j], &how, sizeof(how));

            printf("%s, %s, %s: %s\n", where, rules[i].name, paths[j],
                   fd < 0 ? strerror(errno) : "opened");
            (void)close(fd);
        }
    }
}

int main(void)
{
    char name[] = "/tmp/resolve.XXXXXX";
    int dir;

    CHECK(mkdtemp(name) && chdir(name) == 0 && mkdir("folder", 0700) == 0);
    (void)close(open("file", O_CREAT | O_WRONLY, 0600));
    CHECK(symlink("file", "link") == 0 && symlink("/file", "absolute") == 0 &&
          symlink("../file", "folder/up") == 0);
    dir = open(".", O_RDONLY | O_DIRECTORY);
    try(dir, "descriptor");
    try(AT_FDCWD, "working folder");
    CHECK(unlink("folder/up") == 0 && unlink("absolute") == 0 && unlink("link") == 0 &&
          unlink("file") == 0 && rmdir("folder") == 0 && rmdir(name) == 0);
    return 0;
}
