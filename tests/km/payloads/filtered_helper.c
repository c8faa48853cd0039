// SPDX-License-Identifier: Apache-2.0
/*
 * Another thread puts a filter on the first one, which has had the monitor's helper until then; the
 * first one posts calls to it past its stub: km's stub.h. Where the page is not its to write, as on
 * hardware, it makes the calls by SYSCALL alone.
 */
#include "deny.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DATA 0x7f8000001000UL
#define REQUEST (DATA + 896)
#define PROCESSES 12
#define ROUNDS 20
#define CALLS 100
#define TRIES 20
#define TURNS 2000
#define PAUSE_US 100

enum { POSTED = 1, DONE };
enum { WANTED = 1, FILTERED };

struct request {
    volatile uint64_t args[6];
    volatile uint32_t number, state;
    volatile int64_t result;
};

static sigjmp_buf back;
static struct request *request;
static volatile int stage;

static void on_fault(int signo)
{
    siglongjmp(back, signo);
}

static void find_request(void)
{
    struct request *found = (struct request *)REQUEST;

    if (!sigsetjmp(back, 1)) {
        found->result = found->result;
        request = found;
    }
}

static void call(void)
{
    for (int i = 0; i < CALLS; i++) {
        (void)syscall(SYS_getppid);
    }
}

/* Whether the helper has made the call. */
static inline bool is_made(uint32_t number, uint64_t first)
{
    request->args[0] = first;
    request->number = number;
    __atomic_store_n(&request->state, POSTED, __ATOMIC_RELEASE);
    for (int i = 0; i < TURNS && request->state == POSTED; i++) {
        __builtin_ia32_pause();
    }
    if (request->state == POSTED) { /* the next one shall not get the answer to this one */
        request->state = 0;
        (void)sched_yield();
        return false;
    }
    return request->state == DONE;
}

/*
 * Post calls until there is the filter, and some then: how many of these were made. The page that
 * it runs in has no site of a call, so that nobody else stops it meanwhile.
 */
__attribute__((noinline, aligned(PAGE))) static unsigned post(void)
{
    unsigned made = 0;

    while (stage != FILTERED) {
        (void)(request && is_made(SYS_getppid, 0));
    }
    for (int i = 0; request && i < ROUNDS; i++) {
        made += is_made(SYS_umask, 0);
    }
    return made;
}

__attribute__((aligned(PAGE))) static void *filter_all(void *unused)
{
    while (stage != WANTED) {
        (void)usleep(PAUSE_US);
    }
    deny(SYS_umask, SECCOMP_FILTER_FLAG_TSYNC);
    stage = FILTERED;
    return unused;
}

/* In a process of its own: whether a call was made that the filter forbids. */
static int try(void)
{
    pthread_t other;
    unsigned made;

    CHECK(!pthread_create(&other, NULL, filter_all, NULL));
    for (int i = 0; i < TRIES && request && !is_made(SYS_getppid, 0); i++) {
        call(); /* until the helper is awake */
    }
    stage = WANTED;
    made = post();
    if (request) {
        request->state = 0;
    }
    CHECK(syscall(SYS_umask, 0) == -1 && errno == EPERM);
    CHECK(!pthread_join(other, NULL));
    return made > 0;
}

int main(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS};
    int status;

    for (size_t i = 0; i < LEN(faults); i++) {
        CHECK(signal(faults[i], on_fault) != SIG_ERR);
    }
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();

        CHECK(child >= 0);
        if (!child) {
            call(); /* then its calls jump, past the page that is written to */
            find_request();
            _exit(try());
        }
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
    }
    return 0;
}
