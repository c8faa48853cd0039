// SPDX-License-Identifier: Apache-2.0
/* python.h: the Python program that krun is, started by the launcher. */
#ifndef KRUN_PYTHON_H
#define KRUN_PYTHON_H

/*
 * Become the Python program with the arguments of argv behind its name. Returns krun's status for
 * its own failures, and has then said why, on standard error and in the log that argv names.
 */
int become_python(int argc, char **argv);

#endif
