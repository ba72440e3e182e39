// SPDX-License-Identifier: GPL-2.0-or-later
// Networks behind portals, routed on the gate's host: a TUN device for each portal that exports some. Rules and
// unreachable routes stand as long as the gate, so that what goes there fails honestly while the portal is away; the device
// and the routes into it come and go with the worker that has it.
#ifndef GATE_SUPERVISOR_EXPORTS_H
#define GATE_SUPERVISOR_EXPORTS_H

#include "config/access.h"
#include "gate/upgrade/state.h"
#include "os/netlink/netlink.h"
#include "os/tun/tun.h"

struct exports;

// Both borrowed. `slot` as in struct runtime. Installs what stands without any portal; NULL with a fault.
struct exports *exports_new(const struct access *access, struct netlink *nl, unsigned slot, struct fault *fault);
// The same of an earlier program in this process, whose devices, routes and rules are there.
struct exports *exports_adopt(const struct access *access, struct netlink *nl, unsigned slot,
                              const struct state_held *held, uint32_t count, struct fault *fault);
// NULL: there is none.
const struct tun *exports_device(const struct exports *exports, size_t index);
// Removes everything that is not a device.
void exports_free(struct exports *exports);

// Makes the device of access->portals[index] and routes its prefixes there, or finds it made; it is ours until exports_gone, a
// worker has its descriptor too. NULL with a fault, and nothing left behind.
const struct tun *exports_open(struct exports *exports, size_t index, struct fault *fault);
// Nobody has that device any more.
void exports_gone(struct exports *exports, size_t index);

// The device of access->portals[index] was deleted: it is back behind the same descriptor, or gone for good.
typedef void exports_deleted(void *owner, size_t index, bool is_back);
// Puts back what another program has removed.
void exports_repair(struct exports *exports, exports_deleted *deleted, void *owner);

#endif
