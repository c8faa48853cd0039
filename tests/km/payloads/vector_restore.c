// SPDX-License-Identifier: Apache-2.0
/* Loads vector state from a bad image, by the instruction that does so. */
#include "payload.h"

int main(int argc, char **argv)
{
    static _Alignas(64) uint8_t image[8192];
    size_t at = is_case(argv, "misaligned") ? 8 : 0;

    (void)argc;
    if (is_case(argv, "mxcsr")) {
        memset(image + 24, 0xff, 4);
        image[512] = 3;
    } else if (is_case(argv, "header")) {
        memset(image + 512, 0xff, 64);
    }
    __asm__ volatile("xrstor64 (%0)" : : "r"(image + at), "a"(~0U), "d"(~0U) : "memory");
    printf("restored\n");
    return 0;
}
