// SPDX-License-Identifier: Apache-2.0
/* hello.c: the smallest program that does something; its start is what is measured. */
#include <stdio.h>

int main(void)
{
    return puts("hello") < 0;
}
