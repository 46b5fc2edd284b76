/* swiftlet/swiftlet.h - everything released; what is in swiftlet/draft/ is not. */
#ifndef SWIFTLET_SWIFTLET_H
#define SWIFTLET_SWIFTLET_H

#include "swiftlet/base.h"
#include "swiftlet/entry.h"
#include "swiftlet/ext/cgroup.h"
#include "swiftlet/ext/log.h"
#include "swiftlet/ext/metrics.h"
#include "swiftlet/ext/proxy.h"
#include "swiftlet/host.h"
#include "swiftlet/plugin.h"

#endif
