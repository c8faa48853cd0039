// SPDX-License-Identifier: Apache-2.0
/* Prints its arguments and its environment. */
#include "payload.h"

int main(int argc, char **argv, char **envp)
{
    printf("%d arguments\n", argc);
    for (int i = 0; i < argc; i++) {
        printf("%zu [%s]\n", strlen(argv[i]), strrchr(argv[i], '/') ? "path" : argv[i]);
    }
    printf("end %d, environment follows %d\n", argv[argc] == NULL, argv + argc + 1 == envp);
    for (; *envp; envp++) {
        printf("[%s]\n", *envp);
    }
    printf("HOME is %s\n", getenv("HOME"));
    return 0;
}
