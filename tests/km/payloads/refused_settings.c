// SPDX-License-Identifier: Apache-2.0
/* Asks for settings of the process that would be the monitor's: refused, or without effect. */
#include "payload.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define FAILS(call)                                                                                \
    errno = 0;                                                                                     \
    CHECK((call) == -1 && errno)

int main(void)
{
    static char selector = 1;
    uint32_t eax = 0, ebx, ecx, edx;
    int kvm = open("/dev/kvm", O_RDWR);

    FAILS(prctl(PR_SET_SECCOMP, 2, 0x7e0000000000, 0, 0));
    FAILS(prctl(59, 1, 0, 1UL << 47, &selector)); /* PR_SET_SYSCALL_USER_DISPATCH */
    FAILS(prctl(PR_SET_MM, PR_SET_MM_START_BRK, 0x7e0000000000, 0, 0));
    CHECK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) == 0); /* for the payload, not the monitor */
    CHECK(usleep(1000) == 0 && prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0) == 0);
    FAILS(prctl(PR_SET_UNALIGN, 1, 0, 0, 0));
    FAILS(prctl(PR_MCE_KILL, 1, 0, 0, 0));
    FAILS(prctl(PR_SET_PTRACER, -1, 0, 0, 0));
    FAILS(prctl(PR_SET_NAME, 0x7e0000000000));
    FAILS(syscall(SYS_arch_prctl, 0x1012, 0));   /* ARCH_SET_CPUID: CPUID faults */
    CHECK(syscall(SYS_arch_prctl, 0x1011) == 1); /* ARCH_GET_CPUID */
    FAILS(syscall(SYS_arch_prctl, 0x1023, 18));  /* ARCH_REQ_XCOMP_PERM */
    FAILS(syscall(SYS_arch_prctl, 0x5001, 1));   /* ARCH_SHSTK_ENABLE */
    (void)prctl(PR_SET_DUMPABLE, 1);
    __asm__ volatile("cpuid; rdtsc" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    if (kvm >= 0) {
        FAILS(ioctl(kvm, KVM_GET_API_VERSION, 0));
        FAILS(ioctl(kvm, KVM_CREATE_VM, 0));
        FAILS(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, 0x7e0000000000));
    }
    FAILS(ioctl(0, 0xdeadbeef, 0x7e0000000000));
    CHECK(getpid() > 0);
    return 0;
}
