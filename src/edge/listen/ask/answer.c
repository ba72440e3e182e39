// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/ask/answer.h"

#include "base/host_name.h"
#include "base/text.h"
#include "edge/listen/say.h"
#include "edge/relay/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct answer {
    struct relay_stream stream; // first
    struct endpoint client;
    char host[]; // "": the address counts
};

static const struct endpoint *client_of(const struct relay_flow *flow)
{
    return &((const struct answer *)flow)->client;
}

static const char *host_of(const struct relay_flow *flow)
{
    const char *host = ((const struct answer *)flow)->host;
    return *host ? host : NULL;
}

static void abandon(struct relay_flow *flow)
{
    relay_stream_close((struct relay_stream *)flow, true);
}

static const char *in_words(enum usher_word word)
{
    static const char *const words[USHER_WORDS] = {
        [USHER_FAILED] = "the connection failed", [USHER_REFUSED] = "connection refused",
        [USHER_UNREACHABLE] = "unreachable",      [USHER_TIMEOUT] = "no answer",
        [USHER_DENIED] = "not permitted",         [USHER_RESOLVE] = "there is no such name",
        [USHER_LIMIT] = "too many connections",   [USHER_UNSUPPORTED] = "the gate does not do that",
    };
    return words[word];
}

// "db.corp.example:22: unreachable (10.73.0.9:22: No route to host)": the words are ours, the rest is the far side's.
static void tell(int fd, const struct relay_flow *flow, enum usher_word word, const char *text)
{
    char address[ADDRESS_TEXT_SIZE], to[HOST_PORT_TEXT_SIZE], detail[2 * USHER_REASON_MAX] = "", line[1024];
    const char *host = host_of(flow);
    host_port_text(to, sizeof to, host ? host : address_text(&flow->outside.addr, address), flow->outside.port);
    text_escape(detail, sizeof detail, text);
    int len = snprintf(line, sizeof line, "%s: %s%s%s%s\r\n", to, in_words(word), *detail ? " (" : "", detail,
                       *detail ? ")" : "");
    say(fd, line, (size_t)len);
}

static void refused(struct relay_flow *flow, enum usher_word word, const char *text)
{
    struct answer *answer = (struct answer *)flow;
    tell(answer->stream.watch.fd, flow, word, text);
    say_no_more(answer->stream.watch.fd);
    relay_stream_close(&answer->stream, false);
}

void answers_init(struct ask *ask)
{
    ask->streams = (struct relay_kind){
        .relay = ask->front.relay,
        .expired = relay_stream_expired,
        .abandon = abandon,
        .inside = client_of,
        .host = host_of,
        .refused = refused,
    };
}

void answer_want(const struct opening *opening, struct want *out)
{
    const struct answer *answer = container_of(opening, struct answer, stream.flow.opening);
    const struct relay_flow *flow = &answer->stream.flow;
    *out = (struct want){
        .open = {.protocol = USHER_TCP,
                 .addr = flow->outside.addr,
                 .port = flow->outside.port,
                 .by_name = flow->by_name},
        .origin = answer->client,
        .ops = &relay_stream_ops,
    };
    strcpy(out->open.host, answer->host);
}

void answer_placed(struct opening *opening)
{
    relay_stream_placed(container_of(opening, struct relay_stream, flow.opening));
}

void answer_refused(struct opening *opening, enum usher_word word, const char *text)
{
    refused(container_of(opening, struct relay_flow, opening), word, text);
}

void answer_begin(struct ask *ask, int fd, const struct endpoint *client, const struct usher_open *to)
{
    static const char full[] = "There are too many connections.\r\n";
    if (ask->front.relay->count >= ask->config.max_flows) {
        say(fd, full, sizeof full - 1);
        say_no_more(fd);
        close(fd);
        return;
    }
    size_t host = strlen(to->host) + 1;
    struct answer *answer = (struct answer *)relay_stream_add(&ask->streams, sizeof *answer + host, to);
    answer->client = *client;
    memcpy(answer->host, to->host, host);
    if (relay_stream_join(&answer->stream, fd))
        edge_open(&ask->front.edge, &answer->stream.flow.opening);
    else
        abandon(&answer->stream.flow);
}
