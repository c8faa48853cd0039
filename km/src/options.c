// SPDX-License-Identifier: Apache-2.0
/*
 * options.c: the command line of km.
 */
#include "km.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENTATION "https://github.com/kontainapp/platform/tree/main/docs"

struct options options = {.kvm_fd = -1, .trace_fd = -1, .payload_fd = -1};

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
    "  -o FILE        write the trace to FILE instead\n"
    "  --trace-fd FD  write the trace to the open descriptor FD\n"
    "  --payload-fd FD  run the program that the open descriptor FD is; PAYLOAD is its name\n"
    "  --version      print the version\n"
    "  --help         print this text\n"
    "\n"
    "Exit status: the payload's; death by a signal is death by that signal. When km itself fails:\n"
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
            "%s wants a number from 0 on, found '%s'", option, text);
    }
    return (int)fd;
}

/* Take one option off the front of argv; returns how many words it was. */
static int take(char **argv, char **argv0)
{
    const char *option = argv[0];

    if (!strcmp(option, "--help") || !strcmp(option, "-h")) {
        print_and_exit(help);
    } else if (!strcmp(option, "--version") || !strcmp(option, "-V")) {
        print_and_exit("km " KM_VERSION "\n");
    } else if (!strcmp(option, "--search")) {
        options.search = true;
    } else if (!strcmp(option, "--trace")) {
        options.trace = true;
    } else if (!strcmp(option, "--argv0")) {
        *argv0 = value_of(option, argv[1]);
        return 2;
    } else if (!strcmp(option, "--kvm-fd")) {
        options.kvm_fd = descriptor(option, value_of(option, argv[1]));
        return 2;
    } else if (!strcmp(option, "--trace-fd")) {
        options.trace = true;
        options.trace_fd = descriptor(option, value_of(option, argv[1]));
        return 2;
    } else if (!strcmp(option, "--payload-fd")) {
        options.payload_fd = descriptor(option, value_of(option, argv[1]));
        return 2;
    } else if (!strcmp(option, "-o")) {
        options.trace_file = value_of(option, argv[1]);
        return 2;
    } else {
        die(STATUS_FAILED, "see km --help", "there is no option '%s'", option);
    }
    return 1;
}

void options_parse(char **argv)
{
    char *argv0 = NULL;

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
    if (!*argv) {
        die(STATUS_FAILED, "see km --help", "no payload was named");
    }
    options.payload = *argv;
    options.argv = argv;
    if (argv0) {
        *argv = argv0;
    }
}
