// SPDX-License-Identifier: Apache-2.0
/* noexec.h: krun as a hook of a container. */
#ifndef KRUN_NOEXEC_H
#define KRUN_NOEXEC_H

#define NOEXEC_HOOK "krun-noexec" /* its name; krun/src/krun/rewrite.py calls it */

/* Do the hook's work for a command line and a state on standard input; return the exit status. */
int krun_noexec(int argc, char **argv);

#endif
