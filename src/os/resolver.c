// SPDX-License-Identifier: GPL-2.0-or-later
// c-ares gives descriptors to watch and a time to wake up; libuv watches and wakes. A query belongs to us until its
// owner has heard or cancelled, and beyond that until c-ares has called back for it, which it does exactly once.
// Owners are called from tick() alone, never from inside c-ares, so an owner may do anything there: look up, cancel,
// free the resolver.
#include "os/resolver.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "os/hosts.h"
#include "os/random.h"
#include "os/socket.h"

#include <ares.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SERVERS_TEXT_SIZE = 512,
    // Each server is asked twice, the second time with twice the patience.
    TRIES = 2,
    PATIENCE_UNITS = 3,
    PATIENCE_MS_MIN = 100,
    HOSTS_TTL_S = 60, // of what a file says, which has no such thing
};

// One of c-ares' sockets.
struct watch {
    struct list node; // in resolver.watches
    uv_poll_t poll;
    struct resolver *resolver;
    ares_socket_t fd;
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
    ares_channel channel; // NULL once freed
    uv_timer_t timer;
    uint32_t timeout_ms;
    uint32_t mark;
    const char *hosts;
    struct list watches;
    struct list waiting; // by deadline: every query has the same patience
    struct list finished;
};

static void tick(uv_timer_t *timer);

// Wakes for whatever comes first: an answer to hand out, a deadline, or a retry of c-ares.
static void arm(struct resolver *resolver)
{
    if (!list_is_empty(&resolver->finished)) {
        uv_timer_start(&resolver->timer, tick, 0, 0);
        return;
    }
    uint64_t delay = UINT64_MAX;
    if (!list_is_empty(&resolver->waiting)) {
        uint64_t deadline = container_of(resolver->waiting.next, struct resolver_query, node)->deadline_ms;
        uint64_t now = uv_now(resolver->loop);
        delay = deadline > now ? deadline - now : 0;
    }
    struct timeval room;
    struct timeval *retry = ares_timeout(resolver->channel, NULL, &room);
    if (retry) {
        // Rounded up: c-ares does nothing when woken a fraction early.
        uint64_t ms = (uint64_t)retry->tv_sec * 1000 + (uint64_t)retry->tv_usec / 1000 + 1;
        delay = ms < delay ? ms : delay;
    }
    if (delay == UINT64_MAX)
        uv_timer_stop(&resolver->timer);
    else
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

static void ask(struct resolver_query *query, int family)
{
    const struct ares_addrinfo_hints hints = {.ai_family = family};
    query->family = family;
    ares_getaddrinfo(query->resolver->channel, query->host, NULL, &hints, answered, query);
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
        abandon(query);
        done(owner, &answer);
    }
}

static void tick(uv_timer_t *timer)
{
    struct resolver *resolver = timer->data;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    expire(resolver);
    deliver(resolver);
    if (resolver->channel)
        arm(resolver);
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct resolver *resolver = watch->resolver;
    // An error shows itself to whoever reads or writes. c-ares may close this very socket, and the watch with it.
    ares_socket_t fd = watch->fd;
    ares_process_fd(resolver->channel, status < 0 || (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
                    status < 0 || (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
    arm(resolver);
}

static void watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_find(struct resolver *resolver, ares_socket_t fd)
{
    list_for_each(node, &resolver->watches) {
        struct watch *watch = container_of(node, struct watch, node);
        if (watch->fd == fd)
            return watch;
    }
    return NULL;
}

static struct watch *watch_new(struct resolver *resolver, ares_socket_t fd)
{
    struct watch *watch = memory_new(sizeof *watch);
    if (uv_poll_init(resolver->loop, &watch->poll, fd) < 0) {
        free(watch); // not watched: the deadline ends the query
        return NULL;
    }
    watch->poll.data = watch;
    watch->resolver = resolver;
    watch->fd = fd;
    list_push_back(&resolver->watches, &watch->node);
    return watch;
}

static void watch_free(struct watch *watch)
{
    list_remove(&watch->node);
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static void socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = owner;
    struct watch *watch = watch_find(resolver, fd);
    if (!readable && !writable) {
        if (watch)
            watch_free(watch);
        return;
    }
    if (!watch)
        watch = watch_new(resolver, fd);
    if (watch)
        uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), ready);
}

// A query that cannot be marked must not be sent: it could go into the very tunnel that waits for its answer.
static int configure_socket(ares_socket_t fd, int type, void *owner)
{
    (void)type;
    const struct resolver *resolver = owner;
    return socket_set_mark(fd, resolver->mark) ? 0 : -1;
}

static unsigned server_count(const char *servers)
{
    unsigned count = 1;
    for (; *servers; servers++)
        count += *servers == ',';
    return count;
}

static int open_channel(struct resolver *resolver, const struct resolver_config *config, unsigned servers)
{
    // Two tries at every server fit into the whole time, so that a server that never answers does not cost the answer
    // of the one behind it, nor one that is silent about AAAA the addresses that came with A.
    uint32_t patience = config->timeout_ms / (PATIENCE_UNITS * servers + 1);
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)(patience < PATIENCE_MS_MIN ? PATIENCE_MS_MIN : patience),
        .tries = TRIES,
        .lookups = config->hosts_file ? "fb" : "b",
        .sock_state_cb = socket_state,
        .sock_state_cb_data = resolver,
    };
    int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
              ARES_OPT_DOMAINS;
    return ares_init_options(&resolver->channel, &options, set);
}

#if ARES_VERSION < 0x011301
// c-ares before 1.19.1 falls back to rand() for its query ids where it cannot open /dev/urandom.
static void seed_ids(void)
{
    unsigned seed;
    random_fill(&seed, sizeof seed);
    srand(seed);
}
#else
static void seed_ids(void)
{
}
#endif

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
    resolver->timeout_ms = config->timeout_ms;
    resolver->mark = config->mark;
    resolver->hosts = config->hosts;
    list_init(&resolver->watches);
    list_init(&resolver->waiting);
    list_init(&resolver->finished);

    seed_ids();
    int status = open_channel(resolver, config, server_count(servers));
    if (status != ARES_SUCCESS) {
        fault_set(fault, "resolver: %s", ares_strerror(status));
        free(resolver);
        return NULL;
    }
    status = ares_set_servers_ports_csv(resolver->channel, servers);
    if (status != ARES_SUCCESS) {
        fault_set(fault, "resolver: name servers \"%s\": %s", servers, ares_strerror(status));
        ares_destroy(resolver->channel);
        free(resolver);
        return NULL;
    }
    if (resolver->mark)
        ares_set_socket_configure_callback(resolver->channel, configure_socket, resolver);
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
    ares_channel channel = resolver->channel;
    ares_destroy(channel); // calls back for every query, and closes every socket
    resolver->channel = NULL;
    list_for_each(node, &resolver->watches)
        watch_free(container_of(node, struct watch, node));
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
    } else {
        query->in_cares = true;
        ask(query, AF_UNSPEC);
    }
    arm(resolver);
    return query;
}

void resolver_cancel(struct resolver_query *query)
{
    abandon(query);
}
