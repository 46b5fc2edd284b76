/* Writes down every field of a batch as it arrived. */
#define ON_SYNC                                                                                                       \
  char line[256];                                                                                                     \
  snprintf(line, sizeof line, "batch %u flags=%llu generation=%llu upserts=%llu removals=%llu", batch->struct_size,   \
           (unsigned long long)batch->flags, (unsigned long long)batch->generation,                                  \
           (unsigned long long)batch->upsert_count, (unsigned long long)batch->removal_count);                       \
  own(plugin, line);                                                                                                  \
  for (uint64_t i = 0; i < batch->upsert_count; i++) {                                                                \
    const swl_proxy_service_t *s = (const void *)((const char *)batch->upserts + i * batch->upsert_stride);           \
    snprintf(line, sizeof line, "service %u v%u proto=%u %.*s affinity=%u", s->struct_size, s->family, s->protocol,   \
             (int)s->key.length, s->key.data, s->affinity_seconds);                                                   \
    own(plugin, line);                                                                                                \
    for (uint64_t j = 0; j < s->frontend_count; j++) {                                                                \
      const swl_proxy_frontend_t *f = (const void *)((const char *)s->frontends + j * s->frontend_stride);            \
      snprintf(line, sizeof line, "frontend %u kind=%d %s port=%u masquerade=%d selection=%d empty=%d",               \
               f->struct_size, f->kind, address(&f->address), f->port, f->masquerade, f->selection, f->when_empty);   \
      own(plugin, line);                                                                                              \
    }                                                                                                                 \
    for (uint64_t j = 0; j < s->endpoint_count; j++) {                                                                \
      const swl_proxy_endpoint_t *e = (const void *)((const char *)s->endpoints + j * s->endpoint_stride);            \
      snprintf(line, sizeof line, "endpoint %u %s port=%u flags=%llu", e->struct_size, address(&e->address), e->port, \
               (unsigned long long)e->flags);                                                                         \
      own(plugin, line);                                                                                              \
    }                                                                                                                 \
    if (s->endpoint_count == 0) {                                                                                     \
      swl_error_t reason = {sizeof reason, SWL_UNSUPPORTED, 95, 0, "no such protocol"};                               \
      failed(context, s->key, &reason);                                                                               \
    }                                                                                                                 \
  }                                                                                                                   \
  for (uint64_t i = 0; i < batch->removal_count; i++) {                                                               \
    snprintf(line, sizeof line, "remove %.*s", (int)batch->removals[i].length, batch->removals[i].data);              \
    own(plugin, line);                                                                                                \
  }                                                                                                                   \
  if (batch->flags & SWL_PROXY_BATCH_HEALTH_CHECK_PORTS) own(plugin, "health checks");                                \
  for (uint64_t i = 0; i < batch->health_check_port_count; i++) {                                                     \
    snprintf(line, sizeof line, "health check %u", batch->health_check_ports[i]);                                     \
    own(plugin, line);                                                                                                \
  }                                                                                                                   \
  return SWL_OK;
#include <arpa/inet.h>
#include <stdio.h>
#include "swiftlet/base.h"
static const char *address(const swl_address_t *a) {
  static char text[80];
  char plain[INET6_ADDRSTRLEN] = "?";
  inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, plain, sizeof plain);
  snprintf(text, sizeof text, "%s/%u", plain, a->prefix);
  return text;
}
#include "fixture.h"
