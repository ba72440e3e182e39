// SPDX-License-Identifier: GPL-2.0-or-later
// The certificate of an invitation names whom it invites, with ".enrol.invalid" behind it. By that name, which is no host's
// (RFC 6761 section 6.4), a gate tells who has no other right than to fetch a certificate of his own.
#ifndef CONFIG_INVITATION_H
#define CONFIG_INVITATION_H

#include <stdbool.h>
#include <stddef.h>

bool invitation_is(const char *name);
// Whom it invites; "" when it is none, or does not fit.
const char *invitation_of(char *room, size_t size, const char *name);

#endif
