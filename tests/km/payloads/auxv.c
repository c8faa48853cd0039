// SPDX-License-Identifier: Apache-2.0
/* Prints what the auxiliary vector says of the process and of the machine. */
#include "payload.h"

#include <elf.h>
#include <sys/auxv.h>

int main(void)
{
    static const unsigned long same[] = {AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_FLAGS,  AT_UID,
                                         AT_EUID,  AT_GID,   AT_EGID,   AT_SECURE, AT_CLKTCK};
    const Elf64_Phdr *phdr = (const Elf64_Phdr *)getauxval(AT_PHDR);
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    const char *name = (const char *)getauxval(AT_EXECFN);
    unsigned sum = 0;

    for (size_t i = 0; i < LEN(same); i++) {
        printf("%lu: %lu\n", same[i], getauxval(same[i]));
    }
    for (unsigned i = 0; i < 16; i++) {
        sum |= random[i];
    }
    printf("random %d\n", sum != 0);
    printf("platform %s\n", (const char *)getauxval(AT_PLATFORM));
    printf("name ends in %s\n", strrchr(name, '/'));
    printf("first header %u\n", phdr->p_type);
    printf("entry %d\n", getauxval(AT_ENTRY) != 0);
    printf("loader %d\n", getauxval(AT_BASE) != 0);
    return 0;
}
