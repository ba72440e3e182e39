// SPDX-License-Identifier: GPL-2.0-or-later
// Keys that both programs have: credentials, and the tuning of the tunnel. The macros put them into a program's table.
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/value.h"
#include "link/tunnel.h"
#include "os/secret.h"

struct options_tls {
    char *ca, *certificate, *key, *crl; // paths; crl may be NULL
    char *version;                      // the least: "1.3" or "1.2"
};

// What the paths hold.
struct options_material {
    struct blob ca, certificate, key, crl;
};

struct options_link {
    uint64_t max_sessions;
    uint64_t window_max, window_budget; // bytes
    uint64_t batch, batch_interactive;  // bytes
    uint64_t notsent_lowat;             // bytes
    uint64_t handshake_timeout;         // ms
    char *congestion;                   // "auto": by the path; "system": the system's own
    bool udp_offload;
};

#define OPTIONS_TLS_KEYS(SECTION, TYPE, TLS)                                                                           \
    {SECTION, "CA", value_path, offsetof(TYPE, TLS.ca), .required = true},                                             \
        {SECTION, "Certificate", value_path, offsetof(TYPE, TLS.certificate), .required = true},                       \
        {SECTION, "Key", value_path, offsetof(TYPE, TLS.key), .required = true},                                       \
        {SECTION, "CRL", value_path, offsetof(TYPE, TLS.crl), .fallback = NULL},                                       \
    {                                                                                                                  \
        SECTION, "MinimumTLS", value_word, offsetof(TYPE, TLS.version), .fallback = "1.3"                              \
    }

#define OPTIONS_BOUNDED(SECTION, NAME, PARSE, TYPE, FIELD, FALLBACK, MIN, MAX)                                         \
    CONFIG_BOUNDED(SECTION, NAME, PARSE, offsetof(TYPE, FIELD), FALLBACK, MIN, MAX)

#define OPTIONS_LINK_KEYS(SECTION, TYPE, LINK)                                                                         \
    OPTIONS_BOUNDED(SECTION, "MaxSessions", value_number, TYPE, LINK.max_sessions, "32000", 1, 32766),                 \
        OPTIONS_BOUNDED(SECTION, "WindowMax", value_size, TYPE, LINK.window_max, "16M", 65536, 16 << 20),              \
        OPTIONS_BOUNDED(SECTION, "WindowBudget", value_budget, TYPE, LINK.window_budget, "auto", 0, 1ull << 40),       \
        OPTIONS_BOUNDED(SECTION, "Batch", value_size, TYPE, LINK.batch, "256K", 32768, TLS_BATCH_MAX),                 \
        OPTIONS_BOUNDED(SECTION, "BatchInteractive", value_size, TYPE, LINK.batch_interactive, "64K", 32768,           \
                        TLS_BATCH_MAX),                                                                                \
        OPTIONS_BOUNDED(SECTION, "NotSentLowat", value_size, TYPE, LINK.notsent_lowat, "128K", 16384, 16 << 20),       \
        OPTIONS_BOUNDED(SECTION, "HandshakeTimeout", value_duration, TYPE, LINK.handshake_timeout, "10s", 1000,        \
                        60000),                                                                                        \
        {SECTION, "UDPOffload", value_switch, offsetof(TYPE, LINK.udp_offload), .fallback = "yes"},                    \
    {                                                                                                                  \
        SECTION, "Congestion", value_word, offsetof(TYPE, LINK.congestion), .fallback = "auto", .max = 15              \
    }

// What the bounds of single keys cannot say.
void options_check_link(struct config *config, const char *section, const struct options_link *link);
// Reads the files and proves that they fit together; every mistake is reported at its key's line, and what will soon be
// out of date as well. NULL when there was a mistake. `material` holds what was read until options_material_wipe.
struct tls_identity *options_judge(struct config *config, const char *section, const struct options_tls *tls,
                                   enum tls_role role, struct options_material *material);
struct tls_material options_tls_material(const struct options_material *material, enum tls_role role, bool allow_tls12);
void options_material_wipe(struct options_material *material);
bool options_allow_tls12(const struct options_tls *tls);
struct tunnel_config options_tunnel(const struct options_link *link);
// "system" reads as NULL.
const char *options_congestion(const char *name);

void options_tls_fini(struct options_tls *tls);
void options_link_fini(struct options_link *link);

#endif
