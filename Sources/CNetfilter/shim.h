/* The C interface the netfilter backends stand on: libmnl (netlink transport), libnftnl (nf_tables objects) and the
 * kernel's own headers. Only what Swift cannot import by itself, macros with casts, is added here. */
#ifndef SWIFTLET_CNETFILTER_SHIM_H
#define SWIFTLET_CNETFILTER_SHIM_H

#include <netinet/in.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>

/* Glibc declares it for _GNU_SOURCE only. */
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/* Data type of a map whose values are verdicts; the kernel's macro is above INT_MAX. */
static inline uint32_t swl_nft_data_verdict(void) { return NFT_DATA_VERDICT; }

/* NLA_F_NESTED and the byte order bit are not part of an attribute's type. */
static inline uint16_t swl_nla_type(const struct nlattr *attribute) { return attribute->nla_type & NLA_TYPE_MASK; }

/* Returns when each packet has left the hooks that was in them: they run in RCU read-side sections, and MEMBARRIER_CMD_GLOBAL (1)
 * waits for those that began before it (kernel/sched/membarrier.c), some milliseconds. Where the kernel refuses it (nohz_full), as
 * long as that takes nearly always. */
static inline void swl_await_packets(void) {
  if (syscall(SYS_membarrier, 1, 0, 0) != 0) usleep(20000);
}

#endif
