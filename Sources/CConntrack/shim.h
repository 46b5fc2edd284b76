/* The C interface to the kernel's connection tracking: libmnl (netlink transport), libnetfilter_conntrack (meaning of a
 * tracked flow's attributes), which stands on the headers of libnfnetlink, and the kernel's numbers. */
#ifndef SWIFTLET_CCONNTRACK_SHIM_H
#define SWIFTLET_CCONNTRACK_SHIM_H

#include <ifaddrs.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

/* What a dump is narrowed down by, bits of CTA_FILTER_ORIG_FLAGS. The kernel (5.8) keeps the names to itself. */
#define SWL_CTA_FILTER_IP_DST (1u << 1)
#define SWL_CTA_FILTER_PROTO_NUM (1u << 3)
#define SWL_CTA_FILTER_PROTO_DST_PORT (1u << 5)

/* NLA_F_NESTED and the byte order bit are not part of an attribute's type. */
#define SWL_NLA_TYPE_MASK 0x3fff
#define SWL_NLA_NESTED 0x8000

/* Returns when no packet is in a netfilter hook any more that was in one before: they run in RCU read-side sections, for which
 * MEMBARRIER_CMD_GLOBAL (1) waits some milliseconds. Where the kernel refuses it (nohz_full), as long as that takes nearly always. */
static inline void swl_let_packets_pass(void) {
  if (syscall(SYS_membarrier, 1, 0, 0) != 0) usleep(20000);
}

#endif
