// SPDX-License-Identifier: GPL-2.0-or-later
// How sessions share the memory that the tunnel may take is worked out here, from the two keys that bound it.

#include "config/link_tuning.h"

#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_WINDOWS = 16 * 1024 * 1024 }; // bytes: 256 sessions' first 64 KiB

const char *link_tuning_congestion(const char *name)
{
    return name && strcmp(name, "system") ? name : NULL;
}

// Connections of local applications into the TUN device run at memory speed with no loss, where bbr's pacing only costs:
// cubic measured four times the rate. So a system that defaults to bbr gets cubic on these routes alone.
const char *link_tuning_route(const char *name)
{
    char own[SOCKET_CONGESTION_SIZE];
    if (name)
        return link_tuning_congestion(name);
    return socket_usual_congestion(own) && !strncmp(own, "bbr", 3) ? "cubic" : NULL;
}

void link_tuning_check(const struct link_tuning *tuning, struct config *config, const char *section)
{
    if (tuning->batch_interactive > tuning->batch)
        config_mistake(config, section, "BatchInteractive", "BatchInteractive must not be larger than Batch");
    const char *congestion = link_tuning_congestion(tuning->congestion);
    if (congestion && !socket_has_congestion(congestion))
        config_notice(config, section, "Congestion", "this kernel has no congestion control %s: its own will be used",
                      congestion);
}

// Windows that have grown may fill their budget while nobody reads; what all sessions have from the start may take as much
// again, and a few hundred of them in any case.
static uint64_t held_budget(uint64_t window_budget)
{
    return window_budget + (window_budget > FIRST_WINDOWS ? window_budget : FIRST_WINDOWS);
}

struct tunnel_config link_tuning_tunnel(const struct link_tuning *tuning)
{
    return (struct tunnel_config){
        .engine =
            {
                .max_sessions = (uint32_t)tuning->max_sessions,
                .max_unanswered = (uint32_t)tuning->max_sessions,
                .window_budget = tuning->window_budget,
                .window_max = (uint32_t)tuning->window_max,
                .held_budget = held_budget(tuning->window_budget),
            },
        .resume_ms = (uint32_t)tuning->resume_timeout,
        .replay_size = tuning->replay_buffer,
        .batch = (uint32_t)tuning->batch,
        .batch_interactive = (uint32_t)tuning->batch_interactive,
        .lane =
            {
                .notsent_lowat = (uint32_t)tuning->notsent_lowat,
                .congestion = link_tuning_congestion(tuning->congestion),
                .handshake_timeout_ms = (uint32_t)tuning->handshake_timeout,
            },
    };
}

void link_tuning_fini(struct link_tuning *tuning)
{
    free(tuning->congestion);
}
