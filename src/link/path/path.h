// SPDX-License-Identifier: GPL-2.0-or-later
// How a portal gets to one of its gates: each in the order of the list (link/path/approach.h), and when all have failed
// again after a jittered back-off of 0.2 to 10 s, or at once when the network has changed. While a later gate has the
// tunnel and nothing is open in it, the earlier ones are tried now and then.
#ifndef LINK_PATH_PATH_H
#define LINK_PATH_PATH_H

#include "link/path/config.h"

struct path;

struct path *path_new(uv_loop_t *loop, const struct path_config *config, const struct path_ops *ops, void *owner,
                      struct fault *fault);
void path_free(struct path *path);
// Goes by another configuration from now on: what is under way begins anew. The tunnel that is up stays if its gate is among
// those of `config`, and trusted by that identity; else it ends, the reason is told, and the next attempt comes at once.
void path_renew(struct path *path, const struct path_config *config);
// Ends the tunnel in order (see tunnel_end) and tries no more; `down` follows.
void path_stop(struct path *path, const char *reason);
// What the tunnel that is up is known by at its gate (TLS_TICKET_SIZE), for a connection that is to carry it on.
void path_take_ticket(struct path *path, const uint8_t *number);
// Addresses or routes changed: if the tunnel is not up, try at once. If it is, probe it: when its local address is gone,
// or its link is down and there is another, drop it and try at once. When it would go by another way now, another
// connection is made beside it.
void path_network_changed(struct path *path);
// Whether somebody waits for the tunnel. While it is so and there is none, the next attempt comes half a second after the
// last one whatever the back-off has grown to, and one that hangs is begun anew, or the next gate's.
void path_want(struct path *path, bool wanted);
// The tunnel is to be left for another one, at this gate or the next that takes us in; until there is one, it serves on. `why`
// ("as the gate wants") is static. Only sets a flag.
void path_move(struct path *path, const char *why);
// The list "leaving": tunnels that were left and live on; and what all such have counted.
void path_describe_left(const struct path *path, struct facts *facts);
const struct usher_counters *path_left_counters(const struct path *path);
// End of turn, as tunnel_turn.
bool path_turn(struct path *path, usec_t now);
struct tunnel *path_tunnel(struct path *path); // NULL while down
// Why the gates that were tried in this round so far have failed; "": none has.
const char *path_why(const struct path *path);
// The gate that has the tunnel, or the one that was tried last.
const struct path_gate *path_gate(const struct path *path);

#endif
