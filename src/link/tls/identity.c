// SPDX-License-Identifier: GPL-2.0-or-later
// Who we are and whom we believe. Everything that can be wrong with the files of a configuration is found here, at the
// start, and told in one sentence each; our own dates are no reason to fail, since a machine without a clock battery must
// come up first.
#include "link/tls/internal.h"

#include "base/memory.h"
#include "link/tls/context.h"
#include "link/tls/revocation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOTICE_USEC (14 * 86400 * USEC_PER_SEC) // two weeks: time to renew what is copied by hand
#define SKEW_USEC   (86400 * USEC_PER_SEC)      // a day: an authority whose clock is ahead, or in another zone
#ifndef USHER_BUILT                             // Unix seconds
#define USHER_BUILT 0
#endif

static void note_signed(struct tls_identity *identity, usec_t at)
{
    if (at > identity->earliest)
        identity->earliest = at;
}

static void write_date(char date[32], const char *format, usec_t at)
{
    time_t seconds = (time_t)(at / USEC_PER_SEC);
    struct tm tm;
    strftime(date, 32, format, gmtime_r(&seconds, &tm));
}

bool tls_identity_may_judge(const struct tls_identity *identity, usec_t wall, struct fault *why)
{
    char shown[32], least[32];
    if (wall + SKEW_USEC >= identity->earliest)
        return true;
    write_date(shown, "%F", wall);
    write_date(least, "%F", identity->earliest);
    return fault_set(why, "the clock says %s, and it is %s at least: no certificate can be judged until it is set",
                     shown, least);
}

// Our own certificate as the peer will see it: it must be one for this end.
static bool check_own_certificate(struct tls_identity *identity, const struct tls_material *material,
                                  struct fault *fault)
{
    struct span in = {material->certificate, material->certificate_len};
    struct certificate own;
    uint8_t *der;
    size_t len;
    if (!tls_pem_next(&in, "CERTIFICATE", &der, &len))
        return fault_set(fault, "Certificate: holds no certificate in PEM form");
    bool gate = material->role == TLS_GATE, good = true;
    char names[CERTIFICATE_NAMES_SIZE], name[CERTIFICATE_NAME_SIZE];
    if (!certificate_parse(&own, der, len))
        good = fault_set(fault, "Certificate: cannot be parsed");
    else if (own.is_ca)
        good = fault_set(fault, "Certificate: %.200s is a CA's own", certificate_names_text(&own, names));
    else if (!(gate ? own.authenticates_gates : own.authenticates_portals))
        good = fault_set(fault, "Certificate: %.200s lacks the extended key usage %s that a %s needs",
                         certificate_names_text(&own, names), gate ? "serverAuth" : "clientAuth",
                         gate ? "gate" : "portal");
    else if (!own.signs)
        good = fault_set(fault, "Certificate: %.200s lacks the key usage digitalSignature",
                         certificate_names_text(&own, names));
    else if (!gate && !certificate_name(&own, name))
        good = fault_set(fault, "Certificate: %.200s is no name that a gate could know a portal by",
                         certificate_names_text(&own, names));
    if (good)
        identity->expires = own.not_after;
    free(der);
    return good;
}

static bool load_own(struct tls_identity *identity, const struct tls_material *material, enum tls_credential *at_fault,
                     struct fault *fault)
{
    *at_fault = TLS_CERTIFICATE;
    int result =
        wolfSSL_CTX_use_certificate_chain_buffer(identity->ctx, material->certificate, (long)material->certificate_len);
    if (result != WOLFSSL_SUCCESS)
        return fault_set(fault, "Certificate: %s", tls_reason_word(result));
    *at_fault = TLS_KEY;
    result =
        wolfSSL_CTX_use_PrivateKey_buffer(identity->ctx, material->key, (long)material->key_len, WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS)
        return fault_set(fault, "Key: holds no private key that can be used (PEM, without a passphrase)");
    if (wolfSSL_CTX_check_private_key(identity->ctx) != WOLFSSL_SUCCESS)
        return fault_set(fault, "Key: does not belong to the certificate");
    return true;
}

static bool check_authorities(struct tls_identity *identity, struct fault *fault)
{
    struct span in = {identity->ca, identity->ca_len};
    uint8_t *der;
    size_t len, count = 0;
    bool good = true;
    while (good && tls_pem_next(&in, "CERTIFICATE", &der, &len)) {
        struct certificate ca;
        if (!certificate_parse(&ca, der, len))
            good = fault_set(fault, "CA certificate: cannot be parsed");
        else if (!ca.is_ca || !ca.signs_certificates)
            good = fault_set(fault, "CA certificate: is not a CA's (basicConstraints CA:TRUE, keyUsage keyCertSign)");
        else
            note_signed(identity, ca.not_before);
        free(der);
        count++;
    }
    if (good && count == 0)
        return fault_set(fault, "CA certificate: holds no certificate in PEM form");
    return good;
}

static void note_lists(struct tls_identity *identity)
{
    struct span in = {identity->crl, identity->crl_len};
    struct revocation_list list;
    uint8_t *der;
    size_t len;
    identity->list_expires = USEC_NEVER;
    while (tls_pem_next(&in, "X509 CRL", &der, &len)) {
        if (revocation_list_parse(&list, der, len)) {
            note_signed(identity, list.this_update);
            if (list.next_update < identity->list_expires)
                identity->list_expires = list.next_update;
        }
        free(der);
    }
}

static uint8_t *copy(const uint8_t *bytes, size_t len)
{
    uint8_t *room = memory_new(len + 1);
    memcpy(room, bytes, len);
    return room;
}

static bool set_up(struct tls_identity *identity, const struct tls_material *material, enum tls_credential *at_fault,
                   struct fault *fault)
{
    *at_fault = TLS_CA;
    if (!check_authorities(identity, fault))
        return false;
    *at_fault = TLS_CERTIFICATE;
    if (!check_own_certificate(identity, material, fault))
        return false;
    identity->ctx = tls_context_new(material->role, material->allow_tls12);
    if (!identity->ctx)
        return fault_set(fault, "wolfSSL lacks what is needed for TLS 1.3 with our ciphers and groups");
    struct fault unset;
    bool filled = tls_identity_may_judge(identity, (usec_t)time(NULL) * USEC_PER_SEC, &unset)
                      ? tls_store_fill(wolfSSL_CTX_GetCertManager(identity->ctx), identity, at_fault, fault)
                      : tls_store_fill_undated(identity->ctx, identity, at_fault, fault);
    if (!filled || !load_own(identity, material, at_fault, fault))
        return false;
    *at_fault = TLS_CERTIFICATE;
    return tls_selftest(identity, fault);
}

struct tls_identity *tls_identity_new(const struct tls_material *material, enum tls_credential *at_fault,
                                      struct fault *fault)
{
    struct tls_identity *identity = memory_new(sizeof(*identity));
    identity->role = material->role;
    identity->allow_tls12 = material->allow_tls12;
    identity->earliest = USHER_BUILT * USEC_PER_SEC;
    identity->ca = copy(material->ca, material->ca_len);
    identity->ca_len = material->ca_len;
    if (material->crl) {
        identity->crl = copy(material->crl, material->crl_len);
        identity->crl_len = material->crl_len;
    }
    note_lists(identity);
    if (!set_up(identity, material, at_fault, fault)) {
        tls_identity_free(identity);
        return NULL;
    }
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (!identity)
        return;
    if (identity->ctx)
        wolfSSL_CTX_free(identity->ctx);
    free(identity->ca);
    free(identity->crl);
    free(identity);
}

static bool is_soon(usec_t at, usec_t wall, char date[32])
{
    if (at > wall + NOTICE_USEC)
        return false;
    write_date(date, "%FT%TZ", at);
    return true;
}

bool tls_identity_runs_out(const struct tls_identity *identity, usec_t wall, enum tls_credential *which,
                           struct fault *notice)
{
    char date[32];
    *which = is_soon(identity->expires, wall, date) ? TLS_CERTIFICATE : TLS_CRL;
    if (*which == TLS_CERTIFICATE)
        fault_set(notice, "Certificate: valid until %s; issue it anew (usher-pki issue)", date);
    else if (is_soon(identity->list_expires, wall, date))
        fault_set(notice, "CRL: valid until %s; make a fresh one (usher-pki crl DIR)", date);
    else
        return false;
    return true;
}
