// The first process of a pod: holds its namespaces and reaps the processes that end up as its children when a pod shares one
// process namespace. Does nothing else, so that it costs next to nothing.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void leave(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  int saved = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
  errno = saved;
}

int main(void) {
  // As process 1 it gets no default action for a signal: without these handlers SIGTERM would be ignored.
  struct sigaction end = {.sa_handler = leave};
  struct sigaction child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP | SA_RESTART};
  if (sigaction(SIGTERM, &end, NULL) || sigaction(SIGINT, &end, NULL) || sigaction(SIGCHLD, &child, NULL)) {
    return EXIT_FAILURE;
  }
  for (;;) {
    pause();
  }
}
