// SPDX-License-Identifier: GPL-2.0-or-later
// The authorities that we believe, and what they have withdrawn. A store is always filled from nothing: wolfSSL keeps
// what a peer's chain brought along, and an older revocation list that is loaded later would hide a newer one.
#include "link/tls/internal.h"
#include "link/tls/revocation.h"

#include <stdlib.h>
#include <time.h>

enum { LISTS_MAX = 8 }; // one for each authority of a bundle

static bool refuse_authority(const struct tls_identity *identity, const struct span *der, int error,
                             struct fault *fault)
{
    char names[CERTIFICATE_NAMES_SIZE], file[TLS_FILE_SIZE], date[TLS_DATE_SIZE];
    struct certificate ca;
    if (error != ASN_AFTER_DATE_E || !certificate_parse(&ca, der->bytes, der->len))
        return fault_set(fault, "CA certificate: %s", tls_reason_word(error));
    return fault_set(
        fault,
        "CA certificate:%s (%.100s) has expired, it did on %s: make a new one and issue all that it issued "
        "anew (usher-pki init, usher-pki issue)",
        tls_reason_file(identity, TLS_CA, file), certificate_names_text(&ca, names),
        tls_reason_date(ca.not_after, date));
}

// `undated`: the context that `store` belongs to, where dates are not to be looked at; else NULL.
static int load_authority(WOLFSSL_CERT_MANAGER *store, WOLFSSL_CTX *undated, const struct span *der)
{
    if (undated)
        return wolfSSL_CTX_load_verify_buffer_ex(undated, der->bytes, (long)der->len, WOLFSSL_FILETYPE_ASN1, 0,
                                                 WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
    return wolfSSL_CertManagerLoadCABuffer(store, der->bytes, (long)der->len, WOLFSSL_FILETYPE_ASN1);
}

static bool load_authorities(WOLFSSL_CERT_MANAGER *store, WOLFSSL_CTX *undated, const struct tls_identity *identity,
                             struct fault *fault)
{
    struct span in = {identity->ca.bytes, identity->ca.len};
    struct der_element ca;
    while (der_take(&in, DER_SEQUENCE, &ca)) {
        int result = load_authority(store, undated, &ca.whole);
        if (result != WOLFSSL_SUCCESS)
            return refuse_authority(identity, &ca.whole, result, fault);
    }
#ifdef WOLFSSL_TRUST_PEER_CERT
    // Loading an authority also makes it a "trusted peer" in some builds, and such a peer is recognised by everything
    // but its key.
    if (wolfSSL_CertManagerUnload_trust_peers(store) != WOLFSSL_SUCCESS)
        return fault_set(fault, "wolfSSL cannot do without trusted peers");
#endif
    return true;
}

static bool load_list(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, const struct span *der,
                      struct span issuers[], size_t count, struct fault *fault)
{
    char file[TLS_FILE_SIZE], date[TLS_DATE_SIZE];
    struct revocation_list list;
    if (!revocation_list_parse(&list, der->bytes, der->len))
        return fault_set(fault, "CRL: cannot be parsed");
    for (size_t i = 0; i < count; i++) {
        if (span_equal(&issuers[i], &list.issuer))
            return fault_set(fault, "CRL: two lists of the same authority; keep the newer one only");
    }
    issuers[count] = list.issuer;
    if (list.next_update <= (usec_t)time(NULL) * USEC_PER_SEC)
        return fault_set(fault, "CRL:%s is out of date since %s: make a fresh one (usher-pki crl DIR)",
                         tls_reason_file(identity, TLS_CRL, file), tls_reason_date(list.next_update, date));
    int result = wolfSSL_CertManagerLoadCRLBuffer(store, der->bytes, (long)der->len, WOLFSSL_FILETYPE_ASN1);
    if (result != WOLFSSL_SUCCESS)
        return fault_set(fault, "CRL: not by the configured CA (%s)", tls_reason_word(result));
    return true;
}

static bool load_lists(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, struct fault *fault)
{
    struct span in = {identity->crl.bytes, identity->crl.len}, issuers[LISTS_MAX];
    struct der_element list;
    size_t count = 0;
    bool good = true;
    while (good && der_take(&in, DER_SEQUENCE, &list))
        good = count < LISTS_MAX ? load_list(store, identity, &list.whole, issuers, count++, fault)
                                 : fault_set(fault, "CRL: holds more than %d lists", LISTS_MAX);
    if (good && wolfSSL_CertManagerEnableCRL(store, WOLFSSL_CRL_CHECKALL) != WOLFSSL_SUCCESS)
        return fault_set(fault, "CRL: wolfSSL cannot check it");
    return good;
}

static bool fill(WOLFSSL_CERT_MANAGER *store, WOLFSSL_CTX *undated, const struct tls_identity *identity,
                 enum tls_credential *at_fault, struct fault *fault)
{
    *at_fault = TLS_CA;
    if (!load_authorities(store, undated, identity, fault))
        return false;
    *at_fault = TLS_CRL;
    return !identity->crl.len || load_lists(store, identity, fault);
}

bool tls_store_fill(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, enum tls_credential *at_fault,
                    struct fault *fault)
{
    return fill(store, NULL, identity, at_fault, fault);
}

bool tls_store_fill_undated(WOLFSSL_CTX *ctx, const struct tls_identity *identity, enum tls_credential *at_fault,
                            struct fault *fault)
{
    return fill(wolfSSL_CTX_GetCertManager(ctx), ctx, identity, at_fault, fault);
}
