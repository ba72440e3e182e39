// SPDX-License-Identifier: GPL-2.0-or-later
// Credentials are read once, before any privilege is given away.

#include "cli/options.h"

#include "os/socket.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CREDENTIAL_MAX = 4 * 1024 * 1024, // bytes of one file: a revocation list of some 50,000 entries
    FIRST_WINDOWS = 16 * 1024 * 1024, // bytes: 256 sessions' first 64 KiB
};

static bool read_one(struct config *config, const char *section, const char *key, const char *path, struct blob *out)
{
    struct fault fault;
    bool private = !strcmp(key, "Key");
    if (!path)
        return true;
    if (private ? blob_read_private(out, path, CREDENTIAL_MAX, &fault) : blob_read(out, path, CREDENTIAL_MAX, &fault))
        return true;
    config_mistake(config, section, key, "%s: %s", key, fault.text);
    return false;
}

struct tls_material options_tls_material(const struct options_material *m, enum tls_role role, bool allow_tls12)
{
    return (struct tls_material){
        .ca = m->ca.bytes,
        .ca_len = m->ca.len,
        .certificate = m->certificate.bytes,
        .certificate_len = m->certificate.len,
        .key = m->key.bytes,
        .key_len = m->key.len,
        .crl = m->crl.bytes,
        .crl_len = m->crl.len,
        .role = role,
        .allow_tls12 = allow_tls12,
    };
}

static const char *const KEY_OF[] = {
    [TLS_CA] = "CA", [TLS_CERTIFICATE] = "Certificate", [TLS_KEY] = "Key", [TLS_CRL] = "CRL"};

struct tls_identity *options_judge(struct config *config, const char *section, const struct options_tls *tls,
                                   enum tls_role role, struct options_material *material)
{
    if (tls->version && strcmp(tls->version, "1.2") && strcmp(tls->version, "1.3"))
        config_mistake(config, section, "MinimumTLS", "MinimumTLS: \"%s\" is neither 1.2 nor 1.3", tls->version);
    bool ok = tls->ca && tls->certificate && tls->key;
    ok &= read_one(config, section, "CA", tls->ca, &material->ca);
    ok &= read_one(config, section, "Certificate", tls->certificate, &material->certificate);
    ok &= read_one(config, section, "Key", tls->key, &material->key);
    ok &= read_one(config, section, "CRL", tls->crl, &material->crl);
    if (!ok)
        return NULL;

    struct fault fault;
    const struct tls_material tls_material = options_tls_material(material, role, options_allow_tls12(tls));
    enum tls_credential which;
    struct tls_identity *identity = tls_identity_new(&tls_material, &which, &fault);
    if (!identity)
        config_mistake(config, section, KEY_OF[which], "%s", fault.text);
    else if (tls_identity_runs_out(identity, (usec_t)time(NULL) * USEC_PER_SEC, &which, &fault))
        config_notice(config, section, KEY_OF[which], "%s", fault.text);
    return identity;
}

void options_material_wipe(struct options_material *material)
{
    blob_wipe(&material->ca);
    blob_wipe(&material->certificate);
    blob_wipe(&material->key);
    blob_wipe(&material->crl);
}

bool options_allow_tls12(const struct options_tls *tls)
{
    return tls->version && !strcmp(tls->version, "1.2");
}

void options_check_link(struct config *config, const char *section, const struct options_link *link)
{
    if (link->batch_interactive > link->batch)
        config_mistake(config, section, "BatchInteractive", "BatchInteractive must not be larger than Batch");
    const char *congestion = options_congestion(link->congestion);
    if (congestion && !socket_has_congestion(congestion))
        config_notice(config, section, "Congestion", "this kernel has no congestion control %s: its own will be used",
                      congestion);
}

const char *options_congestion(const char *name)
{
    return name && strcmp(name, "system") ? name : NULL;
}

// Windows that have grown may fill their budget while nobody reads; what all sessions have from the start may take as much
// again, and a few hundred of them in any case.
static uint64_t held_budget(uint64_t window_budget)
{
    return window_budget + (window_budget > FIRST_WINDOWS ? window_budget : FIRST_WINDOWS);
}

struct tunnel_config options_tunnel(const struct options_link *link)
{
    return (struct tunnel_config){
        .engine =
            {
                .max_sessions = (uint32_t)link->max_sessions,
                .max_unanswered = (uint32_t)link->max_sessions,
                .window_budget = link->window_budget,
                .window_max = (uint32_t)link->window_max,
                .held_budget = held_budget(link->window_budget),
            },
        .batch = (uint32_t)link->batch,
        .batch_interactive = (uint32_t)link->batch_interactive,
        .notsent_lowat = (uint32_t)link->notsent_lowat,
        .congestion = options_congestion(link->congestion),
        .handshake_timeout_ms = (uint32_t)link->handshake_timeout,
    };
}

void options_tls_fini(struct options_tls *tls)
{
    free(tls->ca);
    free(tls->certificate);
    free(tls->key);
    free(tls->crl);
    free(tls->version);
}

void options_link_fini(struct options_link *link)
{
    free(link->congestion);
}
