// SPDX-License-Identifier: Apache-2.0
/* Runs code on its stack, where its ELF header asks for that or not. */
#include "fault.h"

int main(void)
{
    char code[] = {(char)0xb8, 42, 0, 0, 0, (char)0xc3};

    fault_catch();
    fault_try("stack", 'x', code);
    return 0;
}
