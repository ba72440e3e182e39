// SPDX-License-Identifier: GPL-2.0-or-later
// The second check. wolfSSL has judged the peer's chain; now it is judged again, with nothing carried over: a fresh
// store for chain, dates and revocation, and our own reading of the certificate for what it may be used for and by whom.
// It runs inside the handshake, so that a refusal reaches the peer as an alert and no record is ever read.
#include "link/tls/internal.h"

#include "base/memory.h"
#include "link/tls/sha256.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static bool refuse(struct tls *tls, const struct certificate *certificate, const char *why)
{
    char names[CERTIFICATE_NAMES_SIZE], serial[CERTIFICATE_SERIAL_SIZE];
    return tls_fail(tls, "the %s's certificate (%.300s, serial %s) %s", tls_peer_role(tls),
                    certificate_names_text(certificate, names), certificate_serial_text(certificate, serial), why);
}

// The authorities between a configured one and the peer, from the top down; each becomes one in `store`.
static bool check_authorities(struct tls *tls, WOLFSSL_CERT_MANAGER *store, const WOLFSSL_BUFFER_INFO *chain, int count)
{
    for (int i = count - 1; i > 0; i--) {
        struct certificate certificate;
        if (!certificate_parse(&certificate, chain[i].buffer, chain[i].length))
            return tls_fail(tls, "the %s sent a CA certificate that cannot be parsed", tls_peer_role(tls));
        int result =
            wolfSSL_CertManagerVerifyBuffer(store, chain[i].buffer, (long)chain[i].length, WOLFSSL_FILETYPE_ASN1);
        if (result != WOLFSSL_SUCCESS) {
            tls_reason_chain(tls, result, &certificate);
            return false;
        }
        // A certificate that can vouch for nothing (some send their own twice) is no reason to refuse, and no help.
        if (!certificate.is_ca || !certificate.signs_certificates)
            continue;
        if (!certificate.strong)
            return refuse(tls, &certificate, "is a CA's and signed with an algorithm that is not accepted");
        if (wolfSSL_CertManagerLoadCABuffer(store, chain[i].buffer, (long)chain[i].length, WOLFSSL_FILETYPE_ASN1) !=
            WOLFSSL_SUCCESS)
            return refuse(tls, &certificate, "cannot be used as a CA");
#ifdef WOLFSSL_TRUST_PEER_CERT
        wolfSSL_CertManagerUnload_trust_peers(store);
#endif
    }
    return true;
}

// Chain, dates and revocation on a store that holds what is configured and nothing else.
static bool check_chain(struct tls *tls, const struct certificate *peer, const WOLFSSL_BUFFER_INFO *chain, int count)
{
    WOLFSSL_CERT_MANAGER *store = wolfSSL_CertManagerNew();
    enum tls_credential at_fault;
    struct fault fault;
    bool good = store && tls_store_fill(store, tls->identity, &at_fault, &fault);
    if (!good) {
        tls_fail(tls, "the %s's certificate cannot be judged: %s", tls_peer_role(tls),
                 store ? fault.text : "out of memory");
    } else if ((good = check_authorities(tls, store, chain, count))) {
        int result =
            wolfSSL_CertManagerVerifyBuffer(store, chain[0].buffer, (long)chain[0].length, WOLFSSL_FILETYPE_ASN1);
        good = result == WOLFSSL_SUCCESS;
        if (!good)
            tls_reason_chain(tls, result, peer);
    }
    if (store)
        wolfSSL_CertManagerFree(store);
    return good;
}

// A gate certificate in the hands of a portal, or the reverse, opens nothing.
static bool check_purpose(struct tls *tls, const struct certificate *peer)
{
    if (peer->is_ca)
        return refuse(tls, peer, "is a CA's own and not for connections");
    if (!peer->strong)
        return refuse(tls, peer, "is signed with an algorithm that is not accepted");
    if (!peer->signs)
        return refuse(tls, peer, "lacks the digitalSignature key usage");
    bool fits = tls->role == TLS_PORTAL ? peer->authenticates_gates : peer->authenticates_portals;
    return fits || refuse(tls, peer, tls_reason_purpose(tls));
}

static bool check_name(struct tls *tls, const struct certificate *peer)
{
    if (tls->wanted[0]) {
        char names[CERTIFICATE_NAMES_SIZE];
        if (certificate_matches(peer, tls->wanted)) {
            strcpy(tls->peer_name, tls->wanted);
            return true;
        }
        return tls_fail(tls, "the %s's certificate is for another name (wanted %s, has %.300s)", tls_peer_role(tls),
                        tls->wanted, certificate_names_text(peer, names));
    }
    return certificate_name(peer, tls->peer_name) || refuse(tls, peer, "carries no host name to know its holder by");
}

static bool is_meant(const struct tls *tls, const WOLFSSL_BUFFER_INFO *own)
{
    uint8_t digest[SHA256_SIZE];
    if (!tls->is_set)
        return true;
    tls_sha256(digest, own->buffer, own->length);
    return !memcmp(digest, tls->peer_digest, sizeof digest);
}

static bool judge(struct tls *tls, const WOLFSSL_BUFFER_INFO *chain, int count)
{
    struct certificate peer;
    struct fault fault;
    if (!tls_identity_may_judge(tls->identity, (usec_t)time(NULL) * USEC_PER_SEC, &fault))
        return tls_fail(tls, "%s", fault.text);
    if (count < 1 || count > TLS_CHAIN_MAX)
        return tls_fail(tls, "the %s sent %d certificates; 1 to %d are accepted", tls_peer_role(tls), count,
                        TLS_CHAIN_MAX);
    if (!certificate_parse(&peer, chain[0].buffer, chain[0].length))
        return tls_fail(tls, "the %s's certificate cannot be parsed", tls_peer_role(tls));
    if (!is_meant(tls, chain))
        return refuse(tls, &peer, "is another than the one that the tunnel began with");
    if (!check_chain(tls, &peer, chain, count) || !check_purpose(tls, &peer) || !check_name(tls, &peer))
        return false;
    certificate_serial_text(&peer, tls->peer_serial);
    tls->peer_expires = peer.not_after;
    return true;
}

static void keep_chain(struct tls *tls, const WOLFSSL_BUFFER_INFO *chain, int count)
{
    struct blob *kept = &tls->peer_chain;
    for (int i = 0; i < count; i++) {
        kept->bytes = memory_resize(kept->bytes, kept->len + chain[i].length + 1);
        memcpy(kept->bytes + kept->len, chain[i].buffer, chain[i].length);
        kept->len += chain[i].length;
    }
}

bool tls_peer_is_trusted(const struct tls *tls, struct tls_identity *identity, struct fault *why)
{
    WOLFSSL_BUFFER_INFO chain[TLS_CHAIN_MAX];
    struct span in = {tls->peer_chain.bytes, tls->peer_chain.len};
    struct der_element certificate;
    struct tls again = {.identity = identity, .role = tls->role};
    int count = 0;
    strcpy(again.wanted, tls->wanted);
    while (count < TLS_CHAIN_MAX && der_take(&in, DER_SEQUENCE, &certificate))
        chain[count++] = (WOLFSSL_BUFFER_INFO){.buffer = (unsigned char *)certificate.whole.bytes,
                                               .length = (unsigned)certificate.whole.len};
    return judge(&again, chain, count) || fault_set(why, "%s", again.reason);
}

void tls_set_peer(struct tls *tls, const struct tls *before)
{
    struct span in = {before->peer_chain.bytes, before->peer_chain.len};
    struct der_element own;
    bool there = der_take(&in, DER_SEQUENCE, &own); // its own comes first
    assert(there);
    tls->is_set = true;
    tls_sha256(tls->peer_digest, own.whole.bytes, own.whole.len);
}

bool tls_certificate_is_trusted(struct tls_identity *identity, const uint8_t *der, size_t len, char name[TLS_NAME_SIZE],
                                char serial[TLS_SERIAL_SIZE], struct fault *why)
{
    const WOLFSSL_BUFFER_INFO alone = {.buffer = (unsigned char *)der, .length = (unsigned)len};
    struct tls holder = {.identity = identity, .role = TLS_GATE};
    if (!judge(&holder, &alone, 1))
        return fault_set(why, "%s", holder.reason);
    strcpy(name, holder.peer_name);
    strcpy(serial, holder.peer_serial);
    return true;
}

int tls_peer_verify(int preverify, WOLFSSL_X509_STORE_CTX *store)
{
    struct tls *tls = store->userCtx;
    const WOLFSSL_BUFFER_INFO *chain = store->certs;
    int at = store->error_depth;
    if (!preverify) {
        tls->untrusted = true;
        // Never content where the library is not; this only puts its finding into words.
        struct certificate faulty;
        bool known =
            at >= 0 && at < store->totalCerts && certificate_parse(&faulty, chain[at].buffer, chain[at].length);
        tls->verify_error = store->error;
        tls_reason_chain(tls, store->error, known ? &faulty : NULL);
        return 0;
    }
    if (at > 0)
        return 1;
    tls->library_content = true;
    tls->peer_verified = tls->identity && judge(tls, chain, store->totalCerts);
    tls->untrusted = !tls->peer_verified;
    if (tls->peer_verified && !tls->peer_chain.len)
        keep_chain(tls, chain, store->totalCerts);
    return tls->peer_verified;
}
