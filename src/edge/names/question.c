// SPDX-License-Identifier: GPL-2.0-or-later
// A question has three tries, each with an id of its own and with the next server, and is then answered with a failure: an
// application would ask again anyway. What a server answers is passed on as it is, but for the id and what the asker has
// no room for. Where nothing can be had at all, for want of a tunnel, no other server is tried.
#include "edge/names/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3,
    FAVOURED_MS = 60000, // a server that answers in another's stead, before that one is asked again
    RCODE = 0xf,         // of the byte of a header that has it
    RCODE_AT = 3,
};

static struct names *names_of_question(const struct names_question *question)
{
    return question->client->names;
}

// What the asker has room for; else that it must ask by TCP.
static void give(struct names_client *client, const struct names_asker *asker, const struct dns_question *question,
                 const uint8_t *bytes, size_t len)
{
    struct names *names = client->names;
    if (!client->tcp && len > question->size) {
        const struct dns_answer cut = {.rcode = bytes[RCODE_AT] & RCODE, .truncated = true};
        len = dns_write(names->answer, question, &cut);
        bytes = names->answer;
    }
    client->ops->send(client, asker, bytes, len);
}

static void say(struct names_client *client, const struct names_asker *asker, const struct dns_question *question,
                const struct dns_answer *answer)
{
    uint8_t room[DNS_ANSWER_SIZE];
    give(client, asker, question, room, dns_write(room, question, answer));
}

// Without a word. Its way knows nothing of it any more.
static void end(struct names_question *question)
{
    struct names_client *client = question->client;
    struct names *names = client->names;
    list_remove(&question->timed.node);
    list_remove(&question->in_client);
    list_remove(&question->in_age);
    client->under_way--;
    names->pending--;
    names->pending_near -= question->way && question->way->near;
    names->pending_tcp -= client->tcp;
    free(question);
    client->ops->settled(client);
}

// Nobody is asked any more.
static void drop(struct names_question *question)
{
    struct names_source *source = names_of_question(question)->config.source;
    if (!question->way)
        source->ops->forget(source, question);
    else if (question->asking)
        question->way->drop(question);
}

static void fail(struct names_question *question)
{
    const struct dns_answer failure = {.rcode = DNS_SERVFAIL};
    struct names_client *client = question->client;
    drop(question);
    say(client, &question->asker, &question->question, &failure);
    end(question);
}

void names_answer(struct names_question *question, const struct dns_answer *answer)
{
    say(question->client, &question->asker, &question->question, answer);
    end(question);
}

// Servers

static size_t server_count(const struct names_question *question)
{
    const struct names *names = names_of_question(question);
    return question->way->near ? names->rest_count : names->config.server_count;
}

static struct names_favourite *favourite(const struct names_question *question)
{
    struct names *names = names_of_question(question);
    return question->way->near ? &names->best_near : &names->best_far;
}

static size_t first_server(const struct names_question *question)
{
    const struct names_favourite *favoured = favourite(question);
    bool holds = uv_now(names_of_question(question)->config.loop) < favoured->until;
    return holds ? favoured->server : 0;
}

static void favour(const struct names_question *question)
{
    struct names_favourite *favoured = favourite(question);
    if (question->server == first_server(question))
        return;
    favoured->server = question->server;
    favoured->until = uv_now(names_of_question(question)->config.loop) + FAVOURED_MS;
}

// Passes it to the next server; ends it when there is none left that takes it.
static void try_next(struct names_question *question)
{
    struct names *names = names_of_question(question);
    size_t count = server_count(question);
    while (count > 0 && question->tries < TRIES) {
        question->server = (question->tries ? question->server + 1 : first_server(question)) % count;
        question->tries++;
        names_wait(names, &question->timed, NAMES_WAIT_TRY);
        if (question->way->ask(question, question->server))
            return;
    }
    names->counters.questions_failed++;
    fail(question);
}

// Whether another server might know better: this one does not say that there is no such thing, but that it cannot say.
static bool is_unhelpful(const struct names_question *question, const uint8_t *bytes)
{
    static const uint32_t unhelpful = 1u << DNS_SERVFAIL | 1u << DNS_NOTIMP | 1u << DNS_REFUSED;
    return unhelpful & 1u << (bytes[RCODE_AT] & RCODE) && question->tries < server_count(question) &&
           question->tries < TRIES;
}

static bool heard(struct names_question *question, const uint8_t *bytes, size_t len)
{
    struct names *names = names_of_question(question);
    if (len > NAMES_MESSAGE_MAX || !dns_answers(bytes, len, &question->question) || dns_id(bytes) != question->id)
        return false;
    drop(question);
    if (is_unhelpful(question, bytes)) {
        try_next(question);
        return true;
    }
    favour(question);
    if (bytes != names->message)
        memcpy(names->message, bytes, len);
    dns_set_id(names->message, question->question.id);
    give(question->client, &question->asker, &question->question, names->message, len);
    end(question);
    return true;
}

static void failed(struct names_question *question, bool for_good)
{
    if (!for_good) {
        try_next(question);
        return;
    }
    names_of_question(question)->counters.questions_failed++;
    fail(question);
}

void names_question_expired(struct names *names, struct timed *timed)
{
    struct names_question *question = container_of(timed, struct names_question, timed);
    if (question->way->is_held(question)) {
        names_wait(names, timed, NAMES_WAIT_TRY);
        return;
    }
    drop(question);
    try_next(question);
}

void names_question_init(struct names *names)
{
    names->heard = heard;
    names->failed = failed;
}

// Beginning

static bool is_far(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->config.domain_count; i++)
        if (names_domain_holds(&names->config.domains[i], name))
            return true;
    return false;
}

// A name behind the tunnel is told to nobody on this side, also where nobody over there can be asked.
static const struct names_way *choose(const struct names *names, const struct names_client *client, const char *name)
{
    if (is_far(names, name)) {
        if (!names->config.server_count)
            return NULL;
        return client->tcp ? &names_far_tcp : &names_far_udp;
    }
    if (!names->rest_count)
        return NULL;
    return client->tcp ? &names_near_tcp : &names_near_udp;
}

// The oldest gives way, of those that have what there is too little of.
static void make_room(struct names *names, const struct names_client *client, const struct names_way *way)
{
    bool tcp = client->tcp && names->pending_tcp >= NAMES_TCP_MAX;
    bool near = way && way->near && names->pending_near >= NAMES_NEAR_MAX;
    if (!tcp && !near && names->pending < NAMES_PENDING_MAX)
        return;
    list_for_each(node, &names->questions) {
        struct names_question *question = container_of(node, struct names_question, in_age);
        if ((tcp && !question->client->tcp) || (near && !(question->way && question->way->near)))
            continue;
        names->counters.questions_displaced++;
        fail(question);
        return;
    }
}

static struct names_question *begin(struct names_client *client, const struct names_asker *asker,
                                    const struct dns_question *asked, const struct names_way *way, const uint8_t *bytes,
                                    size_t len)
{
    struct names *names = client->names;
    make_room(names, client, way);
    struct names_question *question = memory_new(sizeof *question + len);
    question->client = client;
    question->asker = *asker;
    question->question = *asked;
    question->way = way;
    question->len = (uint16_t)len;
    memcpy(question->bytes, bytes, len);
    list_init(&question->timed.node);
    list_init(&question->in_line);
    list_push_back(&client->questions, &question->in_client);
    list_push_back(&names->questions, &question->in_age);
    client->under_way++;
    names->pending++;
    names->pending_near += way && way->near;
    names->pending_tcp += client->tcp;
    return question;
}

static void pass(struct names_client *client, const struct names_asker *asker, const struct dns_question *asked,
                 const uint8_t *bytes, size_t len)
{
    char name[DNS_TEXT_SIZE];
    struct names *names = client->names;
    struct names_source *source = names->config.source;
    dns_name_text(asked, name);
    if (source && source->ops->owns(source, asked, name)) {
        source->ops->ask(source, begin(client, asker, asked, NULL, bytes, len), asked, name);
        return;
    }
    const struct names_way *way = choose(names, client, name);
    // A whole zone is many messages, and no question that an application has.
    if (!way || asked->type == DNS_AXFR || asked->type == DNS_IXFR) {
        say(client, asker, asked, &(struct dns_answer){.rcode = DNS_REFUSED});
        return;
    }
    if (way->near)
        names->counters.questions_near++;
    else
        names->counters.questions_far++;
    try_next(begin(client, asker, asked, way, bytes, len));
}

bool names_ask(struct names_client *client, const struct names_asker *asker, const uint8_t *bytes, size_t len)
{
    struct names *names = client->names;
    struct dns_question asked;
    enum dns_rcode wrong;
    if (!dns_question_read(&asked, &wrong, bytes, len)) {
        names->counters.questions_malformed++;
        return false;
    }
    names->counters.questions++;
    if (wrong == DNS_NOERROR && len > NAMES_QUESTION_MAX)
        wrong = DNS_FORMERR;
    if (wrong == DNS_NOERROR) {
        pass(client, asker, &asked, bytes, len);
        return true;
    }
    names->counters.questions_malformed++;
    say(client, asker, &asked, &(struct dns_answer){.rcode = wrong});
    return true;
}

void names_forget(struct names_client *client)
{
    list_for_each(node, &client->questions) {
        struct names_question *question = container_of(node, struct names_question, in_client);
        drop(question);
        end(question);
    }
}
