// SPDX-License-Identifier: Apache-2.0
/* Writes code, runs it, changes it: as just-in-time compilers do. */
#include "fault.h"

#include <sys/mman.h>

/* mov $value, %eax; ret */
static void write_code(char *at, int value)
{
    at[0] = (char)0xb8;
    memcpy(at + 1, &value, sizeof(value));
    at[5] = (char)0xc3;
}

int main(void)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int memory = memfd_create("code", 0);
    char *writer, *runner;

    fault_catch();
    write_code(p, 1);
    fault_try("not yet", 'x', p);
    SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    fault_try("code", 'x', p);
    fault_try("code", 'w', p + 100);
    for (int i = 2; i < 5; i++) {
        SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
        write_code(p, i);
        fault_try("no longer", 'x', p);
        SHOW(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
        fault_try("code", 'x', p);
    }
    SHOW(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    for (int i = 5; i < 8; i++) {
        write_code(p, i);
        fault_try("code", 'x', p);
    }
    fault_try("the page after", 'x', p + PAGE);
    SHOW(ftruncate(memory, PAGE));
    writer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    runner = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, memory, 0);
    for (int i = 8; i < 11; i++) {
        write_code(writer, i);
        fault_try("other view", 'x', runner);
    }
    fault_try("writer", 'x', writer);
    fault_try("runner", 'w', runner);
    return 0;
}
