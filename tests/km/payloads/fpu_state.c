// SPDX-License-Identifier: Apache-2.0
/* Keeps the state of x87, SSE and AVX over system calls and over signals, which begin afresh. */
#include "payload.h"

#include <immintrin.h>
#include <signal.h>

static unsigned short x87_control(void)
{
    unsigned short control;

    __asm__ volatile("fnstcw %0" : "=m"(control));
    return control;
}

static void handler(int signo)
{
    (void)signo;
    printf("in the handler: mxcsr %x control %x\n", _mm_getcsr(), x87_control());
    _mm_setcsr(0x1f80);
    __asm__ volatile("fninit");
}

__attribute__((target("avx512f"))) static void upper_512(void)
{
    int lanes[16];

    __asm__ volatile("vpternlogd $0xff, %%zmm31, %%zmm31, %%zmm31; kxnorw %%k5, %%k5, %%k5" ::
                         : "xmm0");
    (void)raise(SIGUSR1);
    __asm__ volatile("vmovdqu32 %%zmm31, %0; kmovw %%k5, %1" : "=m"(lanes), "=r"(lanes[3]));
    printf("zmm31 %d %d mask %x\n", lanes[0], lanes[15], lanes[3]);
}

__attribute__((target("avx"))) static void upper_256(void)
{
    uint64_t lanes[4];

    __asm__ volatile("vcmpps $15, %%ymm9, %%ymm9, %%ymm9" ::: "xmm9");
    (void)raise(SIGUSR1);
    (void)getppid();
    __asm__ volatile("vmovups %%ymm9, %0" : "=m"(lanes));
    printf("ymm9 %lx %lx\n", lanes[0], lanes[3]);
}

int main(void)
{
    unsigned short control = 0x0f7f;
    double x = 0;

    (void)signal(SIGUSR1, handler);
    _mm_setcsr(0x5fa0);
    __asm__ volatile("fldcw %0; fldpi" : : "m"(control));
    (void)getppid();
    printf("after a call: mxcsr %x control %x\n", _mm_getcsr(), x87_control());
    (void)raise(SIGUSR1);
    __asm__ volatile("fstpl %0" : "=m"(x));
    printf("after a signal: mxcsr %x control %x pi %a\n", _mm_getcsr(), x87_control(), x);
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx")) {
        upper_256();
    }
    if (__builtin_cpu_supports("avx512f")) {
        upper_512();
    }
    return 0;
}
