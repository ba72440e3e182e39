// SPDX-License-Identifier: GPL-2.0-or-later
// nsswitch.conf(5) of a run: users and services are asked for as outside, names of hosts in /etc/hosts and then by DNS, and of
// no helper.
#ifndef PORTAL_INSIDE_NSSWITCH_H
#define PORTAL_INSIDE_NSSWITCH_H

// Of the machine's own text; the caller frees the result.
char *nsswitch_by_dns(const char *text);

#endif
