// SPDX-License-Identifier: Apache-2.0
/* Takes rights from memory and gives them back; its content stays. */
#include "fault.h"

#include <sys/mman.h>

int main(void)
{
    static const int rights[] = {
        PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE,  PROT_READ,
        PROT_NONE, PROT_READ | PROT_WRITE, PROT_WRITE, PROT_EXEC,
        PROT_READ, PROT_READ | PROT_EXEC,  PROT_NONE,  PROT_READ | PROT_WRITE | PROT_EXEC,
    };
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *never = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    fault_catch();
    p[PAGE] = 'k';
    for (size_t i = 0; i < LEN(rights); i++) {
        printf("rights %d\n", rights[i]);
        SHOW(mprotect(p + PAGE, PAGE, rights[i]));
        if (rights[i] != PROT_EXEC) { /* this one the kernel may guard by a protection key */
            fault_try("page", 'w', p + PAGE + 1);
            fault_try("page", 'r', p + PAGE);
        }
        fault_try("before", 'w', p + PAGE - 1);
        fault_try("after", 'w', p + 2 * PAGE);
    }
    fault_try("never", 'r', never);
    SHOW(mprotect(never, PAGE, PROT_READ));
    fault_try("never", 'r', never);
    fault_try("never", 'w', never);
    SHOW(mprotect(p + 1, PAGE, PROT_READ));
    SHOW(mprotect(p, PAGE, 0x1000));
    SHOW(mprotect(p, 0, PROT_READ));
    SHOW(munmap(p + 2 * PAGE, PAGE));
    SHOW(mprotect(p, 4 * PAGE, PROT_READ));
    fault_try("before a gap", 'w', p);
    fault_try("after a gap", 'w', p + 3 * PAGE);
    return 0;
}
