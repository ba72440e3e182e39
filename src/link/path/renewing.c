// SPDX-License-Identifier: GPL-2.0-or-later
// What goes by the configuration of before is given up, but for a tunnel: that is judged by the new one.
#include "link/path/path.h"

#include "base/memory.h"
#include "link/path/internal.h"

#include <stdlib.h>
#include <string.h>

void path_configure(struct path *path, const struct path_config *config)
{
    size_t size = config->gate_count * sizeof *path->gates;
    free(path->gates);
    free(path->known);
    path->gates = memory_new(size);
    memcpy(path->gates, config->gates, size);
    path->known = memory_new(config->gate_count * sizeof *path->known);
    path->config = *config;
    path->config.gates = path->gates;
}

// Why a tunnel ends that is there; NULL: it stays. One that waits for a lane is judged with that.
static const char *unwanted(const struct path *path, const struct tunnel *tunnel, struct fault *why)
{
    const struct tls *tls = tunnel_tls(tunnel);
    if (path->unlisted)
        return "the portal's configuration names this gate no longer";
    return !tls || tls_peer_is_trusted(tls, path->config.identity, why) ? NULL : why->text;
}

static void judge(struct path *path, struct tunnel *tunnel)
{
    struct fault fault;
    const char *why = unwanted(path, tunnel, &fault);
    if (!why && !path->held)
        returning_schedule(path);
    if (!why)
        return;
    path->at_once = true;
    tunnel_end(tunnel, why);
}

struct judging {
    struct tls_identity *identity;
    struct fault why;
};

static const char *untrusted(void *arg, struct tunnel *tunnel)
{
    struct judging *judging = arg;
    const struct tls *tls = tunnel_tls(tunnel);
    return !tls || tls_peer_is_trusted(tls, judging->identity, &judging->why) ? NULL : judging->why.text;
}

void path_renew(struct path *path, const struct path_config *config)
{
    size_t place = path_gate_find(config->gates, config->gate_count, path_gate(path));
    bool is_listed = place < config->gate_count;
    if (path->held && path->phase == THROUGH)
        holding_take_back(path);
    returning_stop(path);
    if (path->phase == WAITING || path->phase == TRYING)
        rounds_abandon(path);
    if (!is_listed && !path->unlisted)
        path->unlisted = path_gate_copy(path_gate(path));
    path->gate = path->held_gate = is_listed ? place : config->gate_count - 1; // the first comes next
    path->next = 0;
    path_configure(path, config);
    leaving_judge(&path->leaving, untrusted, &(struct judging){.identity = config->identity});
    if (path->stopping || path->phase == FAILED)
        return;
    struct tunnel *tunnel = path_tunnel(path);
    if (tunnel)
        judge(path, tunnel);
    if (path->phase != UP)
        rounds_start(path, 0);
}
