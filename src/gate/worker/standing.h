// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker's portal may, and whether it may stay. Both can change while it is there.
#ifndef GATE_WORKER_STANDING_H
#define GATE_WORKER_STANDING_H

#include "config/gate_conf.h"
#include "exchange/exchange.h"
#include "gate/channel/channel.h"
#include "gate/channel/handover.h"

struct standing {
    struct policy *policy; // NULL: the portal is not known yet
    struct prefix *locals; // addresses of this host
    size_t local_count;
};

void standing_fini(struct standing *standing);
// Addresses of this host, as CHANNEL_LOCALS brings them.
void standing_take_locals(struct standing *standing, const struct channel_message *message);
// From now on the exchange judges by what `access` says of the portal.
void standing_judge_by(struct standing *standing, struct exchange *exchange, const struct access *access,
                       const char *portal);

// What the gate runs by now, `conf` its text. NULL with a fault when it cannot be used.
struct tls_identity *standing_identity(const struct handover *news, const struct gate_conf *conf, struct fault *why);
// Whether the portal may stay: by what its certificate is worth to `identity`, and by whether it is spoken of still. `before`
// is what the worker began with.
bool standing_lasts(const struct tls *tls, struct tls_identity *identity, const struct gate_conf *conf,
                    const struct access *before, struct fault *why);

#endif
