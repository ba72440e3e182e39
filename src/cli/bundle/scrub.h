// SPDX-License-Identifier: GPL-2.0-or-later
// Texts without what is nobody else's business: keys and passwords never, addresses if so wished.
#ifndef CLI_BUNDLE_SCRUB_H
#define CLI_BUNDLE_SCRUB_H

#include "base/address.h"
#include "config/config.h"

struct scrub {
    bool anonymous;
    struct address *seen; // the first is "address-1"
    size_t seen_count;
    char **secrets; // texts that stand nowhere
    size_t secret_count;
};

void scrub_fini(struct scrub *scrub);
// This text is left out wherever it stands; short ones would be found everywhere, and are not looked for.
void scrub_secret(struct scrub *scrub, const char *secret);
// Any text: without secrets and private keys, and without addresses when they are not to be known. To be freed.
char *scrub_text(struct scrub *scrub, const char *text);
// A configuration: settings that `config` has a key for, and nothing else, no comments. What may hold a password is left out,
// and remembered as a secret. To be freed, and still to go through scrub_text.
char *scrub_configuration(struct scrub *scrub, const struct config *config, const char *text);

#endif
