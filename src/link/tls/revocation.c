// SPDX-License-Identifier: GPL-2.0-or-later
// TBSCertList ::= SEQUENCE { version, signature, issuer, thisUpdate, nextUpdate OPTIONAL, revokedCertificates OPTIONAL,
// [0] crlExtensions OPTIONAL }. Whose list it is, its number and until when, is all that is read here.
#include "link/tls/revocation.h"

enum { CRL_NUMBER_MAX = 20 }; // octets

static const uint8_t oid_crl_number[] = {0x55, 0x1d, 0x14};

static bool check_extension(struct span in, struct revocation_list *out)
{
    struct der_element oid, critical, value, number;
    if (!der_take(&in, DER_OID, &oid))
        return false;
    der_take(&in, DER_BOOLEAN, &critical);
    if (!der_take(&in, DER_OCTET_STRING, &value))
        return false;
    if (!span_is(&oid.content, oid_crl_number, sizeof(oid_crl_number)))
        return true;
    if (!der_take(&value.content, DER_INTEGER, &number) || number.content.len > CRL_NUMBER_MAX)
        return false;
    out->number = number.content;
    return true;
}

static bool check_extensions(struct span in, struct revocation_list *out)
{
    struct der_element outer, sequence, extension;
    if (in.len == 0)
        return true;
    if (!der_take(&in, DER_CONTEXT_CONSTRUCTED(0), &outer) || in.len > 0 ||
        !der_take(&outer.content, DER_SEQUENCE, &sequence))
        return false;
    while (sequence.content.len > 0) {
        if (!der_take(&sequence.content, DER_SEQUENCE, &extension) || !check_extension(extension.content, out))
            return false;
    }
    return true;
}

bool revocation_list_parse(struct revocation_list *out, const uint8_t *der, size_t len)
{
    struct span in = {der, len};
    struct der_element list, body, version, algorithm, issuer, revoked;
    *out = (struct revocation_list){.next_update = USEC_NEVER};
    if (!der_take(&in, DER_SEQUENCE, &list) || in.len > 0 || !der_take(&list.content, DER_SEQUENCE, &body))
        return false;
    in = body.content;
    der_take(&in, DER_INTEGER, &version);
    if (!der_take(&in, DER_SEQUENCE, &algorithm) || !der_take(&in, DER_SEQUENCE, &issuer) ||
        !der_take_time(&in, &out->this_update))
        return false;
    out->issuer = issuer.whole;
    der_take_time(&in, &out->next_update);
    der_take(&in, DER_SEQUENCE, &revoked);
    return check_extensions(in, out);
}
