// SPDX-License-Identifier: Apache-2.0
/*
 * krun.c: the program that engines call. The backend alone can serve most calls once a container
 * exists; then this becomes the backend, without a start of Python, which takes longer than all the
 * rest. All other calls are for the Python program, which reports errors as well. By another name
 * it is a hook of containers, see noexec.c.
 *
 * Both ways give the backend the same words: tests/krun/test_krun_launcher.py compares them.
 */
#include "noexec.h"
#include "python.h"
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/run/krun" /* krun/src/krun/state.py knows it, too */
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The options before the verb; of any other the Python program decides. */
static const struct option {
    const char *name;
    bool value, passed_on;
} options[] = {{"--root", true, false},
               {"--policy", true, false}, /* for containers that are still to be made */
               {"--log", true, true},
               {"--log-format", true, true},
               {"--systemd-cgroup", false, true}};

/* The verbs that are the backend's, with the options that change nothing about that. */
static const struct verb {
    const char *name;
    int most; /* arguments */
    const char *option, *letter;
} verbs[] = {{"start", 1, NULL, NULL},       {"state", 1, NULL, NULL}, {"kill", 2, "--all", "-a"},
             {"delete", 1, "--force", "-f"}, {"pause", 1, NULL, NULL}, {"resume", 1, NULL, NULL}};

/* The files by which a container is known, in the order of krun/src/krun/state.py. */
static const char *const backends[][2] = {{"crun", "status"}, {"runc", "state.json"}};
/* Where programs of the host are: krun/src/krun/release.py. */
static const char *const folders[] = {"/usr/bin", "/usr/sbin",      "/bin",
                                      "/sbin",    "/usr/local/bin", "/usr/local/sbin"};

static const char *const whole_map[] = {"0", "0", "4294967295"}; /* of no user namespace */

struct call {
    const char *root, *id;
    const struct verb *verb;
    bool has_option; /* the verb's own */
    char **words;    /* for the backend */
    int count;
};

/* Write a path of three parts; false if it is too long. */
static bool join(char path[PATH_MAX], const char *one, const char *two, const char *three)
{
    int length = snprintf(path, PATH_MAX, "%s%s%s", one, two, three);

    return length > 0 && length < PATH_MAX;
}

static bool exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

/* Whether a backend reads the file without waiting for a writer; krun refuses another. */
static bool regular(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Where the caller names no root: root's own, and no other user's. */
static const char *default_root(void)
{
    char map[128] = "", *rest = map;
    FILE *file = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
    bool whole = file && fgets(map, sizeof(map), file);

    for (size_t i = 0; whole && i < ARRAY_LEN(whole_map); i++) {
        const char *word = strtok_r(rest, " \n", &rest);

        whole = word && strcmp(word, whole_map[i]) == 0;
    }
    if (file) {
        (void)fclose(file);
    }
    return whole ? ROOT : NULL;
}

/* Take the option at *at; false if it is not known, or not whole. */
static bool take_option(struct call *call, char **argv, int *at)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        const struct option *option = &options[i];
        size_t length = strlen(option->name);
        const char *word = argv[*at], *value = NULL;

        if (strncmp(word, option->name, length) != 0 || (word[length] && word[length] != '=')) {
            continue;
        }
        if (option->value) {
            value = word[length] ? word + length + 1 : argv[++*at];
        }
        if ((option->value && !value) || (!option->value && word[length])) {
            return false;
        }
        if (!option->passed_on) {
            call->root = strcmp(option->name, "--root") == 0 ? value : call->root;
            return true;
        }
        return asprintf(&call->words[call->count++], value ? "%s=%s" : "%s", option->name, value) >
               0;
    }
    return false;
}

/* Take the verb and what follows it; false if that is more than the table says. */
static bool take_verb(struct call *call, char **argv)
{
    int arguments = 0;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[0], verbs[i].name) == 0) {
            call->verb = &verbs[i];
        }
    }
    if (!call->verb) {
        return false;
    }
    for (; *argv; argv++) {
        call->words[call->count++] = *argv;
        if (argv[0][0] == '-') {
            if (!call->verb->option || (strcmp(*argv, call->verb->option) != 0 &&
                                        strcmp(*argv, call->verb->letter) != 0)) {
                return false;
            }
            call->has_option = true;
        } else if (++arguments == 2) { /* the verb is the first */
            call->id = *argv;
        }
    }
    return call->id && arguments - 1 <= call->verb->most;
}

/* Whether the ID is a plain file name: krun/src/krun/state.py. */
static bool plain(const char *id)
{
    const char *characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";

    return *id && !id[strspn(id, characters)] && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

/* Whether krun keeps a folder of the container, or may: krun/src/krun/state.py, shadow_path(). */
static bool has_own(const struct call *call)
{
    char path[PATH_MAX];
    size_t length = strlen(call->root);

    while (length > 0 && call->root[length - 1] == '/') {
        length--;
    }
    return snprintf(path, sizeof(path), "%.*s.bundles/%s", (int)length, call->root, call->id) >=
               PATH_MAX ||
           exists(path);
}

/* Whether krun itself has to add something to what the backend says of the container. */
static bool has_more(const struct call *call)
{
    return strcmp(call->verb->name, "state") == 0 && has_own(call);
}

/* Whether the container that is to be deleted by force is gone: engines ask so after each end. */
static bool is_gone(const struct call *call)
{
    char path[PATH_MAX];

    return strcmp(call->verb->name, "delete") == 0 && call->has_option && !has_own(call) &&
           join(path, call->root, "/", call->id) && !exists(path);
}

/* Become the backend that made the container; return where there is none. */
static void become(struct call *call)
{
    char own[PATH_MAX], path[PATH_MAX];
    struct stat status;

    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        if (!join(own, call->root, "/", call->id) || !join(path, own, "/", backends[i][1]) ||
            !regular(path)) {
            continue;
        }
        call->words[0] = (char *)backends[i][0];
        for (size_t j = 0; j < ARRAY_LEN(folders); j++) {
            if (join(path, folders[j], "/", backends[i][0]) && stat(path, &status) == 0 &&
                S_ISREG(status.st_mode) && (status.st_mode & 0111)) {
                (void)execv(path, call->words);
                return;
            }
        }
        return;
    }
}

/* Take all words; false if any of them is for the Python program. */
static bool understand(struct call *call, int argc, char **argv)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        if (!take_option(call, argv, &at)) {
            return false;
        }
        at++;
    }
    if (!call->root) {
        call->root = default_root();
    }
    return call->root && *call->root && at < argc &&
           asprintf(&call->words[call->count++], "--root=%s", call->root) > 0 &&
           take_verb(call, argv + at) && plain(call->id);
}

static void try_backend(int argc, char **argv)
{
    struct call call = {.words = calloc((size_t)argc + 3, sizeof(char *)), .count = 1};

    if (call.words && understand(&call, argc, argv) && !has_more(&call)) {
        become(&call);
        if (is_gone(&call)) {
            exit(0);
        }
    }
    free(call.words);
}

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], NOEXEC_HOOK) == 0) {
        return krun_noexec(argc, argv);
    }
    if (argc > 0) {
        try_backend(argc, argv);
    }
    return become_python(argc, argv);
}
