// SPDX-License-Identifier: GPL-2.0-or-later
// The challenge in the head of an HTTP answer, and what is answered to it.
#ifndef LINK_PATH_CHALLENGE_H
#define LINK_PATH_CHALLENGE_H

#include "link/path/proxy.h"

#include <stdbool.h>

enum { CHALLENGE_OFFERED_SIZE = 128 };

// In the order of preference.
enum challenge_way { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_DIGEST };

// A piece of the head, as it stands there between the quotes.
struct challenge_text {
    const char *at;
    size_t len;
};

struct challenge {
    enum challenge_way way;
    struct challenge_text realm, nonce, opaque; // of Digest
    bool stale;                                 // the last answer was right, and came too late
};

// A field of the head by its name, as a text of the caller's; NULL: it is not there.
char *head_field(const char *head, const char *name);
// Whether another request may follow on the same connection.
bool head_keeps(const char *head, bool http_1_1);

// The best of those in `head`, which must outlive it. `offered` shows what there is: "Digest with MD5, Negotiate".
void challenge_choose(struct challenge *out, const char *head, char offered[CHALLENGE_OFFERED_SIZE]);
// Writes the line for the next request into talk->answer. False when it does not fit.
bool challenge_answer(const struct challenge *challenge, struct proxy_talk *talk);

#endif
