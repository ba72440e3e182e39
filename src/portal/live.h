// SPDX-License-Identifier: GPL-2.0-or-later
// What of a new configuration a portal takes while it runs, and what of it waits for another start.
#ifndef PORTAL_LIVE_H
#define PORTAL_LIVE_H

#include "config/changes.h"
#include "portal/portal.h"

// Whether a file with a password holds another one.
bool live_passwords_changed(const struct portal *portal, const struct portal_conf *now);
// Makes what taking `now` will need and may fail: sockets to listen on. A mistake is reported, and then nothing is left.
bool live_prepare(struct portal *portal, const struct portal_conf *now, struct config *config);
// What was made and has not been taken.
void live_forget(struct portal *portal);
// After that. Takes all of `now` that can be, in exchange for what was in force: `now` holds that afterwards. What cannot be taken is
// named in `report`, as is what came of the rest.
void live_take(struct portal *portal, struct portal_conf *now, const struct change_texts *texts, FILE *report);

#endif
