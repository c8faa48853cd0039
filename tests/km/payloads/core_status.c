// SPDX-License-Identifier: Apache-2.0
/* How a child died, with a core or without one, as each way to wait for it tells. */
#include "payload.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void limit(rlim_t soft)
{
    struct rlimit cores = {0};

    CHECK(getrlimit(RLIMIT_CORE, &cores) == 0);
    cores.rlim_cur = soft < cores.rlim_max ? soft : cores.rlim_max;
    CHECK(setrlimit(RLIMIT_CORE, &cores) == 0);
}

static void told(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    printf("SIGCHLD: code %d status %d\n", info->si_code, info->si_status);
}

/* The host's pattern may have the core elsewhere: its name here is the usual one. */
static void dies(const char *name, void (*how)(void))
{
    siginfo_t info = {0};
    int status;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    if (!pid) {
        how();
        abort();
    }
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("%s: status %x code %d\n", name, (unsigned)status, info.si_code);
    (void)unlink("core");
}

static void as_it_is(void)
{
}

static void without(void)
{
    limit(0);
}

static void little(void)
{
    limit(PAGE);
}

static void not_dumpable(void)
{
    CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
}

static void by_fault(void)
{
    *(volatile char *)NULL = 1;
}

static void by_term(void)
{
    (void)raise(SIGTERM);
}

static void by_quit_of_parent(void)
{
    (void)raise(SIGQUIT);
}

static void in_program(void)
{
    (void)execl("/bin/sh", "sh", "-c", "kill -SEGV $$", NULL);
}

static void of_vfork(void)
{
    int status;
    pid_t pid = vfork();

    if (!pid) {
        (void)kill(getpid(), SIGABRT);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("child of vfork: status %x\n", (unsigned)status);
    (void)unlink("core");
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = told, .sa_flags = SA_SIGINFO | SA_RESTART};
    int status;

    dies("no limit set", without);
    limit(RLIM_INFINITY);
    dies("abort", as_it_is);
    dies("limit of 0", without);
    dies("a page", little);
    dies("not dumpable", not_dumpable);
    dies("fault", by_fault);
    dies("term", by_term);
    dies("quit", by_quit_of_parent);
    dies("program", in_program);
    of_vfork();
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    dies("abort, told", as_it_is);
    SHOW(waitpid(-1, &status, WNOHANG));
    SHOW(waitpid(-1, &status, 0x40000000));
    SHOW(waitid(P_ALL, 0, NULL, 0));
    return 0;
}
