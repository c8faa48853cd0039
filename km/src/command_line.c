// SPDX-License-Identifier: Apache-2.0
/*
 * command_line.c: the command line of km.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "machine/machine.h"
#include "program/program.h"
#include "snapshot/snapshot.h"
#include "top.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define DOCUMENTATION "https://github.com/kontainapp/platform/tree/main/docs"

static const char help[] =
    "Usage: km [OPTION...] PAYLOAD [ARG...]\n"
    "Run PAYLOAD, an ELF program for Linux on x86-64, in a virtual machine of its own.\n"
    "\n"
    "A PAYLOAD without a slash is a file in the working directory, else searched in PATH.\n"
    "Options end at PAYLOAD, or at --.\n"
    "\n"
    "  --argv0 NAME   let the payload see NAME as its argv[0]\n"
    "  --search       look a PAYLOAD without a slash up in PATH only\n"
    "  --kvm-fd FD    use the open descriptor FD of /dev/kvm\n"
    "  --trace        write each system call of the payload to standard error\n"
    "  --trace=CALL,CALL...  only these\n"
    "  --no-helper    make each system call on the payload's own thread\n"
    "  --no-patch     leave the payload's code as it is: no call site jumps past SYSCALL\n"
    "  --stats        write counts and times of system calls and exits when the payload ends\n"
    "  --coredump     write a core to core.PID when a signal that asks for one kills the payload\n"
    "  --coredump=FILE  likewise to FILE; %p in it is the process\n"
    "  -o FILE        write the trace and the counts to FILE instead\n"
    "  --report-fd FD  write them to the open descriptor FD\n"
    "  --snapshot FILE  when the payload opens /proc/kontain/snapshot, write it to FILE and end;\n"
    "                 FILE is then a PAYLOAD that resumes from there\n"
    "  --live         with --snapshot: the payload continues, too\n"
    "  --snapshot-now PID  write a snapshot of process PID now, which km runs with --snapshot\n"
    "  --gdb PORT     wait at 127.0.0.1:PORT for gdb before the payload's first instruction;\n"
    "                 0 is any free port, and a path is a socket to wait at\n"
    "  --gdb-fd FD    wait for gdb at the socket that listens at the open descriptor FD\n"
    "  --payload-fd FD  run the program at the open descriptor FD; PAYLOAD is its name\n"
    "  --proc-fd FD   use the open descriptor FD, the root of a proc(5), to look at processes\n"
    "  --seccomp HEX  judge the payload's system calls by this BPF program, too\n"
    "  --seccomp-fd FD  give the payload the seccomp filters that FD holds\n"
    "  --few-processes  look for room before each fork: a limit allows few processes\n"
    "  --processes-apart  the hard limit of processes is two above the program's\n"
    "  --hide-noexec PATH  show the payload the mount at PATH without noexec\n"
    "  --keeper-fd FD  use the keeper at the open descriptor FD\n"
    "  --keeper SOCKET  serve at SOCKET as the keeper, which makes VMs begin and end faster\n"
    "  --inspect      describe the file PAYLOAD, and run nothing\n"
    "  --probe        run a test program step by step, and report whether programs can run here\n"
    "  --verbose      with --probe: report the features of the CPU and KVM as well\n"
    "  --host-calls   list the system calls that km itself makes\n"
    "  --version      print the version\n"
    "  --help         print this text\n"
    "\n"
    "Exit status: the payload's; death by a signal is death by that signal. When km itself fails:\n"
    "  124  a snapshot cannot resume here: another km, kernel or CPU, or a file is missing\n"
    "  125  no KVM, wrong usage, or another failure of km\n"
    "  126  PAYLOAD cannot be run: it is a directory, not executable, or no x86-64 ELF program\n"
    "  127  PAYLOAD does not exist\n"
    "\n"
    "Documentation: " DOCUMENTATION "\n";

static _Noreturn void print_and_exit(const char *text)
{
    bool written = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

    exit(written ? 0 : STATUS_FAILED);
}

static char *value_of(const char *option, char *value)
{
    if (!value) {
        die(STATUS_FAILED, "see km --help", "the option %s needs a value", option);
    }
    return value;
}

static int descriptor(const char *option, const char *text)
{
    char *end;
    long fd;

    errno = 0;
    fd = strtol(text, &end, 10);
    if (errno || *end || end == text || fd < 0 || fd > INT_MAX) {
        die(STATUS_FAILED, "give the number of an open descriptor",
            "%s: found '%s', wanted a number from 0", option, text);
    }
    return (int)fd;
}

/* Whether `option` is `name` or `name`=VALUE; *value is NULL or what follows. */
static bool is_option(const char *option, const char *name, const char **value)
{
    size_t length = strlen(name);

    *value = NULL;
    if (strncmp(option, name, length) != 0) {
        return false;
    }
    if (option[length] == '=') {
        *value = option + length + 1;
    }
    return !option[length] || *value;
}

/* Its name as an absolute path at `to`, of PATH_MAX bytes twice: wherever the payload goes. */
static void make_absolute(const char *option, const char *file, char *to)
{
    if (!*file || strlen(file) >= PATH_MAX || file[strlen(file) - 1] == '/') {
        die(STATUS_FAILED, "give the name of a file", "%s cannot write to '%s'", option, file);
    }
    if (*file != '/') {
        if (!getcwd(to, PATH_MAX)) {
            die(STATUS_FAILED, "give an absolute path", "the working directory has no path: %m");
        }
        to += strlen(to);
        *to++ = '/';
    }
    memcpy(to, file, strlen(file) + 1);
}

static void take_snapshot(const char *file)
{
    static char path[2 * PATH_MAX];

    make_absolute("--snapshot", file, path);
    options.snapshot = path;
}

/* The core goes where km was started, wherever the payload goes. */
static void take_coredump(const char *file)
{
    static char word[sizeof("--coredump=") + 2UL * PATH_MAX] = "--coredump=";
    char *path = word + strlen(word);

    make_absolute("--coredump", file ? file : "core.%p", path);
    options.coredump = path;
    options.carried[CARRIED_COREDUMP] = word;
}

/* Options that only set what is named: what a next word is kept in, and where the option itself is,
 * for the next program's monitor. */
static const struct {
    const char *word;
    bool *is_set;
    int *fd;
    const char **text, **carried;
} plain[] = {
    {"--search", .is_set = &options.search},
    {"--inspect", .is_set = &options.inspect},
    {"--probe", .is_set = &options.probe},
    {"--verbose", .is_set = &options.verbose},
    {"--live", .is_set = &options.live},
    {"--no-helper", .is_set = &options.no_helper, .carried = &options.carried[CARRIED_NO_HELPER]},
    {"--no-patch", .is_set = &options.no_patch, .carried = &options.carried[CARRIED_NO_PATCH]},
    {"--stats", .is_set = &options.stats, .carried = &options.carried[CARRIED_STATS]},
    {"--few-processes", .carried = &options.carried[CARRIED_FEW]},
    {"--processes-apart", .carried = &options.carried[CARRIED_APART]},
    {LOCKS_WORD, .carried = &options.carried[CARRIED_LOCKS]},
    {"--kvm-fd", .fd = &options.kvm_fd},
    {"--keeper-fd", .fd = &options.keeper_fd},
    {"--report-fd", .fd = &options.report_fd, .is_set = &options.report_shared},
    {"--proc-fd", .fd = &options.proc_fd},
    {"--seccomp-fd", .fd = &options.seccomp_fd},
    {"--payload-fd", .fd = &options.payload_fd},
    {"--gdb-fd", .fd = &options.gdb_fd, .text = &options.gdb},
    {"--gdb", .text = &options.gdb},
    {"--seccomp", .text = &options.seccomp},
    {"-o", .text = &options.report_file},
};

/* Take such an option; returns how many words it was, 0 if it is another. */
static int take_plain(const char *option, char *next)
{
    size_t i = 0;

    while (strcmp(option, plain[i].word) != 0) {
        if (++i == ARRAY_LEN(plain)) {
            return 0;
        }
    }
    if (plain[i].text) {
        *plain[i].text = value_of(option, next);
    }
    if (plain[i].fd) {
        *plain[i].fd = descriptor(option, value_of(option, next));
    }
    if (plain[i].is_set) {
        *plain[i].is_set = true;
    }
    if (plain[i].carried) {
        *plain[i].carried = option;
    }
    return plain[i].fd || plain[i].text ? 2 : 1;
}

/* Take one option off the front of argv; returns how many words it was. */
static int take(char **argv, char **argv0)
{
    const char *option = argv[0], *value;
    int words = take_plain(option, argv[1]);

    if (words) {
        return words;
    }
    if (!strcmp(option, "--help") || !strcmp(option, "-h")) {
        print_and_exit(help);
    } else if (!strcmp(option, "--version") || !strcmp(option, "-V")) {
        print_and_exit("km " KM_VERSION "\n");
    } else if (is_option(option, "--trace", &value)) {
        options.trace = true;
        options.trace_calls = value;
        options.carried[CARRIED_TRACE] = option;
    } else if (is_option(option, "--coredump", &value)) {
        take_coredump(value);
    } else if (!strcmp(option, "--snapshot")) {
        take_snapshot(value_of(option, argv[1]));
        return 2;
    } else if (!strcmp(option, "--snapshot-now")) {
        snapshot_request(value_of(option, argv[1]));
    } else if (is_option(option, "--gdb-session", &value) && value) {
        options.gdb_session = value;
    } else if (is_option(option, "--core-limit", &value) && value) {
        options.core_limit = value;
    } else if (!strcmp(option, "--host-calls")) {
        print_host_calls();
    } else if (!strcmp(option, "--hide-noexec")) {
        mounts_hide(value_of(option, argv[1]));
        return 2;
    } else if (is_option(option, "--hidden-mounts", &value) && value) {
        mounts_take(value);
    } else if (!strcmp(option, "--argv0")) {
        *argv0 = value_of(option, argv[1]);
        return 2;
    } else if (!strcmp(option, "--keeper")) {
        keeper_serve(value_of(option, argv[1]));
    } else {
        die(STATUS_FAILED, "see km --help", "there is no option '%s'", option);
    }
    return 1;
}

/* km is called by the name of a link to it, beside which the link's payload stands. */
static bool is_called_as_payload(char **argv)
{
    static char path[PATH_MAX];
    const char *name = argv[0], *slash = name ? strrchr(name, '/') : NULL;

    if (!name || !strcmp(slash ? slash + 1 : name, "km")) {
        return false;
    }
    if (!slash) { /* found in PATH */
        name = (const char *)getauxval(AT_EXECFN);
    }
    if (!name || !payload_beside(name, path)) {
        return false;
    }
    options.payload = path;
    options.argv = argv;
    return true;
}

/* Options that make sense only together, or apart. */
static void check_combination(void)
{
    if (options.report_file && !options.trace && !options.stats) {
        die(STATUS_FAILED, "add --trace or --stats, or leave -o out",
            "-o requires --trace or --stats");
    }
    if (options.live && !options.snapshot) {
        die(STATUS_FAILED, "add --snapshot FILE", "--live requires --snapshot FILE");
    }
    if (options.snapshot && (options.gdb || options.gdb_session)) {
        die(STATUS_FAILED, "leave one out", "--gdb and --snapshot exclude each other");
    }
    if (options.verbose && !options.probe) {
        die(STATUS_FAILED, "add --probe", "--verbose requires --probe");
    }
}

/* The program is km's own. */
static void take_probe(char **argv)
{
    static char *words[] = {"probe", NULL};

    if (*argv) {
        die(STATUS_FAILED, "leave it out", "--probe runs a program of its own, found '%s'", *argv);
    }
    options.payload = words[0];
    options.argv = words;
}

void options_parse(char **argv)
{
    char *argv0 = NULL;

    if (is_called_as_payload(argv)) {
        return;
    }
    if (*argv) {
        argv++;
    }
    while (*argv && **argv == '-') {
        if (!strcmp(*argv, "--")) {
            argv++;
            break;
        }
        argv += take(argv, &argv0);
    }
    check_combination();
    if (options.probe) {
        take_probe(argv);
        return;
    }
    if (!*argv) {
        die(STATUS_FAILED, "see km --help", "a PAYLOAD is missing");
    }
    options.payload = *argv;
    options.argv = argv;
    if (argv0) {
        *argv = argv0;
    }
}
