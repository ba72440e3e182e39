// SPDX-License-Identifier: GPL-2.0-or-later
// Proof, at every start, that the library in use refuses a forged clone of the very authorities that are configured.
// The handshake is a real one, in memory; only a refusal of the clone's signature counts, so a handshake that fails for
// another reason proves nothing and is no pass.
#include "link/tls/context.h"
#include "link/tls/internal.h"

#include <stdlib.h>

// A TLS 1.3 handshake takes two flights from each side; more rounds than this move nothing.
enum { ROUNDS = 8 };

static void move(struct tls *from, struct tls *to)
{
    size_t len, room;
    const uint8_t *bytes = tls_output(from, &len);
    tls_input_room(to, &room);
    if (len > room)
        len = room;
    if (len > 0 && cipher_buffer_append(&to->input, bytes, len))
        tls_output_taken(from, len);
}

// The peer of ours, with the clone as its certificate; it believes everything.
static WOLFSSL_CTX *make_attacker(enum tls_role role, const struct tls_clone *clone)
{
    WOLFSSL_CTX *ctx = tls_context_new(role, false);
    if (!ctx)
        return NULL;
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    if (wolfSSL_CTX_use_certificate_buffer(ctx, clone->certificate, (long)clone->certificate_len,
                                           WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS ||
        wolfSSL_CTX_use_PrivateKey_buffer(ctx, clone->key, (long)clone->key_len, WOLFSSL_FILETYPE_ASN1) !=
            WOLFSSL_SUCCESS) {
        wolfSSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool is_refused(struct tls_identity *identity, WOLFSSL_CTX *attacker, struct fault *fault)
{
    struct tls *us = tls_new(identity, NULL, fault);
    struct tls *them = tls_open(attacker, identity->role == TLS_GATE ? TLS_PORTAL : TLS_GATE);
    bool refused = false;
    if (us && them) {
        for (int round = 0; round < ROUNDS && !us->failed && !us->established; round++) {
            tls_handshake(them);
            move(them, us);
            tls_handshake(us);
            move(us, them);
        }
        refused = us->failed && !us->library_content && us->verify_error == ASN_SIG_CONFIRM_E;
        if (us->library_content)
            fault_set(fault, "this wolfSSL (%s) accepts a forged clone of the CA; it must not be used",
                      tls_library_version());
        else if (!refused)
            fault_set(fault, "the self-test with a forged CA failed for another reason than it should: %s",
                      us->failed ? us->reason : "no answer");
    } else if (us) {
        fault_set(fault, "the self-test with a forged CA could not be made");
    }
    tls_free(us);
    tls_free(them);
    return refused;
}

static bool try_clone(struct tls_identity *identity, const struct certificate *ca, struct fault *fault)
{
    struct tls_clone clone;
    if (!tls_clone_forge(&clone, ca))
        return fault_set(fault, "a forged CA for the self-test could not be made");
    WOLFSSL_CTX *attacker = make_attacker(identity->role == TLS_GATE ? TLS_PORTAL : TLS_GATE, &clone);
    bool refused = attacker ? is_refused(identity, attacker, fault)
                            : fault_set(fault, "the forged CA of the self-test cannot be loaded");
    if (attacker)
        wolfSSL_CTX_free(attacker);
    tls_clone_free(&clone);
    return refused;
}

bool tls_selftest(struct tls_identity *identity, struct fault *fault)
{
    struct span in = {identity->ca.bytes, identity->ca.len};
    struct der_element element;
    bool refused = true;
    while (refused && der_take(&in, DER_SEQUENCE, &element)) {
        struct certificate ca;
        refused = certificate_parse(&ca, element.whole.bytes, element.whole.len)
                      ? try_clone(identity, &ca, fault)
                      : fault_set(fault, "CA certificate: cannot be parsed");
    }
    return refused;
}
