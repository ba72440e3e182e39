// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/telling.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "base/text.h"
#include "gate/channel/channel.h"
#include "os/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void telling_up(int channel, const struct tls *tls)
{
    struct channel_message *message = memory_new(sizeof(*message));
    message->type = CHANNEL_UP;
    snprintf(message->up.name, sizeof(message->up.name), "%s", tls_peer_name(tls));
    snprintf(message->up.serial, sizeof(message->up.serial), "%s", tls_peer_serial(tls));
    snprintf(message->up.cipher, sizeof(message->up.cipher), "%s", tls_cipher(tls));
    message->up.expires = tls_peer_expires(tls);
    channel_send(channel, message);
    free(message);
}

void telling_origin(const char *who, const struct usher_session *session, const struct usher_open *open)
{
    char by[ENDPOINT_TEXT_SIZE], address[ADDRESS_TEXT_SIZE], far[HOST_PORT_TEXT_SIZE], shown[4 * HOST_PORT_TEXT_SIZE];
    struct endpoint origin;
    if (!usher_session_origin(session, &origin))
        return;
    host_port_text(far, sizeof far, open->addr.version ? address_text(&open->addr, address) : open->host, open->port);
    log_debug("%s: %s asks for %s, protocol %u", who, endpoint_text(&origin, by), text_escape(shown, sizeof shown, far),
              open->protocol);
}

void telling_refusal(int channel, const char *why)
{
    struct channel_message *message = memory_new(sizeof(*message));
    message->type = CHANNEL_REFUSED;
    strncpy(message->text, why, sizeof(message->text) - 1);
    channel_send(channel, message);
    free(message);
}

static void put_denial(struct channel_denial *out, const struct denial *denial)
{
    *out = (struct channel_denial){
        .protocol = denial->protocol,
        .from = denial->from,
        .to = denial->to,
        .line = denial->line,
        .count = denial->count,
        .first = denial->first,
        .last = denial->last,
    };
    snprintf(out->host, sizeof(out->host), "%s", denial->host);
    snprintf(out->rule, sizeof(out->rule), "%s", denial->rule);
}

void telling_denials(int channel, struct denials *denials)
{
    struct denial denial;
    struct channel_message *message = NULL;
    while (denials_take(denials, &denial)) {
        if (!message)
            message = memory_new(sizeof(*message));
        message->type = CHANNEL_DENIALS;
        put_denial(&message->denials.items[message->denials.count++], &denial);
        if (message->denials.count < CHANNEL_DENIALS_MAX)
            continue;
        channel_send(channel, message);
        message->denials.count = 0;
    }
    if (message && message->denials.count)
        channel_send(channel, message);
    free(message);
}

static void tell_number(int channel, enum channel_type type, const uint8_t *number)
{
    struct channel_message *message = memory_new(sizeof(*message));
    message->type = type;
    memcpy(message->ticket, number, sizeof(message->ticket));
    channel_send(channel, message);
    free(message);
}

void telling_ticket(int channel, const uint8_t *number)
{
    tell_number(channel, CHANNEL_TICKET, number);
}

void telling_shown(int channel, const uint8_t *number)
{
    tell_number(channel, CHANNEL_SHOWN, number);
}

void telling_carried(int channel, uint32_t id)
{
    struct channel_message *message = memory_new(sizeof(*message));
    message->type = CHANNEL_CARRIED;
    message->carried = id;
    channel_send(channel, message);
    free(message);
}

struct whole {
    const struct node *node;
    const struct tunnel *tunnel;
};

static void describe(const void *part, struct facts *facts)
{
    const struct whole *whole = part;
    exchange_describe(whole->node->exchange, facts);
    facts_group(facts, "tunnel");
    tunnel_describe(whole->tunnel, facts);
    usher_counters_describe(&whole->node->counters, facts);
    facts_end(facts);
}

void telling_facts(int channel, const struct node *node, const struct tunnel *tunnel)
{
    const struct whole whole = {node, tunnel};
    struct channel_message *message = memory_new(sizeof(*message));
    struct writer w = writer_over(message->facts.bytes, sizeof(message->facts.bytes));
    message->type = CHANNEL_FACTS;
    message->facts.bytes_in = node->counters.payload_received;
    message->facts.bytes_out = node->counters.payload_sent;
    message->facts.sessions = exchange_flows(node->exchange);
    facts_wire_write(&w, describe, &whole);
    assert(!w.failed);
    message->facts.len = sizeof(message->facts.bytes) - writer_left(&w);
    channel_send(channel, message);
    free(message);
}
