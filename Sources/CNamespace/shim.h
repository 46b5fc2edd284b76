/* Calls of sched.h that glibc declares for _GNU_SOURCE only, which Swift's Glibc module does not define. */
#ifndef SWIFTLET_CNAMESPACE_SHIM_H
#define SWIFTLET_CNAMESPACE_SHIM_H

#define SWL_CLONE_NEWNET 0x40000000

int unshare(int flags);
int setns(int descriptor, int kind);

#endif
