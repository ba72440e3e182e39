// SPDX-License-Identifier: GPL-2.0-or-later
// The talk with a SOCKS proxy: 4a, or 5 (RFC 1928) with or without user and password (RFC 1929). No I/O.
#ifndef LINK_PATH_PROXY_SOCKS_H
#define LINK_PATH_PROXY_SOCKS_H

#include "link/path/proxy.h"

// Before the first byte, on every connection.
void proxy_socks_begin(struct proxy_talk *talk);
// More of the answer stands in `in`; `out` may have grown, or the talk is over.
void proxy_socks_take(struct proxy_talk *talk);

#endif
