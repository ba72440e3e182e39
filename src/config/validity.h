// SPDX-License-Identifier: GPL-2.0-or-later
// Until when our own certificate, its CA and the revocation list are good, and the word in time that they will not be.
#ifndef CONFIG_VALIDITY_H
#define CONFIG_VALIDITY_H

#include "base/clock.h"
#include "base/facts.h"
#include "base/fault.h"
#include "link/tls/tls.h"

enum { VALIDITY_ITEMS = 3 };

struct validity_item {
    const char *name; // of the key of the configuration
    const char *file; // borrowed; NULL: there is none
    usec_t expires;   // Unix time; USEC_NEVER: it does not say
};

struct validity {
    enum tls_role role;
    struct validity_item items[VALIDITY_ITEMS];
};

// Whether the item is out of date within two weeks of `wall` (Unix time), or is already: `notice` says so in one sentence,
// with its file, the date and what to do.
bool validity_runs_out(const struct validity *validity, size_t item, usec_t wall, struct fault *notice);
// The same as a reminder, for who looks every hour: once a day, since the wall clock may be set at any time and says nothing
// of the hours that have passed.
struct validity_reminder {
    struct validity validity;
    unsigned silent[VALIDITY_ITEMS]; // looks that it still says nothing at
};

// What runs out at `wall` has been told just now.
void validity_reminder_init(struct validity_reminder *reminder, struct validity validity, usec_t wall);
// Whether there is something to be said of the item now; each item is asked for once an hour.
bool validity_reminder_look(struct validity_reminder *reminder, size_t item, usec_t wall, struct fault *notice);

// A list "validity".
void validity_describe(const struct validity *validity, usec_t wall, struct facts *facts);

// When a tunnel is to be left that has shown a certificate which is good until then, for one with a newer one: an hour before
// `until`, as long as tunnels that are left have by default, so that going earlier would give no flow more time, and going
// later would take some from those that were opened before. A sixth of what is left at `now`, if that is less: half of what
// there is when a certificate is renewed. And up to a quarter of it earlier, by `chance`, so that portals whose certificates
// were made together do not come together. Unix time, microseconds.
usec_t validity_moment_to_leave(usec_t until, usec_t now, uint32_t chance);

#endif
