// SPDX-License-Identifier: GPL-2.0-or-later
// Asking for a certificate: a key of one's own, the request for it (PKCS #10, RFC 2986), and a signature by the key of a
// certificate that one has already. All on P-256 with SHA-256.
#ifndef LINK_TLS_REQUEST_H
#define LINK_TLS_REQUEST_H

#include "base/fault.h"
#include "link/tls/der.h"
#include "os/file/secret.h"

enum { REQUEST_MAX = 512 }; // bytes: one takes some 190

// A new key (RFC 5915, DER): a secret.
bool tls_key_make(struct blob *key, struct fault *fault);
// For `key` (PEM or DER), in which nothing is asked for: whoever issues knows what for.
bool tls_request_make(struct blob *request, const struct blob *key, struct fault *fault);
// Whether it is one of the above, signed by its own key; `public_key` is then the key within it.
bool tls_request_check(const struct span *request, struct span *public_key, struct fault *fault);

// `key` as above, but it may be one that somebody else has made.
bool tls_statement_sign(struct blob *signature, const struct blob *key, const struct span *statement,
                        struct fault *fault);
bool tls_statement_check(const struct span *certificate, const struct span *statement, const struct span *signature,
                         struct fault *fault);

#endif
