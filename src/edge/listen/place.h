// SPDX-License-Identifier: GPL-2.0-or-later
// Where a person or a program wants to go, as text: "db.corp.example 22", "10.73.0.2:80", "[fd73::2]:80", "[fd73::2] 80",
// "fd73::2 80". A name is left to the other end.
#ifndef EDGE_LISTEN_PLACE_H
#define EDGE_LISTEN_PLACE_H

#include "usher/record.h"

// Each fills all of `out` but the protocol. False when there is no such place: no host name and no address in a strict form,
// no port from 1 to 65535, or anything else besides.
bool place_set(struct usher_open *out, const char *host, const char *port);
bool place_parse(struct usher_open *out, const char *text);

#endif
