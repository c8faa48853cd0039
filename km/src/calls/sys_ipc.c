// SPDX-License-Identifier: Apache-2.0
/*
 * sys_ipc.c: System V shared memory, which maps memory, and the control calls of System V objects,
 * whose last argument is a number or a structure by the command.
 */
#include "base/base.h"
#include "calls/handlers.h"
#include "memory/memory.h"

#include <asm/unistd.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define IPC_64 0x100
#define IPC_STRUCT 112 /* the largest of shmid_ds, semid_ds, msqid_ds and their *_info */

/* void *shmat(int shmid, const void *shmaddr, int shmflg) */
HANDLER(shmat)
{
    struct shmid_ds state;
    int64_t addr;

    (void)vcpu;
    if (shmctl((int)args[0], IPC_STAT, &state) < 0) {
        return -errno;
    }
    mm_lock();
    addr = mm_attach((int)args[0], args[1], state.shm_segsz, (int)args[2]);
    mm_unlock();
    return addr;
}

/* int shmdt(const void *shmaddr) */
HANDLER(shmdt)
{
    int64_t error;

    (void)vcpu;
    mm_lock();
    error = mm_detach(args[0]);
    mm_unlock();
    return error;
}

/* Argument i points to a structure, or is not looked at. */
static int64_t control(uint64_t number, const uint64_t *args, unsigned i)
{
    uint64_t judged[6];

    memcpy(judged, args, sizeof(judged));
    if (!guest_ok(judged[i], IPC_STRUCT)) {
        judged[i] = NOWHERE;
    }
    return host_syscall(number, judged);
}

/* int shmctl(int shmid, int cmd, struct shmid_ds *buf), int msgctl(int, int, struct msqid_ds *) */
HANDLER(shmctl)
{
    (void)vcpu;
    return control(__NR_shmctl, args, 2);
}

HANDLER(msgctl)
{
    (void)vcpu;
    return control(__NR_msgctl, args, 2);
}

/* int semctl(int semid, int semnum, int cmd, union semun arg) */
HANDLER(semctl)
{
    (void)vcpu;
    switch ((int)args[2] & ~IPC_64) {
    case SETVAL: /* arg is the number itself, or not looked at */
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
    case IPC_RMID:
        return host_syscall(__NR_semctl, args);
    default: /* GETALL and SETALL are bounded by the kernel's 16-bit count of semaphores */
        return control(__NR_semctl, args, 3);
    }
}

/* Of a message the kernel takes no more bytes than its limit, an int, says. */
static int64_t message(uint64_t number, const uint64_t *args)
{
    uint64_t judged[6];

    memcpy(judged, args, sizeof(judged));
    if (!guest_ok(judged[1], 8) ||
        !guest_ok(judged[1] + 8, judged[2] < INT32_MAX ? judged[2] : INT32_MAX)) {
        judged[1] = NOWHERE;
    }
    return host_syscall(number, judged);
}

/* int msgsnd(int msqid, const void *msgp, size_t msgsz, int msgflg): a long, then msgsz bytes */
HANDLER(msgsnd)
{
    (void)vcpu;
    return message(__NR_msgsnd, args);
}

/* ssize_t msgrcv(int msqid, void *msgp, size_t msgsz, long msgtyp, int msgflg) */
HANDLER(msgrcv)
{
    (void)vcpu;
    return message(__NR_msgrcv, args);
}

/*
 * int mq_notify(mqd_t mqdes, const struct sigevent *sevp)
 *
 * With SIGEV_THREAD the kernel takes 32 bytes behind sigev_value, and sigev_signo is the descriptor
 * of a socket: both are the C library's.
 */
HANDLER(mq_notify)
{
    struct {
        uint64_t value;
        int32_t signo, notify;
        uint8_t rest[48];
    } event;
    uint8_t cookie[32];
    uint64_t with_copy[6] = {args[0], (uint64_t)&event};

    (void)vcpu;
    if (!args[1]) {
        return host_syscall(__NR_mq_notify, args);
    }
    if (guest_read(&event, args[1], sizeof(event)) < 0) {
        return -EFAULT;
    }
    if (event.notify == SIGEV_THREAD) {
        if (fd_is_hidden((uint32_t)event.signo)) {
            return -EBADF;
        }
        if (guest_read(cookie, event.value, sizeof(cookie)) < 0) {
            return -EFAULT;
        }
        event.value = (uint64_t)cookie;
    }
    return host_syscall(__NR_mq_notify, with_copy);
}
