// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker tells its supervisor, by its end of the channel (gate/channel/channel.h).
#ifndef GATE_WORKER_TELLING_H
#define GATE_WORKER_TELLING_H

#include "exchange/denials.h"
#include "node/node.h"

// The portal is in.
void telling_up(int channel, const struct tls *tls);
// It is not, and why. The supervisor writes the line: it sees all refusals and bounds their number.
void telling_refusal(int channel, const char *why);
// In the log, where the portal has said who asked.
void telling_origin(const char *who, const struct usher_session *session, const struct usher_open *open);
// What was refused by rules, as far as that was not told yet.
void telling_denials(int channel, struct denials *denials);
// What shows the tunnel; what the connection has shown; that a connection carries the tunnel now.
void telling_ticket(int channel, const uint8_t *number);
void telling_shown(int channel, const uint8_t *number);
void telling_carried(int channel, uint32_t id);
// How things stand; `tunnel` is the node's.
void telling_facts(int channel, const struct node *node, const struct tunnel *tunnel);

#endif
