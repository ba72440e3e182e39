// SPDX-License-Identifier: GPL-2.0-or-later
// Files of certificates, lists and keys as they come: PEM (RFC 7468, RFC 1421) with whatever stands around the blocks and
// any kind of line ends, or a lone structure in DER. Nothing is said here of what is inside.
#ifndef LINK_TLS_PEM_H
#define LINK_TLS_PEM_H

#include "link/tls/der.h"
#include "os/file/secret.h"

struct pem_block {
    struct span label; // "RSA PRIVATE KEY", within the text; empty of a file in DER
    bool encrypted;    // by a header of RFC 1421, in the way that is older than PKCS #8
    struct blob der;   // the caller's, who wipes it
};

enum pem_result {
    PEM_BLOCK,
    PEM_END,    // there is none any more
    PEM_BROKEN, // one begins, and does not end as it should or holds no base64
};

// Takes the next block off `in`.
enum pem_result pem_next(struct span *in, struct pem_block *out);
// A structure in DER as such a block: "PRIVATE KEY", with a line's end behind it. As much of a secret as `der` is.
struct blob pem_text(const char *label, const struct span *der);
bool pem_is(const struct pem_block *block, const char *label);
// Whether a text is in UTF-16, as some editors save it: no block can be found in it.
bool pem_is_wide(const struct span *text);

#endif
