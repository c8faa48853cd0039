// SPDX-License-Identifier: Apache-2.0
/* Handles signals on an alternate stack. */
#include "payload.h"

#include <signal.h>
#include <ucontext.h>

static char room[64 << 10];

static bool on_room(const void *p)
{
    return (const char *)p >= room && (const char *)p < room + sizeof(room);
}

static void handler(int signo, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    stack_t now, none = {.ss_flags = SS_DISABLE};

    printf("signal %d on the room %d, info %d, context %d\n", signo, on_room(&now), on_room(info),
           on_room(uc));
    printf("aligned %d\n", (uintptr_t)__builtin_frame_address(0) % 16 == 0);
    /* SS_DISABLE is there when a thread is among the process's ancestors. */
    printf("saved %d %d\n", uc->uc_stack.ss_sp == room, uc->uc_stack.ss_flags & ~SS_DISABLE);
    SHOW(sigaltstack(NULL, &now));
    SHOW(now.ss_flags);
    SHOW(sigaltstack(&none, NULL));
    if (signo == SIGUSR1) {
        (void)raise(SIGUSR2);
    }
}

int main(void)
{
    stack_t stack = {.ss_sp = room, .ss_size = sizeof(room)}, old, small = {.ss_size = 100};
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    SHOW(sigaltstack(NULL, &old));
    SHOW(old.ss_flags);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGUSR2, &action, NULL);
    SHOW(raise(SIGUSR2));
    SHOW(sigaltstack(&stack, &old));
    SHOW(raise(SIGUSR1));
    SHOW(sigaltstack(NULL, &old));
    SHOW(old.ss_flags == 0 && old.ss_sp == room && old.ss_size == sizeof(room));
    action.sa_flags = SA_SIGINFO;
    (void)sigaction(SIGUSR2, &action, NULL);
    SHOW(raise(SIGUSR2));
    SHOW(sigaltstack(&small, NULL));
    stack.ss_flags = 0x55;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_flags = SS_DISABLE;
    SHOW(sigaltstack(&stack, NULL));
    SHOW(sigaltstack(NULL, &old));
    SHOW(old.ss_flags);
    return 0;
}
