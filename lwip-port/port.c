// SPDX-License-Identifier: GPL-2.0-or-later
// The functions that lwIP calls. Invariant: lwIP never sees an allocation fail, and never goes on after a failed assert.
#include "port.h"

#include "base/memory.h"
#include "hooks.h"

#include "lwip/init.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct hash_key key;
    usec_t now;
    bool started;
} port;

void lwip_port_start(void)
{
    if (port.started)
        return;
    port.started = true;
    lwip_init();
}

void lwip_port_seed_isn(const struct hash_key *key, usec_t now)
{
    port.key = *key;
    port.now = now;
}

// RFC 6528 section 3: a 4-microsecond timer plus a keyed hash of the connection's identifiers.
uint32_t lwip_port_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
    struct {
        uint8_t local[16];
        uint8_t remote[16];
        uint16_t local_port;
        uint16_t remote_port;
        uint32_t domain; // keeps these hashes apart from those of the flow table, which uses the same key
    } identity = {.local_port = local_port, .remote_port = remote_port, .domain = 6528};
    size_t len = IP_IS_V6(local) ? 16 : 4;
    memcpy(identity.local, len == 16 ? (const void *)ip_2_ip6(local) : (const void *)ip_2_ip4(local), len);
    memcpy(identity.remote, len == 16 ? (const void *)ip_2_ip6(remote) : (const void *)ip_2_ip4(remote), len);
    return (uint32_t)(port.now / 4) + (uint32_t)hash_bytes(&port.key, &identity, sizeof identity);
}

void lwip_port_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "lwIP: assertion failed: %s (%s:%d)\n", what, file, line);
    abort();
}

void *lwip_port_malloc(size_t size)
{
    return memory_resize(NULL, size);
}

void *lwip_port_calloc(size_t count, size_t size)
{
    return memory_new(count * size);
}
