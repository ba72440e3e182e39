// SPDX-License-Identifier: GPL-2.0-or-later
// The keys that tune the tunnel, which both programs have.
#ifndef CONFIG_LINK_TUNING_H
#define CONFIG_LINK_TUNING_H

#include "config/value.h"
#include "link/tunnel/tunnel.h"

struct link_tuning {
    uint64_t max_sessions;
    uint64_t window_max, window_budget; // bytes
    uint64_t batch, batch_interactive;  // bytes
    uint64_t notsent_lowat;             // bytes
    uint64_t handshake_timeout;         // ms
    uint64_t resume_timeout;            // ms; 0: a tunnel ends with its connection
    uint64_t replay_buffer;             // bytes
    char *congestion;                   // "auto": by the path; "system": the system's own
    bool udp_offload;
};

#define LINK_TUNING_BOUNDED(SECTION, NAME, PARSE, TYPE, FIELD, FALLBACK, MIN, MAX)                                     \
    CONFIG_BOUNDED(SECTION, NAME, PARSE, offsetof(TYPE, FIELD), FALLBACK, MIN, MAX)

#define LINK_TUNING_KEYS(SECTION, TYPE, LINK)                                                                          \
    LINK_TUNING_BOUNDED(SECTION, "MaxSessions", value_number, TYPE, LINK.max_sessions, "32000", 1, 32766),             \
        LINK_TUNING_BOUNDED(SECTION, "WindowMax", value_size, TYPE, LINK.window_max, "16M", 65536, 16 << 20),          \
        LINK_TUNING_BOUNDED(SECTION, "WindowBudget", value_budget, TYPE, LINK.window_budget, "auto", 0, 1ull << 40),   \
        LINK_TUNING_BOUNDED(SECTION, "Batch", value_size, TYPE, LINK.batch, "256K", 32768, TLS_BATCH_MAX),             \
        LINK_TUNING_BOUNDED(SECTION, "BatchInteractive", value_size, TYPE, LINK.batch_interactive, "64K", 32768,       \
                            TLS_BATCH_MAX),                                                                            \
        LINK_TUNING_BOUNDED(SECTION, "NotSentLowat", value_size, TYPE, LINK.notsent_lowat, "128K", 16384, 16 << 20),   \
        LINK_TUNING_BOUNDED(SECTION, "HandshakeTimeout", value_duration, TYPE, LINK.handshake_timeout, "10s", 1000,    \
                            60000),                                                                                    \
        LINK_TUNING_BOUNDED(SECTION, "ResumeTimeout", value_duration, TYPE, LINK.resume_timeout, "2m", 0, 3600000),    \
        LINK_TUNING_BOUNDED(SECTION, "ReplayBuffer", value_budget, TYPE, LINK.replay_buffer, "auto", 1 << 20,          \
                            1ull << 40),                                                                               \
        {SECTION, "UDPOffload", value_switch, offsetof(TYPE, LINK.udp_offload), .fallback = "yes"},                    \
    {                                                                                                                  \
        SECTION, "Congestion", value_word, offsetof(TYPE, LINK.congestion), .fallback = "auto", .max = 15              \
    }

// What the bounds of single keys cannot say.
void link_tuning_check(const struct link_tuning *tuning, struct config *config, const char *section);
struct tunnel_config link_tuning_tunnel(const struct link_tuning *tuning);
// A congestion control by its name, for the kernel: "system" reads as NULL.
const char *link_tuning_congestion(const char *name);
// RouteCongestion as the kernel knows it, for the routes into a TUN device; of `name` NULL what is best, which may be NULL.
const char *link_tuning_route(const char *name);
void link_tuning_fini(struct link_tuning *tuning);

#endif
