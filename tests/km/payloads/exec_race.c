// SPDX-License-Identifier: Apache-2.0
/* Two threads call execve at the same time, one of a script: which one wins runs as it was called.
 */
#include "payload.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char own[4096];
static char *script_argv[] = {"script", "--gdb", "0", "--report-fd", "2", "--trace", NULL};
static char *program_argv[] = {"program", "won", "--trace", "--trace", "--trace", "--trace", NULL};

static void *start(void *argv)
{
    char *const *words = argv;

    (void)execv(argv == script_argv ? "./script" : own, words);
    return NULL;
}

int main(int argc, char **argv)
{
    FILE *script;

    if (argc > 1 && !strcmp(argv[1], "won")) {
        CHECK(argc == 6 && !strcmp(argv[0], "program"));
        return 0;
    }
    if (argc > 2) { /* by the script: its interpreter's argument, its path, what was given */
        CHECK(!strcmp(argv[1], "by-script") && !strcmp(argv[2], "./script") && argc == 8);
        return 0;
    }
    CHECK(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
    script = fopen("script", "we");
    (void)fprintf(script, "#!%s by-script\n", own);
    (void)fclose(script);
    CHECK(chmod("script", 0700) == 0);
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        pthread_t thread;
        int status;

        if (!child) {
            (void)pthread_create(&thread, NULL, start, i % 2 ? (void *)script_argv : program_argv);
            (void)start(i % 2 ? program_argv : script_argv);
            _exit(9);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    return 0;
}
