/* Tells which thread it runs on and which signals are blocked there. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#define ON_START                                                                                                \
  char name[16] = "", line[64];                                                                                 \
  sigset_t blocked;                                                                                             \
  pthread_getname_np(pthread_self(), name, sizeof name);                                                        \
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);                                                                   \
  snprintf(line, sizeof line, "%s TERM=%d CHLD=%d SEGV=%d", name, sigismember(&blocked, SIGTERM),              \
           sigismember(&blocked, SIGCHLD), sigismember(&blocked, SIGSEGV));                                     \
  own(plugin, line);                                                                                            \
  return SWL_OK;
#include "fixture.h"
