// SPDX-License-Identifier: GPL-2.0-or-later
// A gate and a portal whose TLS is joined by memory.
#ifndef TESTS_UNIT_TLS_PAIR_H
#define TESTS_UNIT_TLS_PAIR_H

#include "base/chunk.h"

#include "certs.h"

struct pair {
    struct tls_identity *gate_identity, *portal_identity;
    struct tls *gate, *portal;
    enum tls_result gate_result, portal_result;
};

// Moves at most `most` bytes of ciphertext.
static inline size_t move(struct tls *from, struct tls *to, size_t most)
{
    size_t len, room;
    const uint8_t *bytes = tls_output(from, &len);
    uint8_t *at = tls_input_room(to, &room);
    len = len < room ? len : room;
    len = len < most ? len : most;
    if (len > 0)
        memcpy(at, bytes, len);
    tls_input_added(to, len);
    tls_output_taken(from, len);
    return len;
}

static inline struct pair pair_new(struct certs_case gate, struct certs_case portal, const char *name)
{
    struct fault fault;
    struct pair p = {.gate_result = TLS_AGAIN, .portal_result = TLS_AGAIN};
    p.gate_identity = certs_identity(TLS_GATE, gate);
    p.portal_identity = certs_identity(TLS_PORTAL, portal);
    p.gate = tls_new(p.gate_identity, NULL, &fault);
    p.portal = tls_new(p.portal_identity, name ? name : "gate.example.net", &fault);
    assert_non_null(p.gate);
    assert_non_null(p.portal);
    return p;
}

static inline void pair_free(struct pair *p)
{
    tls_free(p->gate);
    tls_free(p->portal);
    tls_identity_free(p->gate_identity);
    tls_identity_free(p->portal_identity);
}

// Handshakes in steps of `most` bytes until nothing moves any more. A portal may be done before it is refused.
static inline void shake(struct pair *p, size_t most)
{
    uint8_t room[CHUNK_SIZE];
    size_t len, moved = 1;
    while (moved > 0) {
        if (p->portal_result == TLS_AGAIN)
            p->portal_result = tls_handshake(p->portal);
        else if (p->portal_result == TLS_OK && tls_read(p->portal, room, sizeof(room), &len) == TLS_FAILED)
            p->portal_result = TLS_FAILED;
        moved = move(p->portal, p->gate, most);
        if (p->gate_result == TLS_AGAIN)
            p->gate_result = tls_handshake(p->gate);
        moved += move(p->gate, p->portal, most);
    }
}

#endif
