// SPDX-License-Identifier: GPL-2.0-or-later
// Its life, who may use it, and its face to the exchange.
#include "edge/listen/socks/socks.h"

#include "base/memory.h"
#include "edge/listen/doors.h"
#include "edge/listen/socks/connect.h"
#include "edge/listen/socks/handshake.h"
#include "edge/listen/socks/internal.h"
#include "edge/listen/socks/udp.h"
#include "os/socket/socket.h"

#include <stdlib.h>
#include <string.h>

static bool may_enter(const struct socks *socks, const struct address *client)
{
    size_t i = 0;
    while (i < socks->config.allow_count && !prefix_contains(&socks->config.allow[i], client))
        i++;
    return i < socks->config.allow_count;
}

static void accepted(void *owner, int fd, const struct endpoint *client)
{
    struct socks *socks = owner;
    if (may_enter(socks, &client->addr)) {
        handshake_begin(socks, fd, client);
        return;
    }
    socks->counters.socks_strangers++;
    socket_close_reset(fd);
}

void socks_listen(struct socks *socks, int fd)
{
    doors_open(&socks->doors, socks->loop, fd, accepted, socks);
}

void socks_listen_no_more(struct socks *socks, const struct endpoint *at)
{
    doors_close_at(&socks->doors, at);
}

static bool is_udp(const struct opening *opening)
{
    return container_of(opening, const struct relay_flow, opening)->protocol == USHER_UDP;
}

static void want(const struct opening *opening, struct want *out)
{
    if (is_udp(opening))
        udp_want(opening, out);
    else
        connect_want(opening, out);
}

static void placed(struct opening *opening)
{
    if (is_udp(opening))
        udp_placed(opening);
    else
        connect_placed(opening);
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    if (is_udp(opening))
        udp_refused(opening);
    else
        connect_refused(opening, word, text);
}

static void before_pull(struct edge *edge, usec_t now)
{
    struct socks *socks = socks_of(edge);
    handshake_expire(socks, now);
    relay_turn(socks->front.relay, now);
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct socks *socks = container_of(edge, const struct socks, front.edge);
    doors_describe(&socks->doors, facts, "socks", "where SOCKS clients are heard");
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, socks->counters.name);
    SOCKS_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
}

static void stop(struct edge *edge)
{
    struct socks *socks = socks_of(edge);
    doors_close(&socks->doors);
    handshake_end_all(socks);
    udp_end_all(socks);
    relay_free(socks->front.relay);
    explicit_bzero(&socks->password, sizeof socks->password);
    alarm_close(&socks->alarm, free, socks);
}

static const struct edge_kind kind = {
    .name = "socks",
    .want = want,
    .placed = placed,
    .refused = refused,
    .before_pull = before_pull,
    .flows = relay_front_flows,
    .each_flow = relay_front_each_flow,
    .describe = describe,
    .stop = stop,
};

void socks_admit(struct socks *socks, const struct prefix *allow, size_t count, const char *user, const char *password)
{
    socks->config.allow = allow;
    socks->config.allow_count = count;
    explicit_bzero(&socks->password, sizeof socks->password);
    socks->has_password = password;
    if (!password)
        return;
    strncpy(socks->password.user, user, SOCKS_TEXT_MAX);
    strncpy(socks->password.password, password, SOCKS_TEXT_MAX);
}

struct socks *socks_new(uv_loop_t *loop, const struct socks_config *config)
{
    struct socks *socks = memory_new(sizeof *socks);
    const struct relay_config relay = {
        .loop = loop,
        .poller = config->poller,
        .udp_offload = config->udp_offload,
        .udp_idle_ms = config->udp_idle_ms,
        .udp_dns_idle_ms = config->udp_dns_idle_ms,
    };
    socks->loop = loop;
    socks->config = *config;
    socks_admit(socks, config->allow, config->allow_count, config->user, config->password);
    relay_front_init(&socks->front, &kind, &relay);
    list_init(&socks->doors);
    alarm_init(&socks->alarm, loop, relay_front_wake, &socks->front);
    handshake_init(socks);
    connect_init(socks);
    udp_init(socks);
    return socks;
}

struct edge *socks_edge(struct socks *socks)
{
    return &socks->front.edge;
}
