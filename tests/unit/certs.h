// SPDX-License-Identifier: GPL-2.0-or-later
// The certificates of tests/unit/make-certs, made once for a test program in a directory of its own.
#ifndef TESTS_UNIT_CERTS_H
#define TESTS_UNIT_CERTS_H

#include "link/tls/tls.h"
#include "os/file/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char certs_dir[] = "/tmp/usher-certs-XXXXXX";

static inline int certs_make_by(const char *script)
{
    char command[256];
    if (!mkdtemp(certs_dir))
        return -1;
    snprintf(command, sizeof(command), "tests/unit/%s %s >%s/log 2>&1", script, certs_dir, certs_dir);
    return system(command);
}

static inline int certs_make(void **state)
{
    (void)state;
    return certs_make_by("make-certs");
}

static int certs_remove(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", certs_dir);
    return system(command);
}

static struct blob certs_read(const char *file)
{
    char path[256];
    struct blob blob = {0};
    struct fault fault;
    if (!file)
        return blob;
    snprintf(path, sizeof(path), "%s/%s", certs_dir, file);
    if (!blob_read(&blob, path, 1 << 20, &fault))
        fail_msg("%s", fault.text);
    return blob;
}

struct certs_case {
    const char *stem; // of the certificate and the key: "pki/branch"
    const char *ca;   // "pki/ca.crt" when NULL
    const char *crl;  // none when NULL
    const char *key;  // when it is not the stem's own
    bool allow_tls12;
};

// NULL with a fault.
static struct tls_identity *certs_try(enum tls_role role, const struct certs_case *c, enum tls_credential *at_fault,
                                      struct fault *fault)
{
    char certificate[128], key[128];
    snprintf(certificate, sizeof(certificate), "%s.crt", c->stem);
    snprintf(key, sizeof(key), "%s.key", c->key ? c->key : c->stem);
    struct blob ca = certs_read(c->ca ? c->ca : "pki/ca.crt"), crl = certs_read(c->crl);
    struct blob cert = certs_read(certificate), priv = certs_read(key);
    struct tls_material material = {
        .ca = ca.bytes,
        .ca_len = ca.len,
        .certificate = cert.bytes,
        .certificate_len = cert.len,
        .key = priv.bytes,
        .key_len = priv.len,
        .crl = crl.bytes,
        .crl_len = crl.len,
        .role = role,
        .allow_tls12 = c->allow_tls12,
    };
    struct tls_identity *identity = tls_identity_new(&material, at_fault, fault);
    blob_wipe(&ca);
    blob_wipe(&crl);
    blob_wipe(&cert);
    blob_wipe(&priv);
    return identity;
}

static inline struct tls_identity *certs_identity(enum tls_role role, struct certs_case c)
{
    struct fault fault = {""};
    enum tls_credential at_fault;
    struct tls_identity *identity = certs_try(role, &c, &at_fault, &fault);
    if (!identity)
        fail_msg("%s: %s", c.stem, fault.text);
    return identity;
}

#endif
