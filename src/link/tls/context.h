// SPDX-License-Identifier: GPL-2.0-or-later
// A wolfSSL context set up our way: versions, ciphers, groups, and the peer judged by tls_peer_verify.
#ifndef LINK_TLS_CONTEXT_H
#define LINK_TLS_CONTEXT_H

#include "link/tls/tls.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>

// For wolfSSL_CTX_free. NULL when the library lacks what we need.
WOLFSSL_CTX *tls_context_new(enum tls_role role, bool allow_tls12);

#endif
