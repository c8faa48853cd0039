// SPDX-License-Identifier: Apache-2.0
/* Finds its sections with the rights that their segments have. */
#include "fault.h"

static char zeroed[3 * HUGE];
static char initialised[PAGE] = "initialised";
static const volatile char constant[PAGE] = "constant";

int main(void)
{
    unsigned sum = 0;

    fault_catch();
    for (size_t i = 0; i < sizeof(zeroed); i++) {
        sum |= (unsigned char)zeroed[i];
    }
    SHOW(sum);
    zeroed[HUGE] = 'z';
    fault_try("zeroed", 'r', zeroed + HUGE);
    fault_try("zeroed", 'x', zeroed + HUGE);
    fault_try("initialised", 'w', initialised);
    printf("%s\n", initialised);
    fault_try("constant", 'r', (volatile char *)constant);
    fault_try("constant", 'w', (volatile char *)constant);
    fault_try("constant", 'x', (volatile char *)constant);
    fault_try("code", 'w', (volatile char *)(uintptr_t)main);
    return 0;
}
