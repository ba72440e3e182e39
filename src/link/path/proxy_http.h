// SPDX-License-Identifier: GPL-2.0-or-later
// The talk with an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), and one answer to its challenge, Digest with SHA-256
// (RFC 7616, qop=auth) where it is offered, else Basic (RFC 7617). No I/O.
#ifndef LINK_PATH_PROXY_HTTP_H
#define LINK_PATH_PROXY_HTTP_H

#include "link/path/proxy.h"

// Before the first byte, on every connection.
void proxy_http_begin(struct proxy_talk *talk);
// More of the answer stands in `in`; `out` may have grown, or the talk is over.
void proxy_http_take(struct proxy_talk *talk);

#endif
