// SPDX-License-Identifier: Apache-2.0
/*
 * sys_aio.c: asynchronous reads and writes, io_setup(2) and similar calls; not POSIX's, which are
 * the C library's own.
 *
 * The kernel keeps a context's ring of events in the memory of the process, and its address is the
 * context's name. That ring is the monitor's: the payload gets a page of its own as the name, where
 * a library that looks for a ring finds none and asks the kernel.
 * A request is copied before it is checked; an event names the copy, which leads to the payload's.
 */
#include "base/base.h"
#include "calls/calls.h"
#include "calls/handlers.h"
#include "machine/machine.h"
#include "memory/memory.h"
#include "task/task.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct request {
    struct iocb iocb; /* what the kernel has seen; its address is the event's */
    uint64_t addr;    /* the payload's struct iocb; 0: free */
    uint64_t context; /* its name */
    struct request *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct context {
    uint64_t name; /* 0: free */
    aio_context_t host;
} contexts[256];
static struct request *requests; /* all there ever were */

void aio_after_fork(void)
{
    (void)pthread_mutex_init(&lock, NULL);
    memset(contexts, 0, sizeof(contexts)); /* they stay with the parent */
    for (struct request *r = requests; r; r = r->next) {
        r->addr = 0;
    }
}

bool aio_is_used(void)
{
    bool used = false;

    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
        used |= contexts[i].name != 0;
    }
    return used;
}

/* ---- contexts and requests; under the lock ---- */

static struct context *find(uint64_t name)
{
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++) {
        if (contexts[i].name == name) {
            return &contexts[i];
        }
    }
    return NULL;
}

static bool add_page(void)
{
    struct request *page =
        mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return false;
    }
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*page); i++) {
        page[i].next = requests;
        requests = &page[i];
    }
    return true;
}

/* The request of a context that the payload knows by `addr`; one that is free for 0. NULL: none. */
static struct request *find_request(uint64_t context, uint64_t addr)
{
    for (struct request *r = requests; r; r = r->next) {
        if (r->addr == addr && (!addr || r->context == context)) {
            return r;
        }
    }
    return NULL;
}

static struct request *take_request(uint64_t context, uint64_t addr)
{
    struct request *request = find_request(0, 0);

    if (!request && add_page()) {
        request = requests;
    }
    if (request) {
        request->addr = addr;
        request->context = context;
    }
    return request;
}

/* The host's name of a context, or 0. */
static aio_context_t host_of(uint64_t name)
{
    const struct context *context;
    aio_context_t host;

    (void)pthread_mutex_lock(&lock);
    context = name ? find(name) : NULL;
    host = context ? context->host : 0;
    (void)pthread_mutex_unlock(&lock);
    return host;
}

/* ---- io_setup, io_destroy ---- */

static int64_t new_name(void)
{
    int64_t name;

    mm_lock();
    name = mm_map(0, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mm_unlock();
    return name;
}

static void forget_name(uint64_t name)
{
    mm_lock();
    (void)mm_unmap(name, PAGE_SIZE);
    mm_unlock();
}

static int64_t set_up(uint64_t events, uint64_t *name)
{
    struct context *context;
    aio_context_t host = 0;
    int64_t error = host_syscall(__NR_io_setup, (uint64_t[6]){events, (uint64_t)&host}), page;

    if (error < 0) {
        return error;
    }
    page = host >= GUEST_TOP ? new_name() : -ENOMEM; /* the payload must not write the ring */
    (void)pthread_mutex_lock(&lock);
    context = page < 0 ? NULL : find(0);
    if (context) {
        *context = (struct context){(uint64_t)page, host};
    }
    (void)pthread_mutex_unlock(&lock);
    if (context) {
        *name = (uint64_t)page;
        return 0;
    }
    (void)syscall(__NR_io_destroy, host);
    if (page >= 0) {
        forget_name((uint64_t)page);
    }
    return page < 0 ? page : -EAGAIN;
}

/* long io_destroy(aio_context_t context): waits for what is under way */
HANDLER(io_destroy)
{
    struct context *context;
    aio_context_t host = 0;

    (void)vcpu;
    (void)pthread_mutex_lock(&lock);
    context = args[0] ? find(args[0]) : NULL;
    if (context) {
        host = context->host;
        *context = (struct context){0};
    }
    (void)pthread_mutex_unlock(&lock);
    if (!host) {
        return -EINVAL;
    }
    (void)syscall(__NR_io_destroy, host);
    (void)pthread_mutex_lock(&lock);
    for (struct request *r = requests; r; r = r->next) {
        r->addr = r->context == args[0] ? 0 : r->addr;
    }
    (void)pthread_mutex_unlock(&lock);
    forget_name(args[0]);
    return 0;
}

/* long io_setup(unsigned events, aio_context_t *context) */
HANDLER(io_setup)
{
    uint64_t name;
    int64_t error;

    if (guest_read(&name, args[1], sizeof(name)) < 0) {
        return -EFAULT;
    }
    if (name) {
        return -EINVAL;
    }
    error = set_up(args[0], &name);
    if (!error && guest_write(args[1], &name, sizeof(name)) < 0) {
        (void)sys_io_destroy(vcpu, (uint64_t[6]){name});
        error = -EFAULT;
    }
    return error;
}

/* ---- io_submit, io_cancel ---- */

/* Check a copied request; what it points to is copied too where the kernel follows pointers. */
static int64_t check(struct vcpu *vcpu, struct iocb *iocb)
{
    int64_t error = 0;

    if (fd_is_hidden(iocb->aio_fildes) ||
        (iocb->aio_flags & IOCB_FLAG_RESFD && fd_is_hidden(iocb->aio_resfd))) {
        return -EBADF;
    }
    if (offset_is_monitors((uint64_t)iocb->aio_offset)) {
        return -EINVAL;
    }
    switch (iocb->aio_lio_opcode) {
    case IOCB_CMD_PREAD:
    case IOCB_CMD_PWRITE:
        if (!guest_ok(iocb->aio_buf, iocb->aio_nbytes)) { /* the event tells, not this call */
            iocb->aio_buf = GUEST_TOP;
            iocb->aio_nbytes = iocb->aio_nbytes < PAGE_SIZE ? iocb->aio_nbytes : PAGE_SIZE;
        }
        return 0;
    case IOCB_CMD_PREADV:
    case IOCB_CMD_PWRITEV:
        iocb->aio_buf = (uint64_t)iovec_copy(vcpu, iocb->aio_buf, iocb->aio_nbytes, &error);
        return error;
    case IOCB_CMD_FSYNC:
    case IOCB_CMD_FDSYNC:
    case IOCB_CMD_POLL:
        return 0;
    default:
        return -EINVAL;
    }
}

static int64_t submit(struct vcpu *vcpu, aio_context_t host, uint64_t context, uint64_t addr)
{
    struct iocb copy, *pointer;
    struct request *request;
    uint32_t key = 0; /* as the kernel writes it */
    int64_t result;

    if (guest_read(&copy, addr, sizeof(copy)) < 0 ||
        guest_write(addr + offsetof(struct iocb, aio_key), &key, sizeof(key)) < 0) {
        return -EFAULT;
    }
    vcpu->scratch_used = 0;
    result = check(vcpu, &copy);
    if (result < 0) {
        return result;
    }
    (void)pthread_mutex_lock(&lock);
    request = take_request(context, addr);
    if (request) {
        request->iocb = copy;
    }
    (void)pthread_mutex_unlock(&lock);
    if (!request) {
        return -EAGAIN;
    }
    pointer = &request->iocb;
    result = host_syscall(__NR_io_submit, (uint64_t[6]){host, 1, (uint64_t)&pointer});
    if (result < 0) {
        (void)pthread_mutex_lock(&lock);
        request->addr = 0;
        (void)pthread_mutex_unlock(&lock);
    }
    return result;
}

/* long io_submit(aio_context_t context, long count, struct iocb **requests) */
HANDLER(io_submit)
{
    aio_context_t host = host_of(args[0]);
    int64_t count = (int64_t)args[1], done = 0, result = 0;

    if (!host || count < 0) {
        return -EINVAL;
    }
    while (done < count && result >= 0) {
        uint64_t addr = 0;

        result = guest_read(&addr, args[2] + (uint64_t)done * sizeof(addr), sizeof(addr));
        result = result < 0 ? result : submit(vcpu, host, args[0], addr);
        done += result > 0;
    }
    return done ? done : result;
}

/* long io_cancel(aio_context_t context, struct iocb *request, struct io_event *result) */
HANDLER(io_cancel)
{
    aio_context_t host = host_of(args[0]);
    const struct request *request;
    struct io_event event = {0};
    struct iocb asked;
    int64_t result;

    (void)vcpu;
    if (guest_read(&asked, args[1], sizeof(asked)) < 0) {
        return -EFAULT;
    }
    (void)pthread_mutex_lock(&lock);
    request = host && args[1] ? find_request(args[0], args[1]) : NULL;
    (void)pthread_mutex_unlock(&lock);
    if (!request) {
        return -EINVAL;
    }
    result = host_syscall(__NR_io_cancel,
                          (uint64_t[6]){host, (uint64_t)&request->iocb, (uint64_t)&event});
    if (!result) { /* an old kernel tells here, not in the ring */
        event.obj = args[1];
        result = guest_write(args[2], &event, sizeof(event));
    }
    return result;
}

/* ---- io_getevents ---- */

/* The `count` events at vcpu->scratch name the monitor's copies: give the payload its own. */
static int64_t give_events(const struct vcpu *vcpu, uint64_t to, int64_t count)
{
    struct io_event *events = (struct io_event *)vcpu->scratch;

    (void)pthread_mutex_lock(&lock);
    for (int64_t i = 0; i < count; i++) {
        struct request *request = (struct request *)events[i].obj;

        events[i].obj = request->addr;
        request->addr = 0;
    }
    (void)pthread_mutex_unlock(&lock);
    return guest_write(to, events, (uint64_t)count * sizeof(*events)) < 0 ? -EFAULT : count;
}

static int64_t get_events(struct vcpu *vcpu, uint64_t number, const uint64_t *args, uint64_t *mask)
{
    const int64_t most = SCRATCH_SIZE / sizeof(struct io_event);
    uint64_t timeout[2];
    int64_t least = (int64_t)args[1], count = (int64_t)args[2], result;
    uint64_t with_copy[6] = {host_of(args[0]), args[1], args[2], (uint64_t)vcpu->scratch, args[4]};
    struct {
        uint64_t mask, size;
    } under = {(uint64_t)mask, sizeof(*mask)};

    if (!with_copy[0]) {
        return args[4] && guest_read(timeout, args[4], sizeof(timeout)) < 0 ? -EFAULT : -EINVAL;
    }
    if (count > most) {
        with_copy[1] = (uint64_t)(least < most ? least : most);
        with_copy[2] = (uint64_t)most;
    }
    with_copy[5] = mask ? (uint64_t)&under : 0;
    result = mask ? signal_call_under_mask(vcpu, mask, number, with_copy)
                  : host_syscall(number, with_copy);
    return result > 0 ? give_events(vcpu, args[3], result) : result;
}

/* long io_getevents(aio_context_t, long least, long count, struct io_event *, struct timespec *) */
HANDLER(io_getevents)
{
    return get_events(vcpu, __NR_io_getevents, args, NULL);
}

/* long io_pgetevents(the same, { const sigset_t *, size_t } *) */
HANDLER(io_pgetevents)
{
    uint64_t pair[2] = {0}, mask;

    if (args[5] && guest_read(pair, args[5], sizeof(pair)) < 0) {
        return -EFAULT;
    }
    if (!pair[0]) {
        return get_events(vcpu, __NR_io_pgetevents, args, NULL);
    }
    if (pair[1] != sizeof(mask)) {
        return -EINVAL;
    }
    return guest_read(&mask, pair[0], sizeof(mask)) < 0
               ? -EFAULT
               : get_events(vcpu, __NR_io_pgetevents, args, &mask);
}
