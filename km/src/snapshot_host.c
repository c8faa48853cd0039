// SPDX-License-Identifier: Apache-2.0
/*
 * snapshot_host.c: what a program found out about its host when it started, and what another host
 * must have for it to go on there: the same monitor and vDSO, which it has pointers into, at least
 * the same features of the CPU, for which its libraries have chosen their code, and a clock that
 * does not run backwards for it.
 */
#include "snapshot.h"

#include <cpuid.h>
#include <string.h>
#include <time.h>

uint64_t snapshot_sum(const void *bytes, size_t size)
{
    uint64_t sum = size, word;

    for (size_t at = 0; at < size; at += sizeof(word)) {
        size_t left = size - at;

        word = 0;
        memcpy(&word, (const char *)bytes + at, left < sizeof(word) ? left : sizeof(word));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15UL;
        sum ^= sum >> 29;
    }
    return sum;
}

static uint64_t clock_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000UL + (uint64_t)now.tv_nsec;
}

/* The words of CPUID that tell of instructions; what is no feature is left out. */
static void read_features(uint32_t features[8])
{
    uint32_t a, b, c = 0, d = 0;

    (void)__get_cpuid(1, &a, &b, &c, &d);
    features[0] = c & ~(1U << 27 | 1U << 31); /* not OSXSAVE, nor that there is a hypervisor */
    features[1] = d;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        features[2] = b;
        features[3] = c & ~(1U << 4 | 0x1fU << 17); /* not OSPKE, nor a number of 5 bits */
        features[4] = d;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        features[5] = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        features[6] = c;
        features[7] = d;
    }
}

static uint64_t vdso_sum(void)
{
    size_t size;
    const void *elf = vdso_content(&size);

    return elf ? snapshot_sum(elf, size) : 0;
}

void snapshot_host(struct snap_host *host)
{
    *host = (struct snap_host){.km = KM_VERSION, .vdso_elf = vdso_image(), .clock = clock_now()};
    (void)xsave_size(&host->xfeatures);
    host->vdso = host->vdso_elf ? vdso_sum() : 0;
    read_features(host->features);
}

#define FIX_HOST "make the snapshot again on this host, or run the program itself"

static _Noreturn void die_elsewhere(const char *path, const char *what, const char *found,
                                    const char *wanted)
{
    die(STATUS_ELSEWHERE, FIX_HOST, "cannot resume %s: %s: found %s, wanted %s", path, what, found,
        wanted);
}

void snapshot_check_host(const struct snap_host *host, const char *path)
{
    struct snap_host here;
    char found[64], wanted[64];

    snapshot_host(&here);
    if (strcmp(host->km, here.km) != 0) {
        die_elsewhere(path, "it was made by another version of km", here.km, host->km);
    }
    if (host->vdso && (host->vdso != here.vdso || host->vdso_elf != here.vdso_elf)) {
        (void)snprintf(found, sizeof(found), "a vDSO of sum %016lx", here.vdso);
        (void)snprintf(wanted, sizeof(wanted), "%016lx", host->vdso);
        die_elsewhere(path, "it was made under another kernel", found, wanted);
    }
    for (size_t i = 0; i < ARRAY_LEN(here.features); i++) {
        if (host->features[i] & ~here.features[i]) {
            (void)snprintf(found, sizeof(found), "features %zu: 0x%08x", i, here.features[i]);
            (void)snprintf(wanted, sizeof(wanted), "0x%08x", host->features[i]);
            die_elsewhere(path, "this CPU lacks features of the one that it was made on", found,
                          wanted);
        }
    }
    if (host->xfeatures != here.xfeatures) {
        (void)snprintf(found, sizeof(found), "0x%lx", here.xfeatures);
        (void)snprintf(wanted, sizeof(wanted), "0x%lx", host->xfeatures);
        die_elsewhere(path, "this CPU's registers are others", found, wanted);
    }
    if (host->clock > here.clock) {
        (void)snprintf(found, sizeof(found), "%lu s after boot", here.clock / 1000000000);
        (void)snprintf(wanted, sizeof(wanted), "%lu s or more", host->clock / 1000000000);
        die_elsewhere(path, "its clock would run backwards", found, wanted);
    }
}
