// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions whose bytes are questions, each behind its length in two bytes (RFC 7766). Many may be under way, and are
// answered in whatever order; while too many are, or their answers are not read, what comes is left unread, so the asker's
// credit runs out.
#include "edge/names/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    UNDER_WAY_MAX = 32, // of one connection
    UNREAD_MAX = 65536, // bytes of answers, from which on no question is taken
    LENGTH_SIZE = 2,
};

struct answer {
    struct list node;
    size_t len;
    uint8_t bytes[];
};

struct client {
    struct names_client client; // first
    struct timed timed;
    struct list node; // names.clients
    struct usher_session *session;
    bool asking;   // questions are being taken: what they set free is seen by whoever does
    bool finished; // the asker has no more questions
    bool ending;   // nor are there answers
    // What has come and is no whole question, or waits its turn. Bounded by credit.
    uint8_t *bytes;
    size_t len, room;
    size_t asked; // of them, while questions are being taken
    struct list answers;
    size_t unread; // bytes of them
    size_t sent;   // of the first
};

static struct client *client_of(struct timed *timed)
{
    return container_of(timed, struct client, timed);
}

static void release(struct client *client)
{
    client->session = NULL;
    names_forget(&client->client);
    for (struct list *node; (node = list_pop_front(&client->answers));)
        free(container_of(node, struct answer, node));
    list_remove(&client->timed.node);
    list_remove(&client->node);
    client->client.names->tcp_clients--;
    free(client->bytes);
    free(client);
}

static void give_up(struct client *client, enum usher_word word, const char *why)
{
    struct usher_session *session = client->session;
    release(client);
    usher_session_reset(session, word, why);
}

static void ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    (void)ending;
    (void)word;
    (void)text;
    release(owner);
}

static void touch(struct client *client)
{
    if (!client->ending)
        names_wait(client->client.names, &client->timed, NAMES_WAIT_CLIENT);
}

static void finish(struct client *client)
{
    client->ending = true;
    names_wait(client->client.names, &client->timed, NAMES_WAIT_ENDING);
    usher_session_finish(client->session);
}

// Questions

static bool may_ask(const struct client *client)
{
    return !client->ending && client->client.under_way < UNDER_WAY_MAX && client->unread < UNREAD_MAX;
}

// Bytes of the first question behind its length. False: not even that has come.
static bool first_length(const struct client *client, size_t *len)
{
    const uint8_t *at = client->bytes + client->asked;
    if (client->len - client->asked < LENGTH_SIZE)
        return false;
    *len = (size_t)(at[0] << 8 | at[1]);
    return true;
}

static bool ask_one(struct client *client, size_t len)
{
    static const struct names_asker nobody;
    const uint8_t *question = client->bytes + client->asked + LENGTH_SIZE;
    client->asked += LENGTH_SIZE + len;
    usher_session_consumed(client->session, LENGTH_SIZE + len);
    return names_ask(&client->client, &nobody, question, len);
}

// Takes the questions that are whole. The client may be gone after.
static void ask(struct client *client)
{
    size_t len;
    bool fits = true;
    client->asking = true;
    while (fits && may_ask(client) && first_length(client, &len)) {
        fits = len <= NAMES_QUESTION_MAX;
        if (fits && client->len - client->asked < LENGTH_SIZE + len)
            break;
        fits = fits && ask_one(client, len);
    }
    client->asking = false;
    client->len -= client->asked;
    if (client->asked)
        memmove(client->bytes, client->bytes + client->asked, client->len);
    client->asked = 0;
    if (!fits)
        give_up(client, USHER_FAILED, "this is no question");
    else if (client->finished && !client->ending && !client->client.under_way && list_is_empty(&client->answers))
        finish(client);
}

static void came(void *owner, const struct slice *slice)
{
    struct client *client = owner;
    if (client->ending) {
        usher_session_consumed(client->session, slice->len);
        return;
    }
    if (client->len + slice->len > client->room) {
        client->room = 2 * (client->len + slice->len);
        client->bytes = memory_resize(client->bytes, client->room);
    }
    memcpy(client->bytes + client->len, slice->bytes, slice->len);
    client->len += slice->len;
    touch(client);
    ask(client);
}

static void finished(void *owner)
{
    struct client *client = owner;
    client->finished = true;
    ask(client);
}

static void settled(struct names_client *of)
{
    struct client *client = (struct client *)of;
    if (client->session && !client->asking)
        ask(client);
}

// Answers

static void answer(struct names_client *of, const struct names_asker *asker, const uint8_t *bytes, size_t len)
{
    struct client *client = (struct client *)of;
    struct answer *answer = memory_new(sizeof *answer + LENGTH_SIZE + len);
    (void)asker;
    answer->len = LENGTH_SIZE + len;
    answer->bytes[0] = (uint8_t)(len >> 8);
    answer->bytes[1] = (uint8_t)len;
    memcpy(answer->bytes + LENGTH_SIZE, bytes, len);
    list_push_back(&client->answers, &answer->node);
    client->unread += answer->len;
    usher_session_ready(client->session);
}

static size_t fill_one(struct client *client, uint8_t *room, size_t size)
{
    struct answer *answer = container_of(client->answers.next, struct answer, node);
    size_t left = answer->len - client->sent, len = left < size ? left : size;
    memcpy(room, answer->bytes + client->sent, len);
    client->sent += len;
    client->unread -= len;
    if (client->sent == answer->len) {
        client->sent = 0;
        list_remove(&answer->node);
        free(answer);
    }
    return len;
}

static size_t fill(void *owner, uint8_t *room, size_t size)
{
    struct client *client = owner;
    size_t len = 0;
    while (len < size && !list_is_empty(&client->answers))
        len += fill_one(client, room + len, size - len);
    if (len == 0)
        return 0;
    touch(client);
    ask(client);
    return len;
}

// Life

void names_tcp_idle(struct names *names, struct timed *timed)
{
    struct client *client = client_of(timed);
    (void)names;
    if (client->client.under_way)
        touch(client);
    else if (client->unread)
        give_up(client, USHER_TIMEOUT, "answers are not read");
    else
        finish(client);
}

void names_tcp_ending(struct names *names, struct timed *timed)
{
    (void)names;
    give_up(client_of(timed), USHER_TIMEOUT, "close was not answered");
}

// The one that has been silent for longest gives way.
static void make_room(struct names *names)
{
    static const enum names_wait order[] = {NAMES_WAIT_ENDING, NAMES_WAIT_CLIENT};
    for (size_t i = 0; names->tcp_clients >= NAMES_CLIENTS_MAX && i < sizeof order / sizeof order[0]; i++) {
        struct timed *oldest = timeline_pop(&names->waits[order[i]]);
        if (oldest)
            give_up(client_of(oldest), USHER_LIMIT, "too many ask at once");
    }
}

void names_tcp_adopt(struct names *names, struct usher_session *session, const struct usher_open *open)
{
    static const struct names_client_ops ops = {.send = answer, .settled = settled};
    static const struct usher_session_ops session_ops = {
        .fill = fill, .data = came, .finished = finished, .ended = ended};
    (void)open;
    make_room(names);
    struct client *client = memory_new(sizeof *client);
    client->client = (struct names_client){.ops = &ops, .names = names, .tcp = true};
    client->session = session;
    list_init(&client->client.questions);
    list_init(&client->answers);
    list_init(&client->timed.node);
    list_push_back(&names->clients, &client->node);
    names->tcp_clients++;
    usher_session_attach(session, &session_ops, client);
    usher_session_accept(session);
    touch(client);
}
