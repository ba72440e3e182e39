// SPDX-License-Identifier: GPL-2.0-or-later
// Who we are and whom we believe. Everything that can be wrong with the files of a configuration is found here, at the
// start, and told in one sentence each; our own dates are no reason to fail, since a machine without a clock battery must
// come up first.
#include "link/tls/internal.h"

#include "base/memory.h"
#include "link/tls/context.h"
#include "link/tls/material.h"
#include "link/tls/revocation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SKEW_USEC (86400 * USEC_PER_SEC) // a day: an authority whose clock is ahead, or in another zone
#ifndef USHER_BUILT                      // Unix seconds
#define USHER_BUILT 0
#endif

static void note_signed(struct tls_identity *identity, usec_t at)
{
    if (at > identity->earliest)
        identity->earliest = at;
}

bool tls_identity_may_judge(const struct tls_identity *identity, usec_t wall, struct fault *why)
{
    char shown[TLS_DATE_SIZE], least[TLS_DATE_SIZE];
    if (wall + SKEW_USEC >= identity->earliest)
        return true;
    tls_reason_date(wall, shown);
    tls_reason_date(identity->earliest, least);
    return fault_set(why,
                     "the clock says %.10s, and it is %.10s at least: no certificate can be judged until it is set",
                     shown, least);
}

// Our own certificate as the peer will see it: it must be one for this end.
static bool check_own_certificate(struct tls_identity *identity, const struct span *der, struct fault *fault)
{
    struct certificate own;
    char names[CERTIFICATE_NAMES_SIZE], name[CERTIFICATE_NAME_SIZE];
    bool gate = identity->role == TLS_GATE;
    if (!certificate_parse(&own, der->bytes, der->len))
        return fault_set(fault, "Certificate: cannot be parsed");
    if (own.is_ca)
        return fault_set(fault, "Certificate: %.200s is a CA's own", certificate_names_text(&own, names));
    if (!(gate ? own.authenticates_gates : own.authenticates_portals))
        return fault_set(fault, "Certificate: %.200s lacks the extended key usage %s that a %s needs",
                         certificate_names_text(&own, names), gate ? "serverAuth" : "clientAuth",
                         gate ? "gate" : "portal");
    if (!own.signs)
        return fault_set(fault, "Certificate: %.200s lacks the key usage digitalSignature",
                         certificate_names_text(&own, names));
    if (!gate && !certificate_name(&own, name))
        return fault_set(fault, "Certificate: %.200s is no name that a gate could know a portal by",
                         certificate_names_text(&own, names));
    identity->expires[TLS_CERTIFICATE] = own.not_after;
    return true;
}

static bool load_key(struct tls_identity *identity, const struct tls_material *material, struct fault *fault)
{
    struct blob key;
    if (!material_key(&key, "Key", material->key, material->key_len, fault))
        return false;
    int result = wolfSSL_CTX_use_PrivateKey_buffer(identity->ctx, key.bytes, (long)key.len, WOLFSSL_FILETYPE_ASN1);
    blob_wipe(&key);
    return result == WOLFSSL_SUCCESS ||
           fault_set(fault, "Key: is damaged, or of a kind that cannot be used; " TLS_KINDS " can");
}

// Of several certificates the one that the key belongs to; without a key the first.
static bool find_own(struct tls_identity *identity, const struct tls_material *material,
                     const struct blob *certificates, struct span *own, enum tls_credential *at_fault,
                     struct fault *fault)
{
    struct span in = {certificates->bytes, certificates->len};
    struct der_element element;
    *at_fault = TLS_CERTIFICATE;
    for (bool first = true; der_take(&in, DER_SEQUENCE, &element); first = false) {
        if (first)
            *own = element.whole;
        int result = wolfSSL_CTX_use_certificate_buffer(identity->ctx, element.whole.bytes, (long)element.whole.len,
                                                        WOLFSSL_FILETYPE_ASN1);
        if (result != WOLFSSL_SUCCESS && first)
            return fault_set(fault, "Certificate: %s", tls_reason_word(result));
        if (result != WOLFSSL_SUCCESS || !material->key)
            continue;
        if (wolfSSL_CTX_check_private_key(identity->ctx) == WOLFSSL_SUCCESS) {
            *own = element.whole;
            return true;
        }
    }
    *at_fault = TLS_KEY;
    return !material->key || fault_set(fault, "Key: does not belong to the certificate");
}

static bool load_chain(struct tls_identity *identity, const struct span *own, const struct blob *certificates,
                       struct fault *fault)
{
    struct blob chain;
    if (!material_chain(&chain, *own, (struct span){certificates->bytes, certificates->len},
                        (struct span){identity->ca.bytes, identity->ca.len}, TLS_CHAIN_MAX))
        return fault_set(fault, "Certificate: more than %d CAs stand between it and the root", TLS_CHAIN_MAX - 1);
    int result = wolfSSL_CTX_use_certificate_chain_buffer_format(identity->ctx, chain.bytes, (long)chain.len,
                                                                 WOLFSSL_FILETYPE_ASN1);
    blob_wipe(&chain);
    return result == WOLFSSL_SUCCESS || fault_set(fault, "Certificate: %s", tls_reason_word(result));
}

static bool load_own(struct tls_identity *identity, const struct tls_material *material, enum tls_credential *at_fault,
                     struct fault *fault)
{
    struct blob certificates;
    struct span own;
    *at_fault = TLS_CERTIFICATE;
    if (!material_certificates(&certificates, "Certificate", material->certificate, material->certificate_len, fault))
        return false;
    *at_fault = TLS_KEY;
    bool good = (!material->key || load_key(identity, material, fault)) &&
                find_own(identity, material, &certificates, &own, at_fault, fault);
    if (good) {
        *at_fault = TLS_CERTIFICATE;
        good = check_own_certificate(identity, &own, fault) && load_chain(identity, &own, &certificates, fault);
    }
    blob_wipe(&certificates);
    return good;
}

static bool check_authorities(struct tls_identity *identity, const struct tls_material *material, struct fault *fault)
{
    if (!material_certificates(&identity->ca, "CA certificate", material->ca, material->ca_len, fault))
        return false;
    struct span in = {identity->ca.bytes, identity->ca.len};
    struct der_element element;
    while (der_take(&in, DER_SEQUENCE, &element)) {
        struct certificate ca;
        if (!certificate_parse(&ca, element.whole.bytes, element.whole.len))
            return fault_set(fault, "CA certificate: cannot be parsed");
        if (!ca.is_ca || !ca.signs_certificates)
            return fault_set(fault, "CA certificate: is not a CA's (basicConstraints CA:TRUE, keyUsage keyCertSign)");
        note_signed(identity, ca.not_before);
        if (ca.not_after < identity->expires[TLS_CA])
            identity->expires[TLS_CA] = ca.not_after;
    }
    return true;
}

static bool note_lists(struct tls_identity *identity, const struct tls_material *material, struct fault *fault)
{
    if (!material->crl)
        return true;
    if (!material_lists(&identity->crl, "CRL", material->crl, material->crl_len, fault))
        return false;
    struct span in = {identity->crl.bytes, identity->crl.len};
    struct der_element element;
    struct revocation_list list;
    while (der_take(&in, DER_SEQUENCE, &element)) {
        if (!revocation_list_parse(&list, element.whole.bytes, element.whole.len))
            continue; // which loading it tells
        note_signed(identity, list.this_update);
        if (list.next_update < identity->expires[TLS_CRL])
            identity->expires[TLS_CRL] = list.next_update;
    }
    return true;
}

static bool set_up(struct tls_identity *identity, const struct tls_material *material, enum tls_credential *at_fault,
                   struct fault *fault)
{
    *at_fault = TLS_CA;
    if (!check_authorities(identity, material, fault))
        return false;
    *at_fault = TLS_CRL;
    if (!note_lists(identity, material, fault))
        return false;
    *at_fault = TLS_CERTIFICATE;
    identity->ctx = tls_context_new(material->role, material->allow_tls12);
    if (!identity->ctx)
        return fault_set(fault, "wolfSSL lacks what is needed for TLS 1.3 with our ciphers and groups");
    struct fault unset;
    bool filled = tls_identity_may_judge(identity, (usec_t)time(NULL) * USEC_PER_SEC, &unset)
                      ? tls_store_fill(wolfSSL_CTX_GetCertManager(identity->ctx), identity, at_fault, fault)
                      : tls_store_fill_undated(identity->ctx, identity, at_fault, fault);
    if (!filled || (material->certificate && !load_own(identity, material, at_fault, fault)))
        return false;
    *at_fault = TLS_CERTIFICATE;
    return !material->key || tls_selftest(identity, fault);
}

struct tls_identity *tls_identity_new(const struct tls_material *material, enum tls_credential *at_fault,
                                      struct fault *fault)
{
    struct tls_identity *identity = memory_new(sizeof(*identity));
    identity->uses = 1;
    identity->role = material->role;
    identity->allow_tls12 = material->allow_tls12;
    identity->earliest = USHER_BUILT * USEC_PER_SEC;
    for (size_t i = 0; i < TLS_CREDENTIALS; i++) {
        identity->files[i] = material->files[i] ? memory_text(material->files[i]) : NULL;
        identity->expires[i] = USEC_NEVER;
    }
    if (!set_up(identity, material, at_fault, fault)) {
        tls_identity_free(identity);
        return NULL;
    }
    return identity;
}

struct tls_identity *tls_identity_keep(struct tls_identity *identity)
{
    identity->uses++;
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (!identity || --identity->uses > 0)
        return;
    if (identity->ctx)
        wolfSSL_CTX_free(identity->ctx);
    for (size_t i = 0; i < TLS_CREDENTIALS; i++)
        free(identity->files[i]);
    blob_wipe(&identity->ca);
    blob_wipe(&identity->crl);
    free(identity);
}

const usec_t *tls_identity_expires(const struct tls_identity *identity)
{
    return identity->expires;
}
