// SPDX-License-Identifier: GPL-2.0-or-later
// The texts of an identity as the rest of link/tls/ takes them, in DER: whatever dress they came in ends here.
#ifndef LINK_TLS_MATERIAL_H
#define LINK_TLS_MATERIAL_H

#include "link/tls/pem.h"

// Every certificate of a text, or every revocation list, one behind another; at least one. Faults begin with `what`.
bool material_certificates(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault);
bool material_lists(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault);
// The first private key of a text: PKCS #8, or as its kind has its own (RFC 8017, RFC 5915); not encrypted.
bool material_key(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault);
// The first encrypted one, as PKCS #8 has it.
bool material_locked_key(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault);

// What a peer is shown: `own`, then who issued it and so on, from `certificates` and then from `authorities` (either as
// above), up to and without the one that issued itself. False when there are more than `max`.
bool material_chain(struct blob *out, struct span own, struct span certificates, struct span authorities, size_t max);

#endif
