// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks that are not what is looked for are passed over (parameters of a curve, a certificate beside its key); those that
// nobody could mean otherwise get a sentence.
#include "link/tls/material.h"

#include "base/memory.h"
#include "link/tls/certificate.h"

#include <stdlib.h>
#include <string.h>

// Lists of labels end with NULL. "" is a file in DER, which has none.
static const char *const certificate_labels[] = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "", NULL};
static const char *const list_labels[] = {"X509 CRL", "", NULL};
static const char *const key_labels[] = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "", NULL};
static const char *const locked_labels[] = {"ENCRYPTED PRIVATE KEY", "", NULL};

static bool is_one_of(const struct pem_block *block, const char *const *labels)
{
    while (*labels && !pem_is(block, *labels))
        labels++;
    return *labels;
}

static bool find_none(const char *what, const char *wanted, const struct span *text, struct fault *fault)
{
    if (pem_is_wide(text))
        return fault_set(fault, "%s: is in UTF-16; save it as plain text", what);
    return fault_set(fault, "%s: holds no %s (PEM or DER)", what, wanted);
}

static bool is_broken(const char *what, struct fault *fault)
{
    return fault_set(fault, "%s: is damaged: a block between BEGIN and END is cut off or no base64", what);
}

// `out` has room for all that the text can hold. A trusted certificate of OpenSSL's has more behind the certificate.
static bool append(struct blob *out, const struct blob *der)
{
    struct span in = {der->bytes, der->len};
    struct der_element element;
    if (!der_take(&in, DER_SEQUENCE, &element))
        return false;
    memcpy(out->bytes + out->len, element.whole.bytes, element.whole.len);
    out->len += element.whole.len;
    return true;
}

static bool take_all(struct blob *out, const char *what, const char *const *labels, const char *wanted,
                     const struct span *text, struct fault *fault)
{
    struct span in = *text;
    struct pem_block block;
    enum pem_result result;
    bool good = true;
    *out = (struct blob){.bytes = memory_new(text->len + 1)};
    while (good && (result = pem_next(&in, &block)) != PEM_END) {
        good = result == PEM_BLOCK && (!is_one_of(&block, labels) || append(out, &block.der));
        blob_wipe(&block.der);
    }
    if (good && out->len)
        return true;
    blob_wipe(out);
    return good ? find_none(what, wanted, text, fault) : is_broken(what, fault);
}

bool material_certificates(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault)
{
    const struct span in = {text, len};
    return take_all(out, what, certificate_labels, "certificate", &in, fault);
}

bool material_lists(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault)
{
    const struct span in = {text, len};
    return take_all(out, what, list_labels, "revocation list", &in, fault);
}

// Whether a block that is none of what is wanted deserves a sentence.
static bool refuse(const struct pem_block *block, const char *what, struct fault *fault)
{
    static const char suffix[] = "PRIVATE KEY";
    const size_t len = sizeof suffix - 1;
    if (block->encrypted)
        return fault_set(fault,
                         "%s: is encrypted in a way of old that is not opened: openssl pkcs8 -topk8 -in OLD -out NEW "
                         "makes one that is",
                         what);
    if (pem_is(block, "OPENSSH PRIVATE KEY"))
        return fault_set(fault, "%s: is a key of OpenSSH's own form: ssh-keygen -p -m PKCS8 -f FILE converts it", what);
    if (pem_is(block, "ENCRYPTED PRIVATE KEY"))
        return fault_set(fault, "%s: is encrypted", what);
    if (block->label.len >= len && !memcmp(block->label.bytes + block->label.len - len, suffix, len))
        return fault_set(fault, "%s: is a key of a kind that cannot be used", what);
    return true;
}

static bool take_first(struct blob *out, const char *what, const char *const *labels, const struct span *text,
                       struct fault *fault)
{
    struct span in = *text;
    struct pem_block block;
    enum pem_result result;
    while ((result = pem_next(&in, &block)) == PEM_BLOCK) {
        if (!block.encrypted && is_one_of(&block, labels)) {
            *out = block.der;
            return true;
        }
        bool good = refuse(&block, what, fault);
        blob_wipe(&block.der);
        if (!good)
            return false;
    }
    return result == PEM_BROKEN ? is_broken(what, fault) : find_none(what, "private key", text, fault);
}

bool material_key(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault)
{
    const struct span in = {text, len};
    return take_first(out, what, key_labels, &in, fault);
}

bool material_locked_key(struct blob *out, const char *what, const uint8_t *text, size_t len, struct fault *fault)
{
    const struct span in = {text, len};
    return take_first(out, what, locked_labels, &in, fault);
}

// The one that could have issued `issued`, and did not issue itself.
static bool find_issuer(struct span in, const struct certificate *issued, struct span *out)
{
    struct der_element element;
    struct certificate candidate;
    while (der_take(&in, DER_SEQUENCE, &element))
        if (certificate_parse(&candidate, element.whole.bytes, element.whole.len) &&
            span_equal(&candidate.subject, &issued->issuer) && !span_equal(&candidate.subject, &candidate.issuer)) {
            *out = element.whole;
            return true;
        }
    return false;
}

bool material_chain(struct blob *out, struct span own, struct span certificates, struct span authorities, size_t max)
{
    struct span next = own;
    struct certificate certificate;
    // Two that issued each other may come more than once.
    *out = (struct blob){.bytes = memory_new(max * (own.len + certificates.len + authorities.len))};
    for (size_t i = 0; i < max; i++) {
        memcpy(out->bytes + out->len, next.bytes, next.len);
        out->len += next.len;
        if (!certificate_parse(&certificate, next.bytes, next.len) ||
            span_equal(&certificate.subject, &certificate.issuer) ||
            (!find_issuer(certificates, &certificate, &next) && !find_issuer(authorities, &certificate, &next)))
            return true;
    }
    blob_wipe(out);
    return false;
}
