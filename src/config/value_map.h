// SPDX-License-Identifier: GPL-2.0-or-later
// "10.50.0.0/24 -> 10.73.0.0/24": a network's addresses here, and where it is.
#ifndef CONFIG_VALUE_MAP_H
#define CONFIG_VALUE_MAP_H

#include "config/config.h"
#include "config/value_net.h"
#include "exchange/map.h"

enum { VALUE_MAPS_MAX = 64 }; // each opening is compared with all of them

struct value_maps {
    struct map_pair *items;
    size_t count;
};

config_parse value_maps; // struct value_maps, appended
// The one that maps an address of that prefix; NULL when there is none.
const struct map_pair *value_maps_of(const struct value_maps *maps, const struct prefix *prefix);
void value_maps_fini(struct value_maps *maps);
// Appends what is mapped to what is routed, unless it is there.
void value_maps_route(const struct value_maps *maps, struct value_prefixes *routes);

#endif
