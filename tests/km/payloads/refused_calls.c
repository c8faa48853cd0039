// SPDX-License-Identifier: Apache-2.0
/* Makes calls that reach beyond the payload: each is refused, as to a user who may not do that. */
#include "payload.h"

#include <sys/syscall.h>

#define REFUSED(name, ...)                                                                         \
    errno = 0;                                                                                     \
    CHECK(syscall(SYS_##name, ##__VA_ARGS__) == -1 &&                                              \
          (errno == ENOSYS || errno == EPERM || errno == EINVAL))

#define OUTSIDE(name, ...)                                                                         \
    errno = 0;                                                                                     \
    CHECK(syscall(SYS_##name, ##__VA_ARGS__) == -1 && (errno == EFAULT || errno == ENOMEM))

int main(void)
{
    char room[256] = {0};
    struct {
        void *base;
        size_t len;
    } iov = {room, 8}, monitor = {(void *)0x7e0000000000, 8};

    REFUSED(ptrace, 0, 0, 0, 0);
    REFUSED(ptrace, 16, getppid(), 0, 0);
    REFUSED(process_vm_readv, getpid(), &iov, 1, &monitor, 1, 0);
    REFUSED(process_vm_writev, getpid(), &iov, 1, &monitor, 1, 0);
    REFUSED(process_madvise, -1, &monitor, 1, 4, 0);
    REFUSED(pidfd_getfd, 0, 0, 0);
    REFUSED(kcmp, getpid(), getpid(), 0, 0, 0);
    REFUSED(userfaultfd, 0);
    REFUSED(io_uring_setup, 8, room);
    REFUSED(io_uring_register, 0, 0, room, 0);
    OUTSIDE(io_setup, 1, 0x7e0000000000);
    REFUSED(bpf, 0, room, 8);
    REFUSED(perf_event_open, room, 0, -1, -1, 0);
    REFUSED(keyctl, 0, 0, 0, 0, 0);
    REFUSED(add_key, "user", "name", room, 1, -1);
    REFUSED(request_key, "user", "name", NULL, 0);
    REFUSED(kexec_load, 0, 0, NULL, 0);
    REFUSED(kexec_file_load, -1, -1, 0, NULL, 0);
    REFUSED(init_module, room, 0, "");
    REFUSED(finit_module, -1, "", 0);
    REFUSED(delete_module, "no-such-module", 0);
    REFUSED(open_by_handle_at, -1, room, 0);
    REFUSED(setns, -1, 0);
    REFUSED(mount, "none", ".", "tmpfs", 0, NULL);
    REFUSED(umount2, ".", 0);
    REFUSED(pivot_root, ".", ".");
    REFUSED(fsopen, "tmpfs", 0);
    REFUSED(open_tree, -100, ".", 1);
    REFUSED(move_mount, -1, "", -1, "", 0);
    REFUSED(swapon, "no-such-file", 0);
    REFUSED(swapoff, "no-such-file");
    REFUSED(reboot, 0, 0, 0, NULL);
    REFUSED(iopl, 3);
    REFUSED(ioperm, 0, 100, 1);
    REFUSED(modify_ldt, 0, room, 16);
    OUTSIDE(seccomp, 1, 0, 0x7e0000000000);
    REFUSED(set_thread_area, room);
    REFUSED(remap_file_pages, 0x7e0000000000, PAGE, 0, 0, 0);
    REFUSED(fanotify_init, 0, 0);
    REFUSED(landlock_create_ruleset, NULL, 0, 1);
    REFUSED(acct, NULL);
    REFUSED(quotactl, 0, NULL, 0, room);
    REFUSED(lookup_dcookie, 0, room, 8);
    REFUSED(pkey_mprotect, room, PAGE, 3, 1);
    OUTSIDE(pkey_mprotect, 0x7e0000000000, PAGE, 3, -1);
    OUTSIDE(get_mempolicy, NULL, NULL, 0, 0x7e0000000000, 2);
    OUTSIDE(set_mempolicy, 0, 0x7e0000000000, 64);
    OUTSIDE(name_to_handle_at, -100, ".", 0x7e0000000000, room, 0);
    OUTSIDE(mq_notify, 0, 0x7e0000000000);
    REFUSED(move_pages, 0, 1, &monitor, NULL, room, 0);
    REFUSED(migrate_pages, 0, 0, NULL, NULL);
    OUTSIDE(mbind, 0x7e0000000000, PAGE, 0, NULL, 0, 0);
    REFUSED(uselib, "file");
    return 0;
}
