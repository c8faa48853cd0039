// SPDX-License-Identifier: Apache-2.0
/* System V shared memory: one segment attached twice, side by side, and each part detached alone.
 */
#include "payload.h"

#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define SIZE (4 * PAGE)

static long attached(int id)
{
    struct shmid_ds state;

    return shmctl(id, IPC_STAT, &state) ? -1 : (long)state.shm_nattch;
}

int main(void)
{
    int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600), status;
    char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, 0), *third;

    CHECK(first != (void *)-1 && second != (void *)-1);
    first[1] = 'a';
    SHOW(second[1]);
    SHOW(attached(id));
    SHOW(shmdt(second));
    SHOW(attached(id));
    SHOW(first[1]);
    third = shmat(id, first - SIZE, SHM_RDONLY); /* just below */
    SHOW(third == first - SIZE);
    SHOW(third[1]);
    SHOW(shmat(id, first, 0) == (void *)-1);
    SHOW(shmat(id, first, SHM_REMAP) == first);
    SHOW(shmdt(third));
    SHOW(shmdt(third));
    SHOW(attached(id));
    SHOW(mprotect(first + PAGE, PAGE, PROT_READ)); /* cuts the mapping, not the attachment */
    if (!fork()) {
        first[0] = 'b';
        _exit(shmdt(first));
    }
    SHOW(wait(&status) > 0 && status == 0);
    SHOW(first[0]);
    SHOW(shmdt(first));
    SHOW(attached(id));
    SHOW(shmdt(first));
    SHOW(shmctl(id, IPC_RMID, NULL));
    return 0;
}
