/* The C interface the IPVS backend stands on: libnl (netlink sockets and messages), libipset (sets) and the kernel's own
 * headers. Only what Swift cannot import by itself is added: functions with variable arguments, and calls glibc declares for
 * _GNU_SOURCE only. */
#ifndef SWIFTLET_CIPVS_SHIM_H
#define SWIFTLET_CIPVS_SHIM_H

#include <errno.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip_vs.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <libipset/ipset.h>

#define SWL_CLONE_NEWNET 0x40000000

int unshare(int flags);
int setns(int descriptor, int kind);
int pipe2(int descriptors[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
int memfd_create(const char *name, unsigned int flags);
#define SWL_MFD_CLOEXEC 1u

/* Has `epoll` report `descriptor` when it is readable. */
static inline int swl_epoll_add(int epoll, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.fd = descriptor}};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

/* A descriptor that is readable every `nanoseconds`. */
static inline int swl_timer(long nanoseconds) {
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) return timer;
  struct itimerspec pace = {.it_interval = {.tv_nsec = nanoseconds}, .it_value = {.tv_nsec = nanoseconds}};
  timerfd_settime(timer, 0, &pace, NULL);
  return timer;
}

/* How many IPv4 virtual servers there are, by the one question to IPVS whose answer does not grow with their number; -1 where
 * the kernel does not say. */
static inline int swl_ipvs_count(int socket) {
  struct ip_vs_getinfo info;
  socklen_t length = sizeof info;
  if (getsockopt(socket, IPPROTO_IP, IP_VS_SO_GET_INFO, &info, &length) != 0) return -1;
  return (int)info.num_services;
}

/* A session of libipset and what it said. Its callbacks have variable arguments, which Swift cannot implement. One thread at a
 * time, of all that have a session: see `SetSession.turn`. */
struct swl_ipset {
  struct ipset *handle;
  char *text; /* what the kernel holds, as `ipset save` prints it */
  size_t length, capacity;
  char error[1024]; /* empty: no error */
};

static inline void swl_ipset_append(struct swl_ipset *set, const char *format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int needed = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (needed <= 0) return;
  if (set->length + (size_t)needed + 1 > set->capacity) {
    size_t capacity = (set->length + (size_t)needed + 1) * 2;
    char *grown = (char *)realloc(set->text, capacity);
    if (!grown) {
      snprintf(set->error, sizeof set->error, "out of memory");
      return;
    }
    set->text = grown;
    set->capacity = capacity;
  }
  vsnprintf(set->text + set->length, (size_t)needed + 1, format, arguments);
  set->length += (size_t)needed;
}

static int swl_ipset_print(struct ipset_session *session, void *context, const char *format, ...) {
  (void)session;
  va_list arguments;
  va_start(arguments, format);
  swl_ipset_append((struct swl_ipset *)context, format, arguments);
  va_end(arguments);
  return 0;
}

/* The first error is the one that counts: later ones follow from it. */
static int swl_ipset_custom_error(struct ipset *handle, void *context, int status, const char *format, ...) {
  (void)handle;
  (void)status;
  struct swl_ipset *set = (struct swl_ipset *)context;
  if (format && !set->error[0]) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(set->error, sizeof set->error, format, arguments);
    va_end(arguments);
  }
  return -1;
}

static int swl_ipset_standard_error(struct ipset *handle, void *context) {
  struct swl_ipset *set = (struct swl_ipset *)context;
  struct ipset_session *session = ipset_session(handle);
  const char *words = ipset_session_report_msg(session);
  int isError = ipset_session_report_type(session) >= IPSET_NOTICE;
  if (isError && words && words[0] && !set->error[0]) snprintf(set->error, sizeof set->error, "%s", words);
  ipset_session_report_reset(session);
  return isError ? -1 : 0;
}

static inline struct swl_ipset *swl_ipset_open(void) {
  struct swl_ipset *set = (struct swl_ipset *)calloc(1, sizeof *set);
  if (!set) return NULL;
  ipset_load_types();
  set->handle = ipset_init();
  if (!set->handle) {
    free(set);
    return NULL;
  }
  ipset_custom_printf(set->handle, swl_ipset_custom_error, swl_ipset_standard_error, swl_ipset_print, set);
  return set;
}

static inline void swl_ipset_close(struct swl_ipset *set) {
  ipset_fini(set->handle);
  free(set->text);
  free(set);
}

static inline void swl_ipset_reset(struct swl_ipset *set) {
  ipset_session_report_reset(ipset_session(set->handle));
  set->length = 0;
  set->error[0] = 0;
  if (set->text) set->text[0] = 0;
}

/* Runs the lines of `text`, as `ipset restore` does: many changes in one message. 0 when all went well. */
static inline int swl_ipset_restore(struct swl_ipset *set, char *text, size_t length) {
  swl_ipset_reset(set);
  if (length == 0) return 0;
  FILE *stream = fmemopen(text, length, "r");
  if (!stream) return -1;
  int result = ipset_parse_stream(set->handle, stream);
  fclose(stream);
  return result < 0 || set->error[0] ? -1 : 0;
}

/* Runs one command line; what it prints is in `text` afterwards. 0 when all went well. */
static inline int swl_ipset_command(struct swl_ipset *set, char *line) {
  swl_ipset_reset(set);
  int result = ipset_parse_line(set->handle, line);
  /* Warnings end up in the report of the session and are no failure. */
  return result < 0 || set->error[0] ? -1 : 0;
}

#endif
