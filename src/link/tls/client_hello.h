// SPDX-License-Identifier: GPL-2.0-or-later
// What a connection shows before anybody answers it: whether the first bytes of a TLS client offer to carry on a tunnel that
// is (doc/PROTOCOL.md section 11). No I/O and no state: it is given all that has come each time. It finds that one
// thing and judges nothing else, since whoever shakes hands later does.
#ifndef LINK_TLS_CLIENT_HELLO_H
#define LINK_TLS_CLIENT_HELLO_H

#include "link/tls/tls.h"

#define CLIENT_HELLO_LANE "usher-lane/" // the ALPN name, with 32 hex digits behind it

enum { CLIENT_HELLO_MAX = 8192 }; // bytes that are looked at: four times what the largest clients of today send

enum client_hello {
    CLIENT_HELLO_PARTIAL, // more is needed to tell
    CLIENT_HELLO_PLAIN,   // it shows nothing, or is no ClientHello, or too long a one
    CLIENT_HELLO_TICKET,  // `number`
};

enum client_hello client_hello_look(const uint8_t *bytes, size_t len, uint8_t number[TLS_TICKET_SIZE]);

#endif
