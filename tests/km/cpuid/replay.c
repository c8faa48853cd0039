// SPDX-License-Identifier: Apache-2.0
/*
 * replay.c: the monitor's filter of CPUID, for CPUs that are data. It reads CPUs from its standard
 * input and writes what a payload would see of each:
 *
 *   host XCR0   or   kvm XCR0     the CPU itself is asked; or KVM, which answers with a list
 *   LEAF.SUBLEAF EAX EBX ECX EDX  any number of them, all numbers in hexadecimal
 *   end
 *
 * The answer has lines of the same form with the flags of the entry after them, the names of the
 * features, and the size of an XSAVE image.
 */
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

#define GIVEN_MAX 4096

static struct kvm_cpuid_entry2 given[GIVEN_MAX];
static size_t given_count;

/* As an Intel CPU answers for what it does not have within its range: with zeros. */
static void answer(struct kvm_cpuid_entry2 *entry)
{
    for (size_t i = 0; i < given_count; i++) {
        if (given[i].function == entry->function && given[i].index == entry->index) {
            entry->eax = given[i].eax;
            entry->ebx = given[i].ebx;
            entry->ecx = given[i].ecx;
            entry->edx = given[i].edx;
        }
    }
}

/* KVM names the subleaves of what it knows to have some. */
static void list_given(struct cpuid_table *table)
{
    for (size_t i = 0; i < given_count && i < CPUID_MAX; i++) {
        table->entries[i] = given[i];
        table->entries[i].flags = given[i].index ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
        table->head.nent++;
    }
}

static void show(const struct cpuid_table *table)
{
    static char names[8192];
    uint32_t words[CPUID_WORDS];
    uint64_t components;

    for (uint32_t i = 0; i < table->head.nent; i++) {
        const struct kvm_cpuid_entry2 *e = &table->entries[i];

        printf("%x.%x %08x %08x %08x %08x %x\n", e->function, e->index, e->eax, e->ebx, e->ecx,
               e->edx, e->flags);
    }
    cpuid_features(table, words);
    cpuid_feature_names(words, names, sizeof(names));
    xsave_take(table);
    printf("features %s\n", names);
    printf("xsave %u", xsave_size(&components));
    printf(" %lx\nend\n", components);
}

static void replay(bool host, uint64_t xcr0)
{
    static struct cpuid_table table;

    table.head.nent = 0;
    if (host) {
        cpuid_collect(&table, answer);
    } else {
        list_given(&table);
    }
    cpuid_filter(&table, xcr0);
    show(&table);
    given_count = 0;
}

int main(void)
{
    char line[256], how[8] = "";
    uint64_t xcr0 = 0;

    while (fgets(line, sizeof(line), stdin)) {
        struct kvm_cpuid_entry2 e = {0};

        if (!strcmp(line, "end\n")) {
            replay(!strcmp(how, "host"), xcr0);
        } else if (sscanf(line, "%x.%x %x %x %x %x", &e.function, &e.index, &e.eax, &e.ebx, &e.ecx,
                          &e.edx) == 6 &&
                   given_count < GIVEN_MAX) {
            given[given_count++] = e;
        } else if (sscanf(line, "%7s %lx", how, &xcr0) != 2) {
            (void)fprintf(stderr, "replay: not understood: %s", line);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
