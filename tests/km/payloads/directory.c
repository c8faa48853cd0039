// SPDX-License-Identifier: Apache-2.0
/* Makes, lists, enters and removes directories. */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void list(const char *name)
{
    struct dirent **entries;
    int n = scandir(name, &entries, NULL, by_name);

    printf("%s: %d\n", name, n);
    for (int i = 0; i < n; i++) {
        printf("  %s type %d\n", entries[i]->d_name, entries[i]->d_type);
        free(entries[i]);
    }
}

int main(void)
{
    char cwd[4096], name[32];
    int dir;

    SHOW(mkdir("one", 0755));
    SHOW(mkdir("one", 0755));
    SHOW(mkdir("one/two/three", 0755));
    for (int i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "one/a-file-with-number-%03d", i);
        (void)close(creat(name, 0600));
    }
    list("one");
    list("missing");
    dir = open("one", O_RDONLY | O_DIRECTORY);
    SHOW(mkdirat(dir, "two", 0700));
    SHOW(faccessat(dir, "two", R_OK, 0));
    SHOW(unlinkat(dir, "a-file-with-number-007", 0));
    SHOW(unlinkat(dir, "two", 0));
    SHOW(unlinkat(dir, "two", AT_REMOVEDIR));
    SHOW(fchdir(dir));
    printf("%s\n", strrchr(getcwd(cwd, sizeof(cwd)), '/'));
    SHOW(access("a-file-with-number-008", F_OK));
    SHOW(chdir(".."));
    SHOW(rmdir("one"));
    SHOW(rmdir("missing"));
    SHOW(open("one", O_WRONLY));
    SHOW(open("one/a-file-with-number-008", O_RDONLY | O_DIRECTORY));
    SHOW(read(dir, cwd, 1));
    SHOW(getcwd(cwd, 2) == NULL);
    return 0;
}
