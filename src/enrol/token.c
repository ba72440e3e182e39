// SPDX-License-Identifier: GPL-2.0-or-later
// A token comes from whoever has the authority's key, by whatever way people send each other lines of text. Its values become
// lines of a configuration, so they are held against a list of characters that mean nothing there.
#include "enrol/token.h"

#include "base/base64.h"
#include "base/memory.h"
#include "config/invitation.h"
#include "link/tls/certificate.h"
#include "link/tls/pem.h"
#include "link/tls/sha256.h"

#include <ctype.h>
#include <string.h>

enum { CHECK = 4 }; // bytes of the digest

static const char copy_it[] = "copy all of the line that usher-pki invite has printed";

static bool damaged(struct fault *fault)
{
    return fault_set(fault, "the token is damaged or not whole: %s", copy_it);
}

// The bytes that it stands for, without the digest.
static bool decode(struct blob *out, const char *text, struct fault *fault)
{
    const size_t prefix = strlen(TOKEN_PREFIX), len = strlen(text);
    uint8_t digest[SHA256_SIZE];
    if (strncmp(text, TOKEN_PREFIX, prefix))
        return fault_set(fault, "that is no token, which begins with " TOKEN_PREFIX ": %s", copy_it);
    if (len > TOKEN_TEXT_MAX)
        return damaged(fault);
    out->bytes = memory_new(len + 1);
    if (!base64url_decode(out->bytes, &out->len, text + prefix, len - prefix) || out->len <= CHECK)
        return damaged(fault);
    out->len -= CHECK;
    tls_sha256(digest, out->bytes, out->len);
    return !memcmp(digest, out->bytes + out->len, CHECK) || damaged(fault);
}

static bool is_plain(const struct span *value)
{
    for (size_t i = 0; i < value->len; i++)
        if (!isalnum(value->bytes[i]) && !strchr("-_.:/[]*~, ", value->bytes[i]))
            return false;
    return value->len && value->len < TOKEN_VALUE_SIZE;
}

static bool take_line(struct token *out, const struct span *line, struct fault *fault)
{
    const struct {
        char key;
        char *room;
    } keys[] = {{'g', out->gate}, {'n', out->gate_name}, {'e', out->serve}, {'r', out->routes},
                {'d', out->dns},  {'D', out->domains},   {'s', out->socks}};
    struct span value = {line->bytes + 2, line->len - 2};
    if (line->len < 3 || line->bytes[1] != '=' || !is_plain(&value))
        return fault_set(fault, "the token says what cannot be: ask for a new one");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (keys[i].key == line->bytes[0] && !*keys[i].room) {
            memcpy(keys[i].room, value.bytes, value.len);
            keys[i].room[value.len] = '\0';
            return true;
        }
    return fault_set(fault,
                     "the token says more than this usher-tun understands: install the version of usher-pki invite");
}

// Leaves in `in` what follows the empty line.
static bool take_lines(struct token *out, struct span *in, struct fault *fault)
{
    for (;;) {
        const uint8_t *end = in->len ? memchr(in->bytes, '\n', in->len) : NULL;
        if (!end)
            return damaged(fault);
        struct span line = {in->bytes, (size_t)(end - in->bytes)};
        in->bytes += line.len + 1;
        in->len -= line.len + 1;
        if (!line.len)
            return (*out->gate && *out->serve) || damaged(fault);
        if (!take_line(out, &line, fault))
            return false;
    }
}

static bool take_structures(struct token *out, struct span *in, struct fault *fault)
{
    struct der_element ca, certificate, key;
    struct certificate parsed;
    struct fault ignored;
    char name[CERTIFICATE_NAME_SIZE], invited[INSTANCE_NAME_MAX + 1];
    if (!der_take(in, DER_SEQUENCE, &ca) || !der_take(in, DER_SEQUENCE, &certificate) ||
        !der_take(in, DER_SEQUENCE, &key) || in->len)
        return damaged(fault);
    if (!certificate_parse(&parsed, certificate.whole.bytes, certificate.whole.len) ||
        !certificate_name(&parsed, name) || !invitation_is(name))
        return fault_set(fault, "the certificate in the token is not one of an invitation: ask for a new token");
    if (!instance_name(out->name, invitation_of(invited, sizeof invited, name), &ignored))
        return fault_set(fault, "the token is for \"%.100s\", which cannot be the name of a configuration", name);
    out->begins = parsed.not_before;
    out->expires = parsed.not_after;
    out->ca = pem_text("CERTIFICATE", &ca.whole);
    out->certificate = pem_text("CERTIFICATE", &certificate.whole);
    out->key = pem_text("EC PRIVATE KEY", &key.whole);
    return true;
}

bool token_read(struct token *out, const char *text, struct fault *fault)
{
    struct blob bytes = {0};
    *out = (struct token){0};
    bool good = decode(&bytes, text, fault);
    struct span in = {bytes.bytes, bytes.len};
    good = good && take_lines(out, &in, fault) && take_structures(out, &in, fault);
    bytes.len += bytes.bytes ? CHECK : 0;
    blob_wipe(&bytes);
    if (!good)
        token_wipe(out);
    return good;
}

void token_wipe(struct token *token)
{
    blob_wipe(&token->ca);
    blob_wipe(&token->certificate);
    blob_wipe(&token->key);
    *token = (struct token){0};
}
