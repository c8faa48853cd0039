// SPDX-License-Identifier: Apache-2.0
/* Uses each vector extension that the CPU has. */
#include "payload.h"

#include <immintrin.h>

__attribute__((target("avx2"))) static int avx2(void)
{
    int sums[8];
    __m256i v = _mm256_set_epi32(1, 2, 3, 4, 5, 6, 7, 8);

    _mm256_storeu_si256((__m256i *)sums, _mm256_hadd_epi32(v, v));
    return sums[0] * 100 + sums[7];
}

__attribute__((target("avx512f"))) static int avx512(void)
{
    return _mm512_reduce_add_epi32(_mm512_mullo_epi32(_mm512_set1_epi32(7), _mm512_set1_epi32(6)));
}

__attribute__((target("fma"))) static double fma3(void)
{
    volatile double x = 3;

    return _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(x), _mm_set_sd(4), _mm_set_sd(5)));
}

__attribute__((target("aes"))) static int aes(void)
{
    return _mm_cvtsi128_si32(_mm_aesenc_si128(_mm_set1_epi32(0x01020304), _mm_setzero_si128()));
}

int main(void)
{
    __builtin_cpu_init();
    printf("sse2 %d\n", _mm_cvtsi128_si32(_mm_add_epi32(_mm_set1_epi32(40), _mm_set1_epi32(2))));
    if (__builtin_cpu_supports("avx2")) {
        printf("avx2 %d\n", avx2());
    }
    if (__builtin_cpu_supports("avx512f")) {
        printf("avx512 %d\n", avx512());
    }
    if (__builtin_cpu_supports("fma")) {
        printf("fma %g\n", fma3());
    }
    if (__builtin_cpu_supports("aes")) {
        printf("aes %x\n", (unsigned)aes());
    }
    return 0;
}
