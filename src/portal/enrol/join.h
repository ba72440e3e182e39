// SPDX-License-Identifier: GPL-2.0-or-later
// From a token to a portal's configuration: /etc/usher/NAME.conf, and /etc/usher/pki/NAME with what it names.
#ifndef PORTAL_ENROL_JOIN_H
#define PORTAL_ENROL_JOIN_H

#include "config/instance.h"

// `as` is the name to take, or NULL: that of the invitation. On success the name is in `name`. Repeated after whatever
// interruption it goes on where it was. False with one sentence.
bool join(char name[INSTANCE_NAME_MAX + 1], const char *token, const char *as, struct fault *fault);

#endif
