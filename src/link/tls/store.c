// SPDX-License-Identifier: GPL-2.0-or-later
// The authorities that we believe, and what they have withdrawn. A store is always filled from nothing: wolfSSL keeps
// what a peer's chain brought along, and an older revocation list that is loaded later would hide a newer one.
#include "link/tls/internal.h"
#include "link/tls/revocation.h"

#include <stdlib.h>
#include <time.h>

enum { LISTS_MAX = 8 }; // one for each authority of a bundle

// `result`: of loading the authorities into `store`.
static bool judge_authorities(WOLFSSL_CERT_MANAGER *store, int result, struct fault *fault)
{
    (void)store;
    if (result != WOLFSSL_SUCCESS)
        return fault_set(fault, "CA certificate: %s", tls_reason_word(result));
#ifdef WOLFSSL_TRUST_PEER_CERT
    // Loading an authority also makes it a "trusted peer" in some builds, and such a peer is recognised by everything
    // but its key.
    if (wolfSSL_CertManagerUnload_trust_peers(store) != WOLFSSL_SUCCESS)
        return fault_set(fault, "wolfSSL cannot do without trusted peers");
#endif
    return true;
}

static bool load_list(WOLFSSL_CERT_MANAGER *store, const uint8_t *der, size_t len, struct span issuers[], size_t count,
                      struct fault *fault)
{
    struct revocation_list list;
    if (!revocation_list_parse(&list, der, len))
        return fault_set(fault, "CRL: cannot be parsed");
    for (size_t i = 0; i < count; i++) {
        if (span_equal(&issuers[i], &list.issuer))
            return fault_set(fault, "CRL: two lists of the same authority; keep the newer one only");
    }
    issuers[count] = list.issuer;
    if (list.next_update <= (usec_t)time(NULL) * USEC_PER_SEC)
        return fault_set(fault, "CRL: out of date, make a fresh one (usher-pki crl DIR)");
    int result = wolfSSL_CertManagerLoadCRLBuffer(store, der, (long)len, WOLFSSL_FILETYPE_ASN1);
    if (result != WOLFSSL_SUCCESS)
        return fault_set(fault, "CRL: not by the configured CA (%s)", tls_reason_word(result));
    return true;
}

static bool load_lists(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, struct fault *fault)
{
    struct span in = {identity->crl, identity->crl_len}, issuers[LISTS_MAX];
    uint8_t *ders[LISTS_MAX];
    size_t len, count = 0;
    bool good = true;
    while (good && count < LISTS_MAX && tls_pem_next(&in, "X509 CRL", &ders[count], &len)) {
        good = load_list(store, ders[count], len, issuers, count, fault);
        count++;
    }
    for (size_t i = 0; i < count; i++)
        free(ders[i]);
    if (good && count == 0)
        return fault_set(fault, "CRL: holds no \"X509 CRL\" in PEM form");
    if (good && wolfSSL_CertManagerEnableCRL(store, WOLFSSL_CRL_CHECKALL) != WOLFSSL_SUCCESS)
        return fault_set(fault, "CRL: wolfSSL cannot check it");
    return good;
}

static bool fill_rest(WOLFSSL_CERT_MANAGER *store, int result, const struct tls_identity *identity,
                      enum tls_credential *at_fault, struct fault *fault)
{
    *at_fault = TLS_CA;
    if (!judge_authorities(store, result, fault))
        return false;
    *at_fault = TLS_CRL;
    return !identity->crl || load_lists(store, identity, fault);
}

bool tls_store_fill(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, enum tls_credential *at_fault,
                    struct fault *fault)
{
    int result = wolfSSL_CertManagerLoadCABuffer(store, identity->ca, (long)identity->ca_len, WOLFSSL_FILETYPE_PEM);
    return fill_rest(store, result, identity, at_fault, fault);
}

bool tls_store_fill_undated(WOLFSSL_CTX *ctx, const struct tls_identity *identity, enum tls_credential *at_fault,
                            struct fault *fault)
{
    int result = wolfSSL_CTX_load_verify_buffer_ex(ctx, identity->ca, (long)identity->ca_len, WOLFSSL_FILETYPE_PEM, 0,
                                                   WOLFSSL_LOAD_FLAG_DATE_ERR_OKAY);
    return fill_rest(wolfSSL_CTX_GetCertManager(ctx), result, identity, at_fault, fault);
}
