// SPDX-License-Identifier: Apache-2.0
/*
 * options.c: what the command line asked for. command_line.c fills it in; every room reads it.
 */
#include "base/base.h"

struct options options = {.kvm_fd = -1,
                          .keeper_fd = -1,
                          .report_fd = -1,
                          .gdb_fd = -1,
                          .proc_fd = -1,
                          .seccomp_fd = -1,
                          .payload_fd = -1};
