// SPDX-License-Identifier: Apache-2.0
/* Computes with floating point of each width, in each rounding mode. */
#include "payload.h"

#include <fenv.h>
#include <math.h>

int main(void)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    volatile double one = 1, three = 3, zero = 0, huge = 1e308;
    volatile long double x = 2;
    volatile float f = 16777216.0F;

    for (size_t i = 0; i < LEN(modes); i++) {
        (void)fesetround(modes[i]);
        printf("%a %a %La\n", one / three, -one / three, x / 3);
    }
    (void)fesetround(FE_TONEAREST);
    printf("%g %g %g %d\n", (double)(f + 1), one / zero, -one / zero, isnan(zero / zero));
    (void)feclearexcept(FE_ALL_EXCEPT);
    huge *= 10;
    printf("%g overflow %d invalid %d\n", huge, fetestexcept(FE_OVERFLOW) != 0,
           fetestexcept(FE_INVALID) != 0);
    printf("%.17g %.17g %.15Lg %lld\n", sqrt(one + one), sin(one), sqrtl(x), llround(2.5));
    return 0;
}
