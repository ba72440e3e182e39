// SPDX-License-Identifier: GPL-2.0-or-later
// What a portal and the authority say to each other when one asks for a certificate (doc/PROTOCOL.md section 12): one request,
// one answer, each behind its length. No I/O here.
#ifndef ENROL_MESSAGE_H
#define ENROL_MESSAGE_H

#include "base/fault.h"
#include "link/tls/der.h"
#include "os/file/secret.h"

enum {
    ENROL_LENGTH = 4, // bytes, in front of everything
    ENROL_REQUEST_MAX = 16 * 1024,
    ENROL_ANSWER_MAX = 4 * 1024 * 1024 + 32 * 1024, // a revocation list, and a certificate
    ENROL_WHY_MAX = FAULT_TEXT_SIZE,
};

enum enrol_kind { ENROL_CERTIFICATE = 1, ENROL_LIST = 2 };

// Spans point into what was read.
struct enrol_request {
    enum enrol_kind kind;
    struct span certificate; // DER: who asks
    struct span request;     // PKCS #10, by the new key
    struct span signature;   // over all before it, by the key of `certificate`
    struct span statement;   // what that signs
};

struct enrol_answer {
    bool given;
    struct span certificate; // as the authority has written it; empty when none was asked for
    struct span list;        // revocation list, likewise
    char why[ENROL_WHY_MAX]; // when nothing is given
};

// Of what follows its first ENROL_LENGTH bytes: 0 when it is none, or more than `max`.
size_t enrol_length(const uint8_t head[ENROL_LENGTH], size_t max);

// With the length in front; the caller's. For a certificate: what is to be signed first, then the whole.
struct blob enrol_statement(const struct span *certificate, const struct span *request);
struct blob enrol_request_write(const struct blob *statement, const struct span *signature);
struct blob enrol_list_request_write(void);
struct blob enrol_answer_write(const struct enrol_answer *answer);

// Without the length. False when it is anything else.
bool enrol_request_read(struct enrol_request *out, const uint8_t *bytes, size_t len);
bool enrol_answer_read(struct enrol_answer *out, const uint8_t *bytes, size_t len);

#endif
