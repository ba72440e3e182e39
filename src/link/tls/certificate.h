// SPDX-License-Identifier: GPL-2.0-or-later
// What we want to know of an X.509 certificate, read by ourselves: the second opinion beside the TLS library's, for
// certificates whose signature the library has found good. Spans point into the DER that was parsed.
#ifndef LINK_TLS_CERTIFICATE_H
#define LINK_TLS_CERTIFICATE_H

#include "link/tls/der.h"

enum {
    CERTIFICATE_NAME_SIZE = 256,  // a DNS name of 253 bytes (RFC 1035 section 2.3.4), rounded up
    CERTIFICATE_SERIAL_SIZE = 64, // 20 octets in hexadecimal (RFC 5280 section 4.1.2.2), and some
    CERTIFICATE_NAMES_SIZE = 512, // a list of names for a sentence, cut when longer
};

struct certificate {
    struct span serial;              // content of the INTEGER
    struct span signature_algorithm; // these six whole, with tag and length
    struct span issuer;
    struct span validity;
    struct span subject;
    struct span key; // the whole SubjectPublicKeyInfo
    struct span signature;
    struct span common_name;       // "" when there is none
    struct span alternative_names; // the GeneralNames inside subjectAltName; empty without
    struct span key_id;            // the whole subjectKeyIdentifier extension; empty without
    usec_t not_before;             // Unix time
    usec_t not_after;
    bool is_ca;
    bool signs;                 // KeyUsage is there and has digitalSignature
    bool signs_certificates;    // KeyUsage is there and has keyCertSign
    bool has_purposes;          // ExtendedKeyUsage is there
    bool authenticates_gates;   // with serverAuth
    bool authenticates_portals; // with clientAuth
    bool strong;                // signed with SHA-256 or better
};

// False for anything but a version 3 certificate in strict DER with nothing behind it.
bool certificate_parse(struct certificate *out, const uint8_t *der, size_t len);

// The one name that stands for its holder: the first DNS name of subjectAltName, else the common name. False when
// there is none or it is no plain host name (so no wildcard, no NUL, nothing unprintable).
bool certificate_name(const struct certificate *certificate, char room[CERTIFICATE_NAME_SIZE]);
// Whether it is valid for `name`, after RFC 6125: an address must stand among the iPAddress names; a host name must
// equal a DNS name, whose first label may be "*" for exactly one label; the common name counts only without DNS names.
bool certificate_matches(const struct certificate *certificate, const char *name);

// For sentences: the serial in hexadecimal; every name it carries, escaped.
const char *certificate_serial_text(const struct certificate *certificate, char room[CERTIFICATE_SERIAL_SIZE]);
const char *certificate_names_text(const struct certificate *certificate, char room[CERTIFICATE_NAMES_SIZE]);

#endif
