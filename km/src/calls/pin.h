// SPDX-License-Identifier: Apache-2.0
/*
 * pin.h: hidden descriptors, and what descriptors are called.
 */
#ifndef KM_PIN_H
#define KM_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stat;
struct vcpu;

/* ---- pin.c: hidden descriptors for files that are judged, one a vCPU ---- */

/* Whether that is at /proc in the root that the payload has at its start. */
bool pin_proc_is_roots(void);

/* Whether a file is on that proc(5). */
bool pin_is_on_proc(const struct stat *st);

/* sealed.c: let the pin be a new file of these bytes, which nobody can change. False: it is clear.
 */
bool sealed_make(struct vcpu *vcpu, const void *bytes, size_t size);

/* A descriptor's name in the folder that is returned, below 0 where there is no proc(5): to open
 * what it leads to by, not to look at. `vcpu` is the calling thread's, or NULL. */
#define FD_NAME 32
int fd_name(const struct vcpu *vcpu, int fd, char name[FD_NAME]);

/* Where the kernel says that what is open at `fd` is: its length, or below 1. */
ssize_t fd_path(int fd, char path[4096]);

/* Let `map` map a descriptor of the payload's that cannot become another meanwhile, nor be KVM's.
 */
int64_t pin_map(struct vcpu *vcpu, int fd, int64_t (*map)(int fd, const uint64_t *args),
                const uint64_t *args);

/* A build without it proves that the locks behind it hold alone. */
#ifdef KM_WITHOUT_FIRST_LOCK
#define FIRST_LOCK false
#else
#define FIRST_LOCK true
#endif

/*
 * chroot: the root is another, which vcpu->pin holds, and the other threads stand still. A path can
 * go through /proc/self/fd to the monitor's folders: none of them leads out of the new root, but a
 * proc(5) that is not at /proc there.
 */
void pin_follow_root(struct vcpu *vcpu);

/* ---- apart.c ---- */

/* Let a thread that nobody shares descriptors with run this, and wait for it. False: there is none.
 * `vcpu` is the calling thread's, or NULL for the helper, which takes no signals.
 */
bool apart_run(struct vcpu *vcpu, void (*run)(void *argument), void *argument);

#endif /* KM_PIN_H */
