// SPDX-License-Identifier: Apache-2.0
/* Runs other programs by posix_spawn, system and popen. */
#include "payload.h"

#include <spawn.h>
#include <sys/wait.h>

int main(void)
{
    char *words[] = {"sh", "-c", "echo spawned; exit 9", NULL}, *none[] = {NULL}, line[64] = "";
    int status = 0;
    pid_t child = 0;
    FILE *stream;

    CHECK(posix_spawn(&child, "/bin/sh", NULL, NULL, words, none) == 0);
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(WEXITSTATUS(status));
    SHOW(posix_spawn(&child, "/no/such/program", NULL, NULL, words, none) == ENOENT);
    SHOW(posix_spawnp(&child, "true", NULL, NULL, words, none));
    SHOW(waitpid(child, &status, 0) == child);
    SHOW(system("echo to a pipe | tr a-z A-Z; exit 3") >> 8);
    SHOW(system("kill -9 $$"));
    stream = popen("for i in 1 2 3; do echo line $i; done | tail -n 1", "r");
    SHOW(fgets(line, sizeof(line), stream) != NULL);
    printf("%s", line);
    SHOW(pclose(stream));
    SHOW(WEXITSTATUS(system("exec /no/such/program 2>/dev/null")));
    return 0;
}
