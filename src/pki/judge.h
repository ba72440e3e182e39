// SPDX-License-Identifier: GPL-2.0-or-later
// Who asks, and for what: found out by a process that is nobody and sealed before it reads a byte, as everything is there that
// comes from the network.
#ifndef PKI_JUDGE_H
#define PKI_JUDGE_H

#include "enrol/message.h"
#include "link/tls/request.h"
#include "link/tls/sha256.h"
#include "link/tls/tls.h"

enum judge_result {
    JUDGE_LIST,        // is given to everybody
    JUDGE_CERTIFICATE, // for `name`
    JUDGE_REFUSED,     // `why`
    JUDGE_SILENT,      // said nothing that deserves an answer: `why`
};

struct judge_verdict {
    enum judge_result result;
    char name[TLS_NAME_SIZE];         // of who is to have one
    char invitation[TLS_SERIAL_SIZE]; // its serial number; "" when a certificate is to be renewed
    uint8_t key[SHA256_SIZE];         // digest of the new key
    uint8_t request[REQUEST_MAX];     // PKCS #10
    size_t request_len;
    char why[ENROL_WHY_MAX];
};

// Reads one request from `fd`, as one who is let in by CA and list of `material`, and judges it. Not for a process that does
// anything else: it gives its rights away.
void judge_hear(struct judge_verdict *out, int fd, const struct tls_material *material);

#endif
