// SPDX-License-Identifier: GPL-2.0-or-later
// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature } (RFC 5280 section 4.1), walked once from
// front to back. Each take_* reads one field off the front of the span it is given.
#include "link/tls/certificate.h"

#include "base/address.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define OID(name, ...) static const uint8_t name[] = {__VA_ARGS__}

OID(oid_common_name, 0x55, 0x04, 0x03);
OID(oid_key_id, 0x55, 0x1d, 0x0e);
OID(oid_key_usage, 0x55, 0x1d, 0x0f);
OID(oid_alternative_names, 0x55, 0x1d, 0x11);
OID(oid_basic_constraints, 0x55, 0x1d, 0x13);
OID(oid_purposes, 0x55, 0x1d, 0x25);
OID(oid_server_auth, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01);
OID(oid_client_auth, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02);
// Signatures of RFC 5758 and RFC 8017 with SHA-256, SHA-384 or SHA-512. RSASSA-PSS names its hash in parameters that
// the TLS library judges: it was built without SHA-1.
OID(oid_ecdsa_sha2, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03); // and 2, 3 or 4
OID(oid_rsa, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01);  // and 10 (PSS), 11, 12 or 13
OID(oid_edwards, 0x2b, 0x65);                                  // and 112 (Ed25519) or 113 (Ed448), of RFC 8410

#define OID_IS(oid, name) span_is(oid, name, sizeof(name))

static bool has_last_arc(const struct span *oid, const uint8_t *head, size_t head_len, uint8_t low, uint8_t high)
{
    return oid->len == head_len + 1 && memcmp(oid->bytes, head, head_len) == 0 && oid->bytes[head_len] >= low &&
           oid->bytes[head_len] <= high;
}

static bool is_strong(struct span algorithm)
{
    struct der_element oid;
    if (!der_take(&algorithm, DER_OID, &oid))
        return false;
    return has_last_arc(&oid.content, oid_ecdsa_sha2, sizeof(oid_ecdsa_sha2), 2, 4) ||
           has_last_arc(&oid.content, oid_rsa, sizeof(oid_rsa), 10, 13) ||
           has_last_arc(&oid.content, oid_edwards, sizeof(oid_edwards), 112, 113);
}

// The last commonName of a Name, the most specific one.
static bool parse_subject(struct certificate *out, struct span name)
{
    while (name.len > 0) {
        struct der_element set, attribute, oid, value;
        if (!der_take(&name, DER_SET, &set))
            return false;
        while (set.content.len > 0) {
            if (!der_take(&set.content, DER_SEQUENCE, &attribute) || !der_take(&attribute.content, DER_OID, &oid) ||
                !der_next(&attribute.content, &value))
                return false;
            if (OID_IS(&oid.content, oid_common_name))
                out->common_name = value.content;
        }
    }
    return true;
}

// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLen INTEGER OPTIONAL }
static bool parse_basic_constraints(struct certificate *out, struct span in)
{
    struct der_element sequence, flag;
    if (!der_take(&in, DER_SEQUENCE, &sequence))
        return false;
    if (der_take(&sequence.content, DER_BOOLEAN, &flag))
        out->is_ca = flag.content.len != 1 || flag.content.bytes[0] != 0;
    return true;
}

// KeyUsage ::= BIT STRING: one octet with the number of unused bits, then bit 0 (digitalSignature) is the highest one
// of the first octet and bit 5 (keyCertSign) 0x04.
static bool parse_key_usage(struct certificate *out, struct span in)
{
    struct der_element bits;
    if (!der_take(&in, DER_BIT_STRING, &bits) || bits.content.len < 2)
        return false;
    out->signs = bits.content.bytes[1] & 0x80;
    out->signs_certificates = bits.content.bytes[1] & 0x04;
    return true;
}

static bool parse_purposes(struct certificate *out, struct span in)
{
    struct der_element sequence, oid;
    if (!der_take(&in, DER_SEQUENCE, &sequence))
        return false;
    out->has_purposes = true;
    while (sequence.content.len > 0) {
        if (!der_take(&sequence.content, DER_OID, &oid))
            return false;
        out->authenticates_gates |= OID_IS(&oid.content, oid_server_auth);
        out->authenticates_portals |= OID_IS(&oid.content, oid_client_auth);
    }
    return true;
}

static bool parse_alternative_names(struct certificate *out, struct span in)
{
    struct der_element sequence, name;
    if (!der_take(&in, DER_SEQUENCE, &sequence))
        return false;
    out->alternative_names = sequence.content;
    while (sequence.content.len > 0) {
        if (!der_next(&sequence.content, &name))
            return false;
    }
    return true;
}

// Which extensions were met, as bits: RFC 5280 section 4.2 allows each once, and a second one could say otherwise.
enum { MET_KEY_ID = 1, MET_KEY_USAGE = 2, MET_NAMES = 4, MET_CONSTRAINTS = 8, MET_PURPOSES = 16 };

static bool meet(unsigned *met, unsigned which)
{
    bool first = !(*met & which);
    *met |= which;
    return first;
}

// Extension ::= SEQUENCE { extnID OID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }. What is critical and
// unknown the TLS library has refused already.
static bool parse_extension(struct certificate *out, const struct der_element *extension, unsigned *met)
{
    struct span in = extension->content;
    struct der_element oid, critical, value;
    if (!der_take(&in, DER_OID, &oid))
        return false;
    der_take(&in, DER_BOOLEAN, &critical);
    if (!der_take(&in, DER_OCTET_STRING, &value) || in.len > 0)
        return false;
    if (OID_IS(&oid.content, oid_basic_constraints))
        return meet(met, MET_CONSTRAINTS) && parse_basic_constraints(out, value.content);
    if (OID_IS(&oid.content, oid_key_usage))
        return meet(met, MET_KEY_USAGE) && parse_key_usage(out, value.content);
    if (OID_IS(&oid.content, oid_purposes))
        return meet(met, MET_PURPOSES) && parse_purposes(out, value.content);
    if (OID_IS(&oid.content, oid_alternative_names))
        return meet(met, MET_NAMES) && parse_alternative_names(out, value.content);
    if (OID_IS(&oid.content, oid_key_id)) {
        out->key_id = extension->whole;
        return meet(met, MET_KEY_ID);
    }
    return true;
}

static bool parse_extensions(struct certificate *out, struct span in)
{
    struct der_element sequence, extension;
    unsigned met = 0;
    if (!der_take(&in, DER_SEQUENCE, &sequence) || in.len > 0)
        return false;
    while (sequence.content.len > 0) {
        if (!der_take(&sequence.content, DER_SEQUENCE, &extension) || !parse_extension(out, &extension, &met))
            return false;
    }
    return true;
}

static bool take_version_3(struct span *in)
{
    struct der_element version, number;
    return der_take(in, DER_CONTEXT_CONSTRUCTED(0), &version) && der_take(&version.content, DER_INTEGER, &number) &&
           span_is(&number.content, "\x02", 1);
}

static bool take_validity(struct span *in, struct certificate *out)
{
    struct der_element validity;
    if (!der_take(in, DER_SEQUENCE, &validity))
        return false;
    out->validity = validity.whole;
    return der_take_time(&validity.content, &out->not_before) && der_take_time(&validity.content, &out->not_after);
}

static bool parse_body(struct certificate *out, struct span in)
{
    struct der_element serial, algorithm, issuer, subject, key, skipped, extensions;
    if (!take_version_3(&in) || !der_take(&in, DER_INTEGER, &serial) || !der_take(&in, DER_SEQUENCE, &algorithm) ||
        !der_take(&in, DER_SEQUENCE, &issuer) || !take_validity(&in, out) || !der_take(&in, DER_SEQUENCE, &subject) ||
        !der_take(&in, DER_SEQUENCE, &key))
        return false;
    out->serial = serial.content;
    out->signature_algorithm = algorithm.whole;
    out->strong = is_strong(algorithm.content);
    out->issuer = issuer.whole;
    out->subject = subject.whole;
    out->key = key.whole;
    // issuerUniqueID and subjectUniqueID, which nobody uses.
    der_take(&in, DER_CONTEXT(1), &skipped);
    der_take(&in, DER_CONTEXT(2), &skipped);
    if (in.len > 0 && (!der_take(&in, DER_CONTEXT_CONSTRUCTED(3), &extensions) || in.len > 0 ||
                       !parse_extensions(out, extensions.content)))
        return false;
    return parse_subject(out, subject.content);
}

bool certificate_parse(struct certificate *out, const uint8_t *der, size_t len)
{
    struct span in = {der, len};
    struct der_element certificate, body, algorithm, signature;
    *out = (struct certificate){0};
    if (!der_take(&in, DER_SEQUENCE, &certificate) || in.len > 0 ||
        !der_take(&certificate.content, DER_SEQUENCE, &body) ||
        !der_take(&certificate.content, DER_SEQUENCE, &algorithm) ||
        !der_take(&certificate.content, DER_BIT_STRING, &signature) || certificate.content.len > 0)
        return false;
    out->signature = signature.whole;
    // RFC 5280 section 4.1.1.2: the algorithm named outside must be the one that was signed.
    return parse_body(out, body.content) && span_equal(&algorithm.whole, &out->signature_algorithm);
}

// The next name of `tag` among GeneralNames.
static bool next_name(struct span *names, uint8_t tag, struct span *out)
{
    struct der_element name;
    while (der_next(names, &name)) {
        if (name.tag == tag) {
            *out = name.content;
            return true;
        }
    }
    return false;
}

enum { DNS_NAME = DER_CONTEXT(2), IP_ADDRESS = DER_CONTEXT(7) };

// Letters, digits, dash, underscore and dots, of 1 to 253 bytes: nothing that could be read in two ways.
static bool is_plain_host(const struct span *name)
{
    if (name->len == 0 || name->len >= CERTIFICATE_NAME_SIZE - 2)
        return false;
    for (size_t i = 0; i < name->len; i++) {
        char c = (char)name->bytes[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

bool certificate_name(const struct certificate *certificate, char room[CERTIFICATE_NAME_SIZE])
{
    struct span names = certificate->alternative_names, name;
    if (!next_name(&names, DNS_NAME, &name))
        name = certificate->common_name;
    room[0] = '\0';
    if (!is_plain_host(&name))
        return false;
    memcpy(room, name.bytes, name.len);
    room[name.len] = '\0';
    return true;
}

static bool equals_host(const struct span *have, const char *want, size_t want_len)
{
    return have->len == want_len && strncasecmp((const char *)have->bytes, want, want_len) == 0;
}

// "*.example.net" is for "gate.example.net", neither for "example.net" nor for "a.b.example.net".
static bool matches_host(const struct span *have, const char *want)
{
    if (have->len > 2 && have->bytes[0] == '*' && have->bytes[1] == '.') {
        const char *dot = strchr(want, '.');
        struct span tail = {have->bytes + 1, have->len - 1};
        return dot && dot != want && is_plain_host(&tail) && equals_host(&tail, dot, strlen(dot));
    }
    return is_plain_host(have) && equals_host(have, want, strlen(want));
}

bool certificate_matches(const struct certificate *certificate, const char *want)
{
    struct span names = certificate->alternative_names, name;
    struct address addr;
    if (address_parse(&addr, want)) {
        while (next_name(&names, IP_ADDRESS, &name)) {
            if (span_is(&name, addr.bytes, addr.version == 4 ? 4 : 16))
                return true;
        }
        return false;
    }
    bool has_dns_names = false;
    while (next_name(&names, DNS_NAME, &name)) {
        has_dns_names = true;
        if (matches_host(&name, want))
            return true;
    }
    return !has_dns_names && matches_host(&certificate->common_name, want);
}

const char *certificate_serial_text(const struct certificate *certificate, char room[CERTIFICATE_SERIAL_SIZE])
{
    size_t at = 0;
    struct span serial = certificate->serial;
    // A leading zero octet only says that the number is positive.
    if (serial.len > 1 && serial.bytes[0] == 0)
        serial.bytes++, serial.len--;
    room[0] = '\0';
    for (size_t i = 0; i < serial.len && at + 3 <= CERTIFICATE_SERIAL_SIZE; i++)
        at += (size_t)snprintf(room + at, CERTIFICATE_SERIAL_SIZE - at, "%02X", serial.bytes[i]);
    return room;
}

static void append_name(char room[CERTIFICATE_NAMES_SIZE], const char *text)
{
    char escaped[CERTIFICATE_NAME_SIZE];
    size_t at = strlen(room);
    text_escape(escaped, sizeof(escaped), text);
    snprintf(room + at, CERTIFICATE_NAMES_SIZE - at, "%s%s", at > 0 ? ", " : "", escaped);
}

static void append_bytes(char room[CERTIFICATE_NAMES_SIZE], const struct span *name)
{
    char text[CERTIFICATE_NAME_SIZE];
    size_t len = name->len < sizeof(text) - 1 ? name->len : sizeof(text) - 1;
    for (size_t i = 0; i < len; i++)
        text[i] = name->bytes[i] ? (char)name->bytes[i] : '\x01'; // shows as an escape instead of ending the text
    text[len] = '\0';
    append_name(room, text);
}

const char *certificate_names_text(const struct certificate *certificate, char room[CERTIFICATE_NAMES_SIZE])
{
    struct span names = certificate->alternative_names, name;
    room[0] = '\0';
    while (next_name(&names, DNS_NAME, &name))
        append_bytes(room, &name);
    names = certificate->alternative_names;
    while (next_name(&names, IP_ADDRESS, &name)) {
        char text[ADDRESS_TEXT_SIZE];
        struct address addr = name.len == 4 ? address_v4(name.bytes) : (struct address){0};
        if (name.len == 16)
            addr = address_v6(name.bytes);
        if (addr.version)
            append_name(room, address_text(&addr, text));
    }
    if (room[0] == '\0')
        append_bytes(room, &certificate->common_name);
    return room[0] ? room : strcpy(room, "no name");
}
