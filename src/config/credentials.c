// SPDX-License-Identifier: GPL-2.0-or-later
// Credentials are read once, before any privilege is given away.

#include "config/credentials.h"

#include "config/secret_file.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CREDENTIAL_MAX = 4 * 1024 * 1024 }; // bytes of one file: a revocation list of some 50,000 entries

static const char *const KEY_OF[] = {
    [TLS_CA] = "CA", [TLS_CERTIFICATE] = "Certificate", [TLS_KEY] = "Key", [TLS_CRL] = "CRL"};

bool credential_minimum_tls(void *field, const struct config_entry *entry, const struct config_key *key,
                            struct fault *fault)
{
    (void)key;
    bool allow_tls12 = !strcmp(entry->value, "1.2");
    if (!allow_tls12 && strcmp(entry->value, "1.3"))
        return fault_set(fault, "is neither 1.2 nor 1.3");
    *(bool *)field = allow_tls12;
    return true;
}

static bool read_one(struct blob *out, struct config *config, const char *section, enum tls_credential which,
                     const char *path)
{
    struct fault fault;
    const char *key = KEY_OF[which];
    if (!path)
        return true;
    if (which == TLS_KEY)
        return secret_file_read(out, config, section, key, path);
    if (blob_read(out, path, CREDENTIAL_MAX, &fault))
        return true;
    config_mistake(config, section, key, "%s: %s", key, fault.text);
    return false;
}

bool credentials_read(struct credentials *out, struct config *config, const char *section,
                      const struct credential_keys *keys)
{
    bool ok = keys->ca && keys->certificate && keys->key;
    ok &= read_one(&out->ca, config, section, TLS_CA, keys->ca);
    ok &= read_one(&out->certificate, config, section, TLS_CERTIFICATE, keys->certificate);
    ok &= read_one(&out->key, config, section, TLS_KEY, keys->key);
    ok &= read_one(&out->crl, config, section, TLS_CRL, keys->crl);
    return ok;
}

struct tls_identity *credentials_judge(const struct credentials *credentials, struct config *config,
                                       const char *section, const struct credential_keys *keys, enum tls_role role)
{
    struct fault fault;
    enum tls_credential which;
    const struct tls_material material = credentials_material(credentials, keys, role);
    struct tls_identity *identity = tls_identity_new(&material, &which, &fault);
    if (!identity)
        config_mistake(config, section, KEY_OF[which], "%s", fault.text);
    else if (tls_identity_runs_out(identity, (usec_t)time(NULL) * USEC_PER_SEC, &which, &fault))
        config_notice(config, section, KEY_OF[which], "%s", fault.text);
    return identity;
}

struct tls_material credentials_material(const struct credentials *credentials, const struct credential_keys *keys,
                                         enum tls_role role)
{
    return (struct tls_material){
        .ca = credentials->ca.bytes,
        .ca_len = credentials->ca.len,
        .certificate = credentials->certificate.bytes,
        .certificate_len = credentials->certificate.len,
        .key = credentials->key.bytes,
        .key_len = credentials->key.len,
        .crl = credentials->crl.bytes,
        .crl_len = credentials->crl.len,
        .role = role,
        .allow_tls12 = keys->allow_tls12,
    };
}

void credentials_wipe(struct credentials *credentials)
{
    blob_wipe(&credentials->ca);
    blob_wipe(&credentials->certificate);
    blob_wipe(&credentials->key);
    blob_wipe(&credentials->crl);
}

void credential_keys_fini(struct credential_keys *keys)
{
    free(keys->ca);
    free(keys->certificate);
    free(keys->key);
    free(keys->crl);
}
