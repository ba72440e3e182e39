// SPDX-License-Identifier: GPL-2.0-or-later
// Whatever the authority sends is read as DER and written anew, so that a file never holds more than what was understood.
#include "portal/enrol/fetch.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/value_net.h"
#include "enrol/conversation.h"
#include "link/tls/material.h"
#include "link/tls/request.h"
#include "link/tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    OPEN_MS = 15000,
    SAY_S = 20,
    HEAR_S = 60, // the books may be in use, and the list long
};

static int open_way(usher_t *usher, const char *at, struct fault *fault)
{
    struct value_targets targets = {0};
    struct config_entry entry = {.argument = "", .value = at};
    int fd = -1;
    if (value_targets(&targets, &entry, NULL, fault))
        fd = usher_open_tcp(usher, targets.items[0].host, targets.items[0].port, OPEN_MS);
    else
        errno = EINVAL;
    value_targets_fini(&targets);
    if (fd >= 0)
        return fd;
    if (errno == EACCES)
        fault_set(fault, "the gate lets nobody to the authority: its [Gate] section needs Enrol = %s", at);
    else if (errno == ENETDOWN)
        fault_set(fault, "the gate has let us in and then ended the tunnel: %.400s", usher_why());
    else
        fault_set(
            fault,
            "the authority cannot be reached at %s, as the gate sees it (%.200s): is usher-pki serve running there?",
            at, usher_why());
    return -1;
}

static void append(struct blob *out, const char *label, const struct span *der)
{
    struct blob text = pem_text(label, der);
    out->bytes = memory_resize(out->bytes, out->len + text.len + 1);
    memcpy(out->bytes + out->len, text.bytes, text.len + 1);
    out->len += text.len;
    blob_wipe(&text);
}

static bool take_certificate(struct blob *out, const struct span *text, struct fault *fault)
{
    struct blob der;
    struct der_element first;
    if (!material_certificates(&der, "the authority's answer", text->bytes, text->len, fault))
        return false;
    struct span in = {der.bytes, der.len};
    if (der_take(&in, DER_SEQUENCE, &first))
        append(out, "CERTIFICATE", &first.whole);
    blob_wipe(&der);
    return true;
}

static bool take_list(struct blob *out, const struct span *text, struct fault *fault)
{
    struct blob der;
    struct der_element list;
    if (!material_lists(&der, "the authority's answer", text->bytes, text->len, fault))
        return false;
    struct span in = {der.bytes, der.len};
    while (der_take(&in, DER_SEQUENCE, &list))
        append(out, "X509 CRL", &list.whole);
    blob_wipe(&der);
    return true;
}

static bool take(struct fetched *out, const struct blob *message, bool certificate, struct fault *fault)
{
    struct enrol_answer answer;
    char why[ENROL_WHY_MAX];
    if (!enrol_answer_read(&answer, message->bytes, message->len))
        return fault_set(fault, "the authority's answer cannot be understood");
    if (!answer.given)
        return fault_set(fault, "the authority refuses: %.400s", text_escape(why, sizeof why, answer.why));
    return (!certificate || take_certificate(&out->certificate, &answer.certificate, fault)) &&
           take_list(&out->list, &answer.list, fault);
}

static bool converse(struct fetched *out, usher_t *usher, const char *at, const struct blob *request, bool certificate,
                     struct fault *fault)
{
    struct blob message;
    struct fault why;
    int fd = open_way(usher, at, fault);
    if (fd < 0)
        return false;
    bool heard =
        conversation_say(fd, request, SAY_S, &why) && conversation_hear(fd, &message, ENROL_ANSWER_MAX, HEAR_S, &why);
    close(fd);
    if (!heard)
        return fault_set(fault, "the authority does not answer (%.200s): its log says why, and it can be tried again",
                         why.text);
    bool taken = take(out, &message, certificate, fault);
    blob_wipe(&message);
    if (!taken)
        fetched_wipe(out);
    return taken;
}

// The first certificate of `text`, which is the holder's own.
static bool own_certificate(struct blob *out, const struct blob *text, struct fault *fault)
{
    struct der_element first;
    if (!material_certificates(out, "Certificate", text->bytes, text->len, fault))
        return false;
    struct span in = {out->bytes, out->len};
    if (der_take(&in, DER_SEQUENCE, &first))
        out->len = first.whole.len;
    return true;
}

static bool write_request(struct blob *out, const struct blob *certificate, const struct blob *key,
                          const struct blob *new_key, struct fault *fault)
{
    struct blob own = {0}, request = {0}, signature = {0}, statement = {0};
    bool good = own_certificate(&own, certificate, fault) && tls_request_make(&request, new_key, fault);
    if (good) {
        statement = enrol_statement(&(struct span){own.bytes, own.len}, &(struct span){request.bytes, request.len});
        good = tls_statement_sign(&signature, key, &(struct span){statement.bytes, statement.len}, fault);
    }
    if (good)
        *out = enrol_request_write(&statement, &(struct span){signature.bytes, signature.len});
    blob_wipe(&own);
    blob_wipe(&request);
    blob_wipe(&signature);
    blob_wipe(&statement);
    return good;
}

bool fetch_certificate(struct fetched *out, usher_t *usher, const char *at, const struct blob *certificate,
                       const struct blob *key, const struct blob *new_key, struct fault *fault)
{
    struct blob request;
    *out = (struct fetched){0};
    if (!write_request(&request, certificate, key, new_key, fault))
        return false;
    bool good = converse(out, usher, at, &request, true, fault);
    blob_wipe(&request);
    return good;
}

bool fetch_list(struct fetched *out, usher_t *usher, const char *at, struct fault *fault)
{
    struct blob request = enrol_list_request_write();
    *out = (struct fetched){0};
    bool good = converse(out, usher, at, &request, false, fault);
    blob_wipe(&request);
    return good;
}

static bool is_holder(struct tls_identity *identity, const struct blob *certificate, const char *name,
                      struct fault *why)
{
    char holder[TLS_NAME_SIZE], serial[TLS_SERIAL_SIZE];
    struct blob own;
    if (!own_certificate(&own, certificate, why))
        return false;
    bool good = tls_certificate_is_trusted(identity, own.bytes, own.len, holder, serial, why);
    blob_wipe(&own);
    return good && (!strcasecmp(holder, name) || fault_set(why, "it is for %.200s", holder));
}

bool fetched_judge(const struct fetched *fetched, const struct blob *ca, const struct blob *key, const char *name,
                   struct fault *fault)
{
    const struct tls_material material = {
        .ca = ca->bytes,
        .ca_len = ca->len,
        .certificate = fetched->certificate.bytes,
        .certificate_len = fetched->certificate.len,
        .key = key->bytes,
        .key_len = key->len,
        .crl = fetched->list.bytes,
        .crl_len = fetched->list.len,
        .role = TLS_PORTAL,
    };
    enum tls_credential at_fault;
    struct fault why;
    struct tls_identity *identity = tls_identity_new(&material, &at_fault, &why);
    bool good = identity && is_holder(identity, &fetched->certificate, name, &why);
    tls_identity_free(identity);
    return good || fault_set(fault, "what the authority sent is of no use: %.400s", why.text);
}

struct blob fetched_own(const struct fetched *fetched, const struct blob *key)
{
    const struct blob *certificate = &fetched->certificate;
    struct blob out = {.bytes = memory_new(key->len + certificate->len + 1), .len = key->len + certificate->len};
    memcpy(out.bytes, key->bytes, key->len);
    memcpy(out.bytes + key->len, certificate->bytes, certificate->len);
    return out;
}

void fetched_wipe(struct fetched *fetched)
{
    blob_wipe(&fetched->certificate);
    blob_wipe(&fetched->list);
}
