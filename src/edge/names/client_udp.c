// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions whose datagrams are questions, and pings. They end when their opener ends them, or its tunnel: applications do
// not say when they have asked enough. Many ask each question from a port of its own, which is a session each; so when there
// are too many, the oldest that waits for nothing is closed.
#include "edge/names/internal.h"

#include "base/memory.h"

#include <stdlib.h>

struct client {
    struct names_client client; // first
    struct list node;           // names.askers, unless it is being closed
    struct usher_session *session;
    bool by_name; // its datagrams have no addresses
};

static void make_room(struct names *names)
{
    list_for_each(node, &names->askers) {
        struct client *client = container_of(node, struct client, node);
        if (client->client.under_way > 0)
            continue;
        list_remove(node);
        names->asker_count--;
        usher_session_close(client->session);
        return;
    }
}

static struct client *add(struct names *names, struct usher_session *session, const struct usher_open *open,
                          const struct usher_session_ops *ops)
{
    struct client *client = memory_new(sizeof *client);
    if (names->asker_count >= NAMES_ASKERS_MAX)
        make_room(names);
    client->client.names = names;
    client->session = session;
    client->by_name = open->by_name || open->addr.version != 4;
    list_init(&client->client.questions);
    list_push_back(&names->askers, &client->node);
    names->asker_count++;
    usher_session_attach(session, ops, client);
    usher_session_accept(session);
    return client;
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct client *client = owner;
    (void)ending;
    (void)word;
    (void)text;
    client->session = NULL;
    names_forget(&client->client);
    client->client.names->asker_count -= list_is_linked(&client->node);
    list_remove(&client->node);
    free(client);
}

static bool is_ours(const struct names *names, const struct endpoint *to)
{
    if (to->port != NAMES_PORT)
        return false;
    for (size_t i = 0; i < names->config.address_count; i++)
        if (address_equal(&names->config.addresses[i].addr, &to->addr))
            return true;
    return false;
}

// An association by address may send anywhere, but only what is for us has an answer here.
static void asked(void *owner, const struct usher_datagram *datagram)
{
    struct client *client = owner;
    const struct names_asker asker = {.from = datagram->from, .to = datagram->to};
    if (client->by_name || is_ours(client->client.names, &datagram->to))
        names_ask(&client->client, &asker, datagram->bytes, datagram->len);
}

static void answer(struct names_client *client, const struct names_asker *asker, const uint8_t *bytes, size_t len)
{
    struct usher_session *session = ((struct client *)client)->session;
    const struct usher_datagram datagram = {.from = asker->to, .to = asker->from, .bytes = bytes, .len = len};
    usher_session_datagram(session, &datagram);
}

static void settled(struct names_client *client)
{
    (void)client;
}

void names_udp_adopt(struct names *names, struct usher_session *session, const struct usher_open *open)
{
    static const struct names_client_ops ops = {.send = answer, .settled = settled};
    static const struct usher_session_ops session_ops = {.datagram = asked, .ended = ended};
    add(names, session, open, &session_ops)->client.ops = &ops;
}

// In both directions the port of `from` is the identifier and that of `to` the sequence number.
static void pinged(void *owner, const struct usher_datagram *datagram)
{
    struct client *client = owner;
    struct usher_datagram pong = *datagram;
    pong.from.addr = datagram->to.addr;
    pong.to.addr = datagram->from.addr;
    usher_session_datagram(client->session, &pong);
}

void names_echo_adopt(struct names *names, struct usher_session *session, const struct usher_open *open)
{
    static const struct usher_session_ops session_ops = {.datagram = pinged, .ended = ended};
    add(names, session, open, &session_ops);
}
