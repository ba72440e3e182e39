// SPDX-License-Identifier: GPL-2.0-or-later
// A query belongs to us until its owner has heard or cancelled, and beyond that until c-ares has called back for it, which
// it does exactly once.
// Owners are called from tick() alone, never from inside c-ares, so an owner may do anything there: look up, cancel,
// free the resolver.
#include "os/resolver/resolver.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "os/resolver/channel.h"
#include "os/resolver/hosts.h"

#include <stdlib.h>
#include <string.h>

enum {
    SERVERS_TEXT_SIZE = 512,
    KEPT_MS = 2000,   // what c-ares takes, 73 KiB of tables, is kept for as long without a question
    HOSTS_TTL_S = 60, // of what a file says, which has no such thing
};

struct resolver_query {
    struct list node; // in resolver.waiting or .finished; in neither when abandoned
    struct resolver *resolver;
    void (*done)(void *owner, const struct resolver_answer *answer);
    void *owner;
    uint64_t deadline_ms; // on the loop's clock
    bool in_cares;        // c-ares will call back
    char *host;
    int family;                    // that is being asked for
    int failed;                    // c-ares' word on both families at once; 0: it has not failed
    struct resolver_answer answer; // `why` once it is known
    struct address addrs[RESOLVER_ADDRESSES_MAX];
};

struct resolver {
    uv_loop_t *loop;
    struct resolver_channel channel;
    uv_timer_t timer;
    uint32_t timeout_ms;
    const char *hosts;
    char *servers;
    bool closing;        // is being freed
    uint64_t kept_until; // on the loop's clock, while nothing waits
    struct list waiting; // by deadline: every query has the same patience
    struct list finished;
};

static void tick(uv_timer_t *timer);

// Wakes for whatever comes first: an answer to hand out, a deadline, or a retry of c-ares.
static void arm(struct resolver *resolver)
{
    if (list_is_empty(&resolver->finished) && list_is_empty(&resolver->waiting))
        uv_unref((uv_handle_t *)&resolver->timer); // nobody waits for what is done then
    else
        uv_ref((uv_handle_t *)&resolver->timer);
    if (!list_is_empty(&resolver->finished)) {
        uv_timer_start(&resolver->timer, tick, 0, 0);
        return;
    }
    uint64_t now = uv_now(resolver->loop), at = resolver->kept_until;
    if (!list_is_empty(&resolver->waiting)) {
        at = container_of(resolver->waiting.next, struct resolver_query, node)->deadline_ms;
    } else if (!resolver->channel.ares) {
        uv_timer_stop(&resolver->timer);
        return;
    }
    uint64_t delay = at > now ? at - now : 0;
    struct timeval room;
    struct timeval *retry = resolver->channel.ares ? ares_timeout(resolver->channel.ares, NULL, &room) : NULL;
    if (retry) {
        // Rounded up: c-ares does nothing when woken a fraction early.
        uint64_t ms = (uint64_t)retry->tv_sec * 1000 + (uint64_t)retry->tv_usec / 1000 + 1;
        delay = ms < delay ? ms : delay;
    }
    uv_timer_start(&resolver->timer, tick, delay, 0);
}

static void finish(struct resolver_query *query, enum resolver_outcome outcome, const char *why)
{
    query->answer.outcome = outcome;
    query->answer.why = why;
    list_remove(&query->node);
    list_push_back(&query->resolver->finished, &query->node);
}

static void query_free(struct resolver_query *query)
{
    free(query->host);
    free(query);
}

// Nobody will be called for it any more.
static void abandon(struct resolver_query *query)
{
    list_remove(&query->node);
    if (query->in_cares)
        query->done = NULL;
    else
        query_free(query);
}

static const char *word_for(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return "";
    case ARES_ENOTFOUND:
        return "no such name";
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ETIMEOUT:
        return "no answer from the name servers";
    case ARES_ECONNREFUSED:
        return "the name servers cannot be reached";
    case ARES_EBADNAME:
        return "not a valid name";
    default:
        return ares_strerror(status);
    }
}

static enum resolver_outcome outcome_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return RESOLVER_FOUND;
    case ARES_ENOTFOUND:
        return RESOLVER_NO_NAME;
    case ARES_ENODATA:
        return RESOLVER_NO_ADDRESS;
    default:
        return RESOLVER_FAILED;
    }
}

static void take_addresses(struct resolver_query *query, const struct ares_addrinfo *info)
{
    struct resolver_answer *answer = &query->answer;
    if (!answer->count)
        answer->ttl = UINT32_MAX;
    for (struct ares_addrinfo_node *node = info->nodes; node && answer->count < RESOLVER_ADDRESSES_MAX;
         node = node->ai_next) {
        struct endpoint ep;
        if (!endpoint_from_sockaddr(&ep, node->ai_addr))
            continue;
        uint32_t ttl = node->ai_ttl > 0 ? (uint32_t)node->ai_ttl : 0;
        answer->ttl = ttl < answer->ttl ? ttl : answer->ttl;
        query->addrs[answer->count++] = ep.addr;
    }
}

static void ask(struct resolver_query *query, int family);

// What is wrong with the answer about one family is nothing that the other lacks (RFC 8305 section 4), but c-ares may drop both:
// then they are asked for once more, one by one. Where nobody answers, that would only take longer.
static bool ask_apart(struct resolver_query *query, int status)
{
    bool may_help = status == ARES_EBADRESP || status == ARES_ESERVFAIL || status == ARES_EREFUSED ||
                    status == ARES_ENOTIMP || status == ARES_EFORMERR;
    if (query->family == AF_UNSPEC && may_help)
        query->failed = status;
    else if (query->family != AF_INET)
        return false;
    query->in_cares = true;
    ask(query, query->family == AF_UNSPEC ? AF_INET : AF_INET6);
    return true;
}

// What is to be said once both have been asked for.
static int sum_up(const struct resolver_query *query, int status)
{
    if (query->answer.count)
        return ARES_SUCCESS;
    return query->failed ? query->failed : status == ARES_SUCCESS ? ARES_ENODATA : status;
}

static void answered(void *owner, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct resolver_query *query = owner;
    query->in_cares = false;
    if (!query->done) {
        query_free(query);
    } else if (!query->answer.why) { // else past its deadline, and the owner is about to hear so
        if (status == ARES_SUCCESS)
            take_addresses(query, info);
        if (!ask_apart(query, status)) {
            status = sum_up(query, status);
            finish(query, outcome_of(status), word_for(status));
        }
    }
    if (info)
        ares_freeaddrinfo(info);
}

// Only want of memory can fail it.
static bool is_open(struct resolver *resolver)
{
    struct fault fault;
    return resolver->channel.ares || resolver_channel_open(&resolver->channel, resolver->servers, &fault);
}

static void ask(struct resolver_query *query, int family)
{
    const struct ares_addrinfo_hints hints = {.ai_family = family};
    query->family = family;
    ares_getaddrinfo(query->resolver->channel.ares, query->host, NULL, &hints, answered, query);
}

static void expire(struct resolver *resolver)
{
    uint64_t now = uv_now(resolver->loop);
    list_for_each(node, &resolver->waiting) {
        struct resolver_query *query = container_of(node, struct resolver_query, node);
        if (query->deadline_ms > now)
            break;
        if (query->answer.count)
            finish(query, RESOLVER_FOUND, "");
        else
            finish(query, RESOLVER_FAILED, "no answer in time");
    }
}

// The owner may free the resolver, which empties the list; the memory stays until the loop has closed the timer.
static void deliver(struct resolver *resolver)
{
    struct list *node;
    while ((node = list_pop_front(&resolver->finished))) {
        struct resolver_query *query = container_of(node, struct resolver_query, node);
        void (*done)(void *, const struct resolver_answer *) = query->done;
        void *owner = query->owner;
        struct address addrs[RESOLVER_ADDRESSES_MAX];
        struct resolver_answer answer = query->answer;
        memcpy(addrs, query->addrs, sizeof addrs);
        answer.addrs = addrs;
        resolver->kept_until = uv_now(resolver->loop) + KEPT_MS;
        abandon(query);
        done(owner, &answer);
    }
}

static void close_if_idle(struct resolver *resolver)
{
    if (resolver->channel.ares && list_is_empty(&resolver->waiting) && list_is_empty(&resolver->finished) &&
        uv_now(resolver->loop) >= resolver->kept_until)
        resolver_channel_close(&resolver->channel);
}

static void tick(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;
    if (resolver->channel.ares)
        ares_process_fd(resolver->channel.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    expire(resolver);
    deliver(resolver);
    if (resolver->closing)
        return;
    close_if_idle(resolver);
    arm(resolver);
}

static void channel_read(struct resolver_channel *channel)
{
    arm(container_of(channel, struct resolver, channel));
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

struct resolver *resolver_new(uv_loop_t *loop, const struct resolver_config *config, struct fault *fault)
{
    char room[SERVERS_TEXT_SIZE];
    const char *servers = config->servers;
    if (!servers || !*servers) {
        bool found = config->mark ? resolver_outside_servers(room, sizeof room, fault)
                                  : resolver_system_servers(room, sizeof room, fault);
        if (!found)
            return NULL;
        servers = room;
    }
    struct resolver *resolver = memory_new(sizeof *resolver);
    resolver->loop = loop;
    resolver->channel = (struct resolver_channel){.loop = loop,
                                                  .read = channel_read,
                                                  .timeout_ms = config->timeout_ms,
                                                  .mark = config->mark,
                                                  .hosts_file = config->hosts_file};
    resolver->timeout_ms = config->timeout_ms;
    resolver->hosts = config->hosts;
    list_init(&resolver->waiting);
    list_init(&resolver->finished);

    // Whether there are any mistakes; most portals of a gate never ask.
    if (!resolver_channel_open(&resolver->channel, servers, fault)) {
        free(resolver);
        return NULL;
    }
    resolver_channel_close(&resolver->channel);
    resolver->servers = memory_text(servers);
    uv_timer_init(loop, &resolver->timer);
    resolver->timer.data = resolver;
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    list_for_each(node, &resolver->waiting)
        abandon(container_of(node, struct resolver_query, node));
    list_for_each(node, &resolver->finished)
        abandon(container_of(node, struct resolver_query, node));
    if (resolver->channel.ares)
        resolver_channel_close(&resolver->channel);
    free(resolver->servers);
    resolver->closing = true;
    uv_close((uv_handle_t *)&resolver->timer, timer_closed);
}

// As getaddrinfo(3) would with "files dns": who stands there is asked of nobody else.
static bool find_in_hosts(struct resolver_query *query, const char *host)
{
    const char *hosts = query->resolver->hosts;
    if (hosts)
        query->answer.count = hosts_find(hosts, host, query->addrs, RESOLVER_ADDRESSES_MAX);
    query->answer.ttl = query->answer.count ? HOSTS_TTL_S : 0;
    return query->answer.count > 0;
}

struct resolver_query *resolver_lookup(struct resolver *resolver, const char *host,
                                       void (*done)(void *owner, const struct resolver_answer *answer), void *owner)
{
    struct resolver_query *query = memory_new(sizeof *query);
    query->resolver = resolver;
    query->done = done;
    query->owner = owner;
    query->host = memory_text(host);
    query->deadline_ms = uv_now(resolver->loop) + resolver->timeout_ms;
    list_init(&query->node);
    list_push_back(&resolver->waiting, &query->node);

    if (address_parse(&query->addrs[0], host)) {
        query->answer.count = 1;
        finish(query, RESOLVER_FOUND, "");
    } else if (find_in_hosts(query, host)) {
        finish(query, RESOLVER_FOUND, "");
    } else if (!is_open(resolver)) {
        finish(query, RESOLVER_FAILED, "out of memory");
    } else {
        query->in_cares = true;
        resolver->kept_until = uv_now(resolver->loop) + KEPT_MS;
        ask(query, AF_UNSPEC);
    }
    arm(resolver);
    return query;
}

void resolver_cancel(struct resolver_query *query)
{
    abandon(query);
}
