#ifndef SWIFTLET_CLIBYAML_SHIM_H
#define SWIFTLET_CLIBYAML_SHIM_H

#include <yaml.h>

#endif
