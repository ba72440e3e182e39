// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as the first of a connection. What is known of a part stays true of the whole.
#include "link/tls/client_hello.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t number[TLS_TICKET_SIZE], of_part[TLS_TICKET_SIZE];
    enum client_hello whole = client_hello_look(bytes, len, number);
    enum client_hello part = client_hello_look(bytes, len / 2, of_part);
    if (part != CLIENT_HELLO_PARTIAL)
        assert(whole == part && (part == CLIENT_HELLO_PLAIN || !memcmp(number, of_part, sizeof number)));
    return 0;
}
