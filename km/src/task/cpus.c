// SPDX-License-Identifier: Apache-2.0
/*
 * cpus.c: how many CPUs the process can use at the same time; sched_getaffinity(2), and the quotas
 * of cgroups(7): cpu.max of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of version 1.
 */
#include "task/task.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define CGROUPS "/sys/fs/cgroup"

/* The first two words of a file as numbers, 0 for what is none, such as `max`. False: no file. */
static bool read_numbers(const char *path, uint64_t numbers[2])
{
    FILE *file = fopen(path, "re");
    char line[64] = "", *end;

    if (!file) {
        return false;
    }
    (void)!fgets(line, sizeof(line), file);
    (void)fclose(file);
    numbers[0] = strtoul(line, &end, 10);
    numbers[1] = strtoul(end + strcspn(end, " "), NULL, 10);
    return true;
}

/* Whole CPUs of the quota of a cgroup, at least one; UINT_MAX when it has none. */
static unsigned quota_of(const char *folder)
{
    char path[PATH_MAX + 32];
    uint64_t quota[2] = {0, 0}, period[2];

    (void)snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (!read_numbers(path, quota)) {
        (void)snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
        if (read_numbers(path, quota)) {
            (void)snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
            quota[1] = read_numbers(path, period) ? period[0] : 0;
        }
    }
    if (!quota[0] || !quota[1] || quota[0] >= quota[1] * CPU_SETSIZE) {
        return UINT_MAX;
    }
    return quota[0] < quota[1] ? 1 : (unsigned)(quota[0] / quota[1]);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The least quota from the cgroup `name` of a hierarchy up to its root, where a container's is. */
static unsigned quota_up(const char *hierarchy, const char *name)
{
    char folder[PATH_MAX];
    unsigned cpus = UINT_MAX;
    size_t root = strlen(CGROUPS) + strlen(hierarchy);

    (void)snprintf(folder, sizeof(folder), CGROUPS "%s%s", hierarchy, name);
    while (strlen(folder) >= root) {
        char *slash = strrchr(folder, '/');

        cpus = least(cpus, quota_of(folder));
        *slash = 0;
    }
    return cpus;
}

/* A line of /proc/self/cgroup: NUMBER:CONTROLLERS:NAME, without controllers for version 2. */
static unsigned quota_by_line(char *line)
{
    char *controllers = strchr(line, ':'), *end = strchr(line, '\n');
    char *name = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!name || !end) {
        return UINT_MAX;
    }
    *end = 0;
    *controllers++ = 0;
    *name++ = 0;
    if (!*controllers) {
        return quota_up("", name);
    }
    return strstr(controllers, "cpu") && !strstr(controllers, "cpuset") ? quota_up("/cpu", name)
                                                                        : UINT_MAX;
}

unsigned cpus_usable(void)
{
    unsigned cpus = UINT_MAX;
    char line[PATH_MAX + 64];
    FILE *file = fopen("/proc/self/cgroup", "re");
    cpu_set_t set;

    while (file && fgets(line, sizeof(line), file)) {
        cpus = least(cpus, quota_by_line(line));
    }
    if (file) {
        (void)fclose(file);
    }
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? least(cpus, (unsigned)CPU_COUNT(&set))
                                                        : 1;
}
