// SPDX-License-Identifier: Apache-2.0
/* Stops and continues children from their first moment on; each ends with its own status. */
#include "payload.h"

#include <signal.h>
#include <sys/wait.h>

#define CHILDREN 100

int main(void)
{
    int good = 0;

    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            _exit(7);
        }
        while (waitpid(child, &status, WNOHANG) == 0) {
            (void)kill(child, SIGSTOP);
            (void)kill(child, SIGCONT);
        }
        good += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    printf("%d of %d\n", good, CHILDREN);
    return 0;
}
