// SPDX-License-Identifier: GPL-2.0-or-later
// Who is logged in. A login is a secret in a cookie; of it we keep only what it hashes to, so that whoever reads our
// memory by some fault has no cookie yet. One comes to it by the link that was printed, which is good once, or by a
// client's certificate. Time is an argument.
#ifndef CONSOLE_LOGIN_H
#define CONSOLE_LOGIN_H

#include "base/clock.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    LOGINS_MAX = 64,        // the one that was idle longest gives way
    LOGIN_SECRET_SIZE = 65, // 32 random bytes in hexadecimal
    LOGIN_WHO_SIZE = 160,
    LOGIN_NOTICE_SIZE = 600,
};

struct login {
    bool used;
    bool may_act;
    usec_t began, seen;
    struct hash_key secret[2];      // what the cookie hashes to, by our own key
    char token[LOGIN_SECRET_SIZE];  // that the forms of its pages carry
    char who[LOGIN_WHO_SIZE];       // as the audit has it
    char notice[LOGIN_NOTICE_SIZE]; // to be shown on the next page; "": none
};

struct logins {
    struct login items[LOGINS_MAX];
    struct hash_key keys[2];
    char link[LOGIN_SECRET_SIZE]; // of the login link; "": used up
    unsigned begun;
};

void logins_init(struct logins *logins);
// A fresh link, in place of the one before.
const char *logins_new_link(struct logins *logins);
// Whether `token` is the link's, which is used up then.
bool logins_use_link(struct logins *logins, const char *token);
// `secret` is for the cookie.
struct login *logins_begin(struct logins *logins, const char *who, bool may_act, char secret[LOGIN_SECRET_SIZE],
                           usec_t now);
// The login of a cookie, NULL when there is none, or when it has been idle for 12 hours or lasts for a week.
struct login *logins_find(struct logins *logins, const char *secret, usec_t now);
void login_end(struct login *login);

#endif
