// SPDX-License-Identifier: GPL-2.0-or-later
// What is agreed to by default in some builds (NULL ciphers, tickets, sessions kept) is refused here once more.
#include "link/tls/context.h"

#include "link/tls/gcm.h"
#include "link/tls/internal.h"

static const char ciphers_13[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256";
static const char ciphers_12[] = "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
                                 "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                                 "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
                                 "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static WOLFSSL_METHOD *method(enum tls_role role, bool allow_tls12)
{
    if (allow_tls12)
        return role == TLS_GATE ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
    return role == TLS_GATE ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
}

WOLFSSL_CTX *tls_context_new(enum tls_role role, bool allow_tls12)
{
    static int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1};
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(method(role, allow_tls12));
    if (!ctx)
        return NULL;
    wolfSSL_CTX_SetDevId(ctx, tls_gcm_device());
    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, tls_peer_verify);
    bool good = wolfSSL_CTX_SetMinVersion(ctx, allow_tls12 ? WOLFSSL_TLSV1_2 : WOLFSSL_TLSV1_3) == WOLFSSL_SUCCESS &&
                wolfSSL_CTX_set_cipher_list(ctx, allow_tls12 ? ciphers_12 : ciphers_13) == WOLFSSL_SUCCESS &&
                wolfSSL_CTX_set_groups(ctx, groups, 2) == WOLFSSL_SUCCESS &&
                wolfSSL_CTX_SetMinRsaKey_Sz(ctx, 2048) == WOLFSSL_SUCCESS &&
                wolfSSL_CTX_SetMinEccKey_Sz(ctx, 256) == WOLFSSL_SUCCESS;
    if (role == TLS_GATE)
        good = good && wolfSSL_CTX_mutual_auth(ctx, 1) == 0;
#ifdef HAVE_SESSION_TICKET
    // A ticket would let a portal that was revoked in the meantime back in.
    if (role == TLS_GATE)
        good = good && wolfSSL_CTX_no_ticket_TLSv13(ctx) == 0;
#endif
#ifndef NO_SESSION_CACHE
    good = good && wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF) == WOLFSSL_SUCCESS;
#endif
    if (good)
        return ctx;
    wolfSSL_CTX_free(ctx);
    return NULL;
}
