// SPDX-License-Identifier: GPL-2.0-or-later
#include "pki/judge.h"

#include "base/text.h"
#include "config/invitation.h"
#include "config/run_as.h"
#include "enrol/conversation.h"
#include "os/sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_S = 10 };

static void say(struct judge_verdict *out, enum judge_result result, const char *why)
{
    out->result = result;
    snprintf(out->why, sizeof out->why, "%s", why);
}

// An invitation is for a name, a certificate for its own once more.
static void take_name(struct judge_verdict *out, const char *name, const char *serial)
{
    snprintf(out->name, sizeof out->name, "%s", name);
    if (!invitation_is(name))
        return;
    invitation_of(out->name, sizeof out->name, name);
    snprintf(out->invitation, sizeof out->invitation, "%s", serial);
}

static void judge_certificate(struct judge_verdict *out, const struct enrol_request *request,
                              struct tls_identity *identity)
{
    struct span key;
    struct fault fault;
    char name[TLS_NAME_SIZE], serial[TLS_SERIAL_SIZE];
    if (!tls_certificate_is_trusted(identity, request->certificate.bytes, request->certificate.len, name, serial,
                                    &fault) ||
        !tls_statement_check(&request->certificate, &request->statement, &request->signature, &fault) ||
        request->request.len > REQUEST_MAX || !tls_request_check(&request->request, &key, &fault)) {
        say(out, JUDGE_REFUSED, request->request.len > REQUEST_MAX ? "the request is too long" : fault.text);
        return;
    }
    take_name(out, name, serial);
    tls_sha256(out->key, key.bytes, key.len);
    memcpy(out->request, request->request.bytes, request->request.len);
    out->request_len = request->request.len;
    out->result = JUDGE_CERTIFICATE;
}

static void judge(struct judge_verdict *out, const struct blob *message, struct tls_identity *identity)
{
    struct enrol_request request;
    if (!enrol_request_read(&request, message->bytes, message->len))
        say(out, JUDGE_SILENT, "what was said is no request");
    else if (request.kind == ENROL_LIST)
        out->result = JUDGE_LIST;
    else
        judge_certificate(out, &request, identity);
}

void judge_hear(struct judge_verdict *out, int fd, const struct tls_material *material)
{
    struct fault fault;
    struct blob message;
    enum tls_credential at_fault;
    *out = (struct judge_verdict){.result = JUDGE_SILENT};
    struct tls_identity *identity = tls_identity_new(material, &at_fault, &fault);
    if (!identity)
        say(out, JUDGE_REFUSED, fault.text);
    else if (!sandbox_drop(RUN_AS, false, &fault) || !sandbox_seal_worker(&fault) ||
             !conversation_hear(fd, &message, ENROL_REQUEST_MAX, PATIENCE_S, &fault))
        say(out, JUDGE_SILENT, fault.text);
    else {
        judge(out, &message, identity);
        blob_wipe(&message);
    }
    tls_identity_free(identity);
}
