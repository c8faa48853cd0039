// SPDX-License-Identifier: Apache-2.0
/* A process parts from its namespaces, first of all from that of its user, which one of several
 * threads may not. */
#include "payload.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

static void *part(void *unused)
{
    SHOW(unshare(CLONE_NEWUSER));
    return unused;
}

/* Run this in a child, since it stays parted. */
static void apart(void (*run)(void))
{
    int status;
    pid_t pid;

    (void)fflush(stdout);
    pid = fork();
    if (!pid) {
        run();
        (void)fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("status %x\n", (unsigned)status);
}

static void of_user(void)
{
    SHOW(unshare(CLONE_NEWUSER));
    printf("user %d group %d\n", getuid(), getgid());
    SHOW(unshare(CLONE_NEWUSER));
    SHOW(sethostname("other", 5));
}

static void of_all(void)
{
    SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET));
    SHOW(sethostname("other", 5));
    apart(of_user);
}

static void of_several(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, part, NULL) == 0 && pthread_join(thread, NULL) == 0);
    for (int i = 0; i < 1000 && unshare(CLONE_NEWUSER) < 0; i++) {
        (void)usleep(1000); /* it is alone again when the kernel has forgotten the thread */
    }
    printf("user %d\n", getuid());
}

static void many(void)
{
    for (int i = 0; i < 20000; i++) {
        (void)getppid(); /* by a helper */
    }
    SHOW(unshare(CLONE_NEWUSER));
}

static void in_vfork(void)
{
    pid_t pid = vfork();
    int status;

    if (!pid) {
        _exit(unshare(CLONE_NEWUSER) < 0 ? errno : 77);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("child of vfork: %d\n", WEXITSTATUS(status));
    SHOW(unshare(CLONE_NEWUSER));
}

static void wrong(void)
{
    SHOW(unshare(0));
    SHOW(unshare(1));
    SHOW(unshare(CLONE_NEWUSER | 1));
    SHOW(unshare(CLONE_VM));
    SHOW(unshare(CLONE_THREAD));
    SHOW(waitpid(-1, NULL, __WALL | WNOHANG)); /* no child but its own */
}

int main(void)
{
    wrong();
    apart(of_user);
    apart(of_all);
    apart(of_several);
    apart(many);
    apart(in_vfork);
    of_user();
    (void)fflush(stdout);
    execl("/usr/bin/id", "id", "-u", NULL);
    return 1;
}
