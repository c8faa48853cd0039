// SPDX-License-Identifier: Apache-2.0
/*
 * handlers.h: the handlers of system calls, and what they share.
 */
#ifndef KM_HANDLERS_H
#define KM_HANDLERS_H

#include <stdbool.h>
#include <stdint.h>

struct stat;
struct syscall;
struct vcpu;

/* Copy and check an iovec array. Returns the copy, or NULL with *error set. */
struct iovec;
struct iovec *iovec_copy(struct vcpu *vcpu, uint64_t addr, uint64_t count, int64_t *error);

/* Where no program has memory: the kernel answers EFAULT, when it comes to that, whatever the
 * length is. */
#define NOWHERE 0xffff800000000000UL

/* path_number.c: whether a path of the call leads to a descriptor of the monitor's: with the
 * result, that there is none. */
bool path_number_serve(struct vcpu *vcpu, const struct syscall *call, uint64_t number,
                       const uint64_t *args, int64_t *result);

/* Room for a copy of guest structures, valid until the call ends; NULL when it is too much. */
void *scratch_alloc(struct vcpu *vcpu, uint64_t size);

/* Whether this is the file of the program that runs, which the kernel lets nobody change. */
bool program_is(const struct stat *st);

/* Whether a path names the process's own /proc/PID/exe, which for the host is the monitor. */
bool path_is_own_exe(const char *path);
bool proc_is_own_exe(uint64_t path);

/* ---- sys_offset.c ---- */

/* Whether an offset in a file, in one that is a process's memory, is where the monitor's is. */
bool offset_is_monitors(uint64_t offset);

/* ---- the handlers, by file ---- */

#define HANDLER(name) int64_t sys_##name(struct vcpu *vcpu, const uint64_t *args)

/* sys_memory.c */
HANDLER(futex);
HANDLER(mmap);
HANDLER(munmap);
HANDLER(mprotect);
HANDLER(brk);
HANDLER(mremap);
HANDLER(madvise);
HANDLER(mincore);
HANDLER(mlock);
HANDLER(mlock2);
HANDLER(mlockall);
HANDLER(remap_file_pages);
HANDLER(get_mempolicy);
HANDLER(pkey_mprotect);
HANDLER(pkey_alloc);
HANDLER(pkey_free);
HANDLER(futex_waitv);

/* sys_offset.c */
HANDLER(lseek);
HANDLER(pread64);
HANDLER(preadv);
HANDLER(preadv2);
HANDLER(pwrite64);
HANDLER(pwritev);
HANDLER(pwritev2);
HANDLER(sendfile);
HANDLER(splice);
HANDLER(copy_file_range);

/* sys_file.c */
/*
 * Whether the file that a path leads to, which shall be written to or cut, runs as a program. A
 * descriptor of it is closed again, which would cost the process its locks of fcntl(2) on it.
 */
bool file_runs(struct vcpu *vcpu, uint64_t dirfd, uint64_t path, uint64_t flags);
/* Let the host make a call that closes, replaces or marks the descriptor of argument `i`. */
int64_t change_descriptor(const struct vcpu *vcpu, uint64_t number, const uint64_t *args,
                          unsigned i);
HANDLER(open);
HANDLER(openat);
HANDLER(creat);
HANDLER(openat2);
HANDLER(close);
HANDLER(dup2);
HANDLER(dup3);
HANDLER(fcntl);
HANDLER(memfd_create);

/* sys_stat.c */
HANDLER(stat);
HANDLER(lstat);
HANDLER(fstat);
HANDLER(newfstatat);
HANDLER(statx);

/* sys_path.c */
HANDLER(truncate);
HANDLER(chmod);
HANDLER(fchmodat);
HANDLER(fchmodat2);
HANDLER(chown);
HANDLER(fchownat);
HANDLER(utime);
HANDLER(utimes);
HANDLER(futimesat);
HANDLER(utimensat);
HANDLER(linkat);
HANDLER(setxattr);
HANDLER(removexattr);

/* sys_poll.c */
HANDLER(poll);
HANDLER(ppoll);
HANDLER(select);
HANDLER(pselect6);
HANDLER(epoll_pwait);
HANDLER(epoll_pwait2);
HANDLER(epoll_ctl);

/* opening.c */
HANDLER(chroot);
HANDLER(chdir);
HANDLER(fchdir);

/* sys_access.c */
HANDLER(access);
HANDLER(faccessat);
HANDLER(faccessat2);
HANDLER(statfs);
HANDLER(fstatfs);
HANDLER(statmount);

/* sys_proc.c */
HANDLER(readlink);
HANDLER(readlinkat);
HANDLER(getdents);
HANDLER(getdents64);

/* sys_ioctl.c */
HANDLER(ioctl);

/* sys_ipc.c */
HANDLER(shmat);
HANDLER(shmdt);
HANDLER(shmctl);
HANDLER(msgctl);
HANDLER(semctl);
HANDLER(msgsnd);
HANDLER(msgrcv);
HANDLER(mq_notify);

/* sys_socket.c */
HANDLER(sendmsg);
HANDLER(recvmsg);
HANDLER(sendmmsg);
HANDLER(recvmmsg);

/* sys_socket_option.c */
HANDLER(getsockopt);
HANDLER(setsockopt);
HANDLER(socket);
HANDLER(socketpair);

/* sys_process.c */
HANDLER(exit_group);
HANDLER(arch_prctl);
HANDLER(uname);
HANDLER(prctl);
HANDLER(getrlimit);
HANDLER(setrlimit);
HANDLER(prlimit64);
HANDLER(personality);

/* sys_aio.c */
HANDLER(io_setup);
HANDLER(io_destroy);
HANDLER(io_submit);
HANDLER(io_cancel);
HANDLER(io_getevents);
HANDLER(io_pgetevents);

/* sys_seccomp.c */
HANDLER(seccomp);

/* sys_clone.c */
HANDLER(fork);
HANDLER(vfork);
HANDLER(clone);
HANDLER(clone3);
HANDLER(unshare);
HANDLER(exit);
HANDLER(set_tid_address);
HANDLER(set_robust_list);
HANDLER(get_robust_list);
HANDLER(fsync);
HANDLER(fdatasync);
HANDLER(fchmod);
HANDLER(fallocate);
HANDLER(fsetxattr);
HANDLER(fgetxattr);
HANDLER(flistxattr);
HANDLER(fremovexattr);
HANDLER(name_to_handle_at);

/* sys_wait.c */
HANDLER(wait4);
HANDLER(waitid);

/* exec.c */
HANDLER(execve);
HANDLER(execveat);

/* sys_signal.c */
HANDLER(rt_sigaction);
HANDLER(rt_sigprocmask);
HANDLER(rt_sigpending);
HANDLER(rt_sigtimedwait);
HANDLER(rt_sigreturn);
HANDLER(rt_sigqueueinfo);
HANDLER(rt_tgsigqueueinfo);
HANDLER(pidfd_send_signal);
HANDLER(rt_sigsuspend);
HANDLER(sigaltstack);

#endif /* KM_HANDLERS_H */
