// SPDX-License-Identifier: Apache-2.0
/*
 * host.c: the facts that a program found about its host when it started, which another host must
 * share to resume it: the same monitor and vDSO, which it has pointers into, at least the same
 * features of the CPU, for which its libraries have chosen their code, and a clock that does not
 * run backwards for it.
 */
#include "base/base.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "snapshot/snapshot.h"

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

static uint64_t vdso_sum(void)
{
    size_t size;
    const void *elf = vdso_content(&size);

    return elf ? snapshot_sum(elf, size) : 0;
}

void snapshot_host(struct snap_host *host)
{
    static struct cpuid_table cpuid;

    *host = (struct snap_host){.km = KM_VERSION, .vdso_elf = vdso_image(), .clock = clock_now()};
    host->xsave_size = xsave_size(&host->xfeatures);
    host->vdso = host->vdso_elf ? vdso_sum() : 0;
    cpuid_read_host(&cpuid);
    cpuid_features(&cpuid, host->features);
}

#define FIX_HOST "make the snapshot again on this host, or run the program itself"

static _Noreturn void die_elsewhere(const char *path, const char *what, const char *found,
                                    const char *wanted)
{
    die(STATUS_ELSEWHERE, FIX_HOST, "cannot resume %s: %s: found %s, wanted %s", path, what, found,
        wanted);
}

static void check_cpu(const struct snap_host *host, const struct snap_host *here, const char *path)
{
    uint32_t missing[CPUID_WORDS], all = 0;
    char found[1024], wanted[64];

    for (size_t i = 0; i < CPUID_WORDS; i++) {
        missing[i] = host->features[i] & ~here->features[i];
        all |= missing[i];
    }
    if (all) {
        cpuid_feature_names(missing, found, sizeof(found));
        die(STATUS_ELSEWHERE, FIX_HOST,
            "cannot resume %s: this CPU lacks features of the one that it was made on: %s", path,
            *found ? found : "unknown ones");
    }
    if (host->xfeatures != here->xfeatures || host->xsave_size != here->xsave_size) {
        (void)snprintf(found, sizeof(found), "0x%lx in %u bytes", here->xfeatures,
                       here->xsave_size);
        (void)snprintf(wanted, sizeof(wanted), "0x%lx in %u", host->xfeatures, host->xsave_size);
        die_elsewhere(path, "this CPU has other registers", found, wanted);
    }
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
    check_cpu(host, &here, path);
    if (host->clock > here.clock) {
        (void)snprintf(found, sizeof(found), "%lu s after boot", here.clock / 1000000000);
        (void)snprintf(wanted, sizeof(wanted), "%lu s or more", host->clock / 1000000000);
        die_elsewhere(path, "its clock would run backwards", found, wanted);
    }
}
