// SPDX-License-Identifier: Apache-2.0
/* Locks a mutex whose owner ended: a thread's, and another process's. */
#include "payload.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void *take(void *mutex)
{
    return (void *)(long)pthread_mutex_lock(mutex);
}

int main(void)
{
    pthread_mutex_t *mutex =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_t thread;
    pid_t child;
    void *result;

    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    SHOW(pthread_mutex_init(mutex, &attributes));
    SHOW(pthread_create(&thread, NULL, take, mutex));
    SHOW(pthread_join(thread, &result));
    SHOW(result == NULL);
    SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD);
    SHOW(pthread_mutex_consistent(mutex));
    SHOW(pthread_mutex_unlock(mutex));
    child = fork();
    if (child == 0) {
        (void)take(mutex);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    SHOW(pthread_mutex_lock(mutex) == EOWNERDEAD);
    SHOW(pthread_mutex_unlock(mutex));
    SHOW(pthread_mutex_lock(mutex) == ENOTRECOVERABLE);
    return 0;
}
