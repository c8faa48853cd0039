// SPDX-License-Identifier: Apache-2.0
/*
 * python.c: start the Python program of the release, ../lib/krun.py from here.
 *
 * The interpreter is the host's, or where there is none the one that a release for such hosts
 * brings: ../python with its own loader and C library (docs/decisions/0125). Engines show users the
 * log that they name, and little of standard error: a missing interpreter is reported in both.
 */
#include "python.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"
#define LOADER "/python/lib/ld-linux-x86-64.so.2"
#define LIBRARIES "/python/lib"
#define OWN_PYTHON "/python/bin/python3"
#define SCRIPT "/lib/krun.py"
#define FAILED 125 /* krun/src/krun/errors.py */
#define SHOWN 512  /* characters of the message */

static const char *const valued[] = {"--cgroup-manager", "--criu",   "--log",  "--log-format",
                                     "--log-level",      "--policy", "--root", "--rootless"};

/* Write where the release is, two folders above this program; false if that cannot be told. */
static bool find_release(char release[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", release, PATH_MAX - 1);

    release[length > 0 ? length : 0] = '\0';
    for (int up = 0; up < 2; up++) { /* the program's name, and bin */
        char *slash = strrchr(release, '/');

        if (!slash) {
            return false;
        }
        *slash = '\0';
    }
    return true;
}

/* Become a program with the given first words, a NULL at their end, and argv's behind its name. */
static void become(char *const *first, int argc, char **argv)
{
    size_t count = 0, rest = (size_t)argc; /* with the NULL at its end */

    while (first[count]) {
        count++;
    }
    char **words = calloc(count + rest, sizeof(char *));

    if (words) {
        memcpy(words, first, count * sizeof(char *));
        memcpy(words + count, argv + 1, rest * sizeof(char *));
        (void)execv(words[0], words);
    }
    int error = errno;

    free(words);
    errno = error;
}

/* Whether a word is a global option whose value is the next word: krun/src/krun/options.py. */
static bool takes_next(const char *word)
{
    for (size_t i = 0; i < sizeof(valued) / sizeof(valued[0]); i++) {
        if (strcmp(word, valued[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The value of a global option, which stand before the verb; NULL if it is not there. */
static const char *option(char **argv, const char *name)
{
    size_t length = strlen(name);

    for (char **word = argv + 1; *word && (*word)[0] == '-'; word++) {
        if (strncmp(*word, name, length) == 0 && (*word)[length] == '=') {
            return *word + length + 1;
        }
        if (strcmp(*word, name) == 0) {
            return word[1];
        }
        if (takes_next(*word) && word[1]) {
            word++;
        }
    }
    return NULL;
}

/* Add the message to an engine's log, as krun/src/krun/errors.py does. */
static void log_message(const char *path, const char *format, const char *message)
{
    char time_text[32] = "", quoted[SHOWN * 2];
    size_t length = 0;
    time_t now = time(NULL);
    struct tm parts;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);

    if (gmtime_r(&now, &parts)) {
        (void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    for (const char *at = message; *at && length < sizeof(quoted) - 2; at++) {
        if (*at == '\n') {
            quoted[length++] = '\\';
        }
        quoted[length++] = *at == '\n' ? 'n' : *at;
    }
    quoted[length] = '\0';
    if (fd >= 0) {
        (void)dprintf(fd,
                      format && strcmp(format, "json") == 0
                          ? "{\"level\":\"error\",\"msg\":\"%1$s\",\"time\":\"%2$s\"}\n"
                          : "time=\"%2$s\" level=error msg=\"%1$s\"\n",
                      quoted, time_text);
        (void)close(fd);
    }
}

int become_python(int argc, char **argv)
{
    char release[PATH_MAX], script[PATH_MAX + sizeof(SCRIPT)];
    char loader[PATH_MAX + sizeof(LOADER)], libraries[PATH_MAX + sizeof(LIBRARIES)];
    char own[PATH_MAX + sizeof(OWN_PYTHON)], message[SHOWN];
    bool found = argc > 0 && find_release(release);
    const char *log = argc > 0 ? option(argv, "--log") : NULL;

    (void)snprintf(script, sizeof(script), "%s%s", release, SCRIPT);
    (void)snprintf(own, sizeof(own), "%s%s", release, OWN_PYTHON);
    (void)snprintf(loader, sizeof(loader), "%s%s", release, LOADER);
    (void)snprintf(libraries, sizeof(libraries), "%s%s", release, LIBRARIES);
    if (found) {
        become((char *[]){PYTHON, "-IS", script, NULL}, argc, argv);
        int error = errno;

        become((char *[]){loader, "--library-path", libraries, own, "-IS", script, NULL}, argc,
               argv);
        errno = error;
    }
    (void)snprintf(message, sizeof(message),
                   "krun: cannot start %s: %s.\n"
                   "To fix: install the distribution's package python3, or the release that "
                   "brings its own Python.",
                   PYTHON, strerror(errno));
    (void)fprintf(stderr, "%s\n", message);
    if (log) {
        log_message(log, option(argv, "--log-format"), message);
    }
    return FAILED;
}
