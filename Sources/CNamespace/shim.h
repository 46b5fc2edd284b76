/* Calls of sched.h and spawn.h that glibc declares for _GNU_SOURCE only, which Swift's Glibc module does not define. */
#ifndef SWIFTLET_CNAMESPACE_SHIM_H
#define SWIFTLET_CNAMESPACE_SHIM_H

#include <spawn.h>
#include <sys/syscall.h>

#define SWL_CLONE_NEWNET 0x40000000

int unshare(int flags);
int setns(int descriptor, int kind);
long syscall(long number, ...);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/* setresuid of glibc changes all threads of a process; the system call changes the one that makes it. */
static inline int swl_drop_thread_to_nobody(void) { return (int)syscall(SYS_setresuid, 65534, 65534, 65534); }

#endif
