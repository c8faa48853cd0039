// SPDX-License-Identifier: Apache-2.0
/* Is interrupted in waits for semaphores, futexes and queues, by a handler with SA_RESTART and one
 * without; and asks for pending signals while a handler blocks its own. */
#include "payload.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

static sem_t semaphore;
static uint32_t word;
static mqd_t queue;
static int ends[2];
static pthread_t first;

static void on_signal(int signo)
{
    (void)signo;
}

/* Interrupts the other thread in its call, then brings what it waits for. */
static void *disturb(void *end)
{
    for (int i = 0; i < 3; i++) {
        (void)usleep(100000);
        CHECK(pthread_kill(first, SIGUSR1) == 0);
    }
    (void)usleep(100000);
    if (!strcmp(end, "semaphore")) {
        (void)sem_post(&semaphore);
    } else if (!strcmp(end, "futex")) {
        __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
        (void)syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    } else if (!strcmp(end, "queue")) {
        (void)mq_send(queue, "x", 1, 0);
    } else {
        (void)write(ends[1], "x", 1);
    }
    return NULL;
}

#define WAIT(what, call)                                                                           \
    CHECK(pthread_create(&other, NULL, disturb, what) == 0);                                       \
    SHOW(call);                                                                                    \
    CHECK(pthread_join(other, NULL) == 0)

static void all(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    struct timespec soon, patience = {5, 0};
    pthread_t other;
    char byte[16];
    struct iovec vector = {byte, 1};

    printf("flags %x\n", (unsigned)flags);
    (void)sigaction(SIGUSR1, &action, NULL);
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pipe(ends) == 0);
    WAIT("semaphore", sem_wait(&semaphore));
    word = 0;
    WAIT("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
    word = 0;
    WAIT("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &patience, NULL, 0));
    (void)clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 5;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    WAIT("semaphore", sem_timedwait(&semaphore, &soon));
    WAIT("queue", mq_receive(queue, byte, sizeof(byte), NULL));
    while (flags == 0 &&
           mq_timedreceive(queue, byte, sizeof(byte), NULL, &(struct timespec){1, 0}) > 0) {
    }
    WAIT("pipe", syscall(SYS_preadv2, ends[0], &vector, 1, -1L, -1L, 0));
}

/* A mutex that hands its owner's priority on is waited for whatever comes. */
static void *lock(void *mutex)
{
    SHOW(pthread_mutex_lock(mutex));
    return NULL;
}

static void wait_for_lock(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;
    pthread_t other;

    (void)sigaction(SIGUSR1, &action, NULL);
    CHECK(pthread_mutexattr_init(&attr) == 0 &&
          pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0 &&
          pthread_mutex_init(&mutex, &attr) == 0 && pthread_mutex_lock(&mutex) == 0 &&
          pthread_create(&other, NULL, lock, &mutex) == 0);
    for (int i = 0; i < 3; i++) {
        (void)usleep(50000);
        CHECK(pthread_kill(other, SIGUSR1) == 0);
    }
    (void)usleep(50000);
    CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_join(other, NULL) == 0);
}

/* A signal that comes again while its handler runs is pending, whichever it is. */
static void ask_pending(int signo)
{
    sigset_t set;
    int status;

    (void)raise(signo);
    SHOW(sigpending(&set));
    status = sigismember(&set, signo);
    printf("signal %d is pending: %d\n", signo, status);
    (void)signal(signo, SIG_IGN);
}

int main(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
    static const int signals[] = {SIGUSR2, SIGBUS, SIGSEGV, SIGFPE, SIGILL};

    (void)mq_unlink("/kontain-restarts");
    queue = mq_open("/kontain-restarts", O_RDWR | O_CREAT, 0600, &attr);
    CHECK(queue >= 0 && mq_unlink("/kontain-restarts") == 0);
    first = pthread_self();
    all(0);
    all(SA_RESTART);
    wait_for_lock(0);
    wait_for_lock(SA_RESTART);
    for (unsigned i = 0; i < LEN(signals); i++) {
        CHECK(signal(signals[i], ask_pending) != SIG_ERR && raise(signals[i]) == 0);
    }
    return 0;
}
