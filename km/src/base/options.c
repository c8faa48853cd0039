// SPDX-License-Identifier: Apache-2.0
/*
 * options.c: the options of the command line. command_line.c fills them in; every room reads them.
 */
#include "base/base.h"

struct options options = {.kvm_fd = -1,
                          .keeper_fd = -1,
                          .report_fd = -1,
                          .gdb_fd = -1,
                          .proc_fd = -1,
                          .seccomp_fd = -1,
                          .payload_fd = -1};
