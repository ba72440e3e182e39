// SPDX-License-Identifier: GPL-2.0-or-later
// resolv.conf(5) of a run: its portal answers, and nobody else is asked.
#ifndef PORTAL_INSIDE_RESOLV_CONF_H
#define PORTAL_INSIDE_RESOLV_CONF_H

#include "config/names_keys.h"

// The caller frees it.
char *resolv_conf_of(const struct names_keys *names);

#endif
