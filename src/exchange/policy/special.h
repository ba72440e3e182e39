// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses that a wide rule never means: loopback, link-local, multicast, reserved, cloud metadata services.
#ifndef EXCHANGE_POLICY_SPECIAL_H
#define EXCHANGE_POLICY_SPECIAL_H

#include "base/address.h"

// Whether all of `inner` lies inside `outer`.
bool prefix_is_inside(const struct prefix *inner, const struct prefix *outer);
// The narrowest special range that holds `addr`; NULL when it is an ordinary address.
const struct prefix *special_range(const struct address *addr);
bool special_is_loopback(const struct address *addr);

#endif
