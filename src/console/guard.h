// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a request comes from a page of ours, or from a person's own hand: the browser's word (Host, Origin, Sec-Fetch-*)
// held against the names that we go by. It is what stands between a page elsewhere and a console on loopback.
#ifndef CONSOLE_GUARD_H
#define CONSOLE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_HOSTS = 4, GUARD_HOST_SIZE = 300 };

struct guard {
    bool tls;
    char hosts[GUARD_HOSTS][GUARD_HOST_SIZE]; // "127.0.0.1:8067", as browsers write it
    size_t count;
};

struct guarded { // headers of a request; NULL: not there
    const char *host, *origin, *site, *mode, *dest;
    bool changes; // anything but to look
};

// `port` is left out where it is the scheme's own.
void guard_add(struct guard *guard, const char *host, uint16_t port);
// NULL: let it pass. Otherwise why not, in one sentence.
const char *guard_objection(const struct guard *guard, const struct guarded *request);
// Whether two texts are the same, in a time that only their lengths decide.
bool guard_equal(const char *a, const char *b);

#endif
