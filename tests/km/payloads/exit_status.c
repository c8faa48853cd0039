// SPDX-License-Identifier: Apache-2.0
/* Ends with the status that its argument says. */
#include "payload.h"

int main(int argc, char **argv)
{
    (void)argc;
    return atoi(argv[1]);
}
