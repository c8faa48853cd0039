// SPDX-License-Identifier: Apache-2.0
/*
 * Reads, writes or runs memory that does not allow it. Its arguments are the case and, to have the
 * signal handled, a second word: the handler's facts must be exact.
 */
#include "fault_report.h"

#include <fcntl.h>
#include <sys/mman.h>

static char *anonymous(int rights)
{
    return mmap(NULL, PAGE, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void touch(const char *how)
{
    volatile char *p = report_target;

    if (!strcmp(how, "read")) {
        (void)*p;
    } else if (!strcmp(how, "write")) {
        *p = 1;
    } else {
        ((void (*)(void))(uintptr_t)p)();
    }
}

int main(int argc, char **argv)
{
    const char *where = argv[1];
    int file = open("file", O_RDWR | O_CREAT, 0600);

    if (!strcmp(where, "sealed")) {
        report_target = anonymous(PROT_NONE);
    } else if (!strcmp(where, "constant")) { /* present, so that the fault is of the right alone */
        report_target = anonymous(PROT_READ | PROT_WRITE);
        *report_target = 1;
        CHECK(mprotect(report_target, PAGE, PROT_READ) == 0);
    } else if (!strcmp(where, "data")) {
        report_target = anonymous(PROT_READ | PROT_WRITE);
        *report_target = 1;
    } else if (!strcmp(where, "behind-file")) {
        report_target = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        report_target += 24;
    } else {
        report_target = (char *)strtoul(where, NULL, 0);
    }
    report(touch, argv[2], argc > 3);
    return 3;
}
