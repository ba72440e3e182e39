// SPDX-License-Identifier: GPL-2.0-or-later
// What `usher-pki invite` prints: all that a machine needs to become a portal, in one word. It is base64url of
//
//     lines "key=value", then an empty line: the table below
//     three structures in DER: the authority's certificate, the invitation's own, and its key
//     the first four bytes of SHA-256 of all that, so that a slip of the hand is told from anything worse
//
// The authority is in it as a whole: nobody is spoken to before there is something to judge him by.
#ifndef ENROL_TOKEN_H
#define ENROL_TOKEN_H

#include "base/clock.h"
#include "config/instance.h"
#include "os/file/secret.h"

#define TOKEN_PREFIX "usher1-"

enum {
    TOKEN_TEXT_MAX = 64 * 1024, // bytes, as it is typed
    TOKEN_VALUE_SIZE = 1024,
};

struct token {
    char name[INSTANCE_NAME_MAX + 1]; // of the portal that it makes
    char gate[TOKEN_VALUE_SIZE];      // g: host:port, as Address has it, or several
    char gate_name[TOKEN_VALUE_SIZE]; // n: Name; "" for none, as with all that follows
    char serve[TOKEN_VALUE_SIZE];     // e: host:port of the authority, behind the gate
    char routes[TOKEN_VALUE_SIZE];    // r: Route
    char dns[TOKEN_VALUE_SIZE];       // d: Dns
    char domains[TOKEN_VALUE_SIZE];   // D: Domains
    char socks[TOKEN_VALUE_SIZE];     // s: Socks
    struct blob ca, certificate, key; // PEM; the last a secret
    usec_t begins, expires;           // Unix time
};

// False with one sentence; nothing of it is believed then.
bool token_read(struct token *out, const char *text, struct fault *fault);
void token_wipe(struct token *token);

#endif
