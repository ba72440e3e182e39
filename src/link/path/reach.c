// SPDX-License-Identifier: GPL-2.0-or-later
// Stages follow each other, one of them is under way: resolver, race, negotiation. Names are resolved anew each time, by a
// new resolver: the network that has changed may have brought other name servers.
#include "link/path/reach.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "link/path/negotiation.h"
#include "os/netlink/netlink.h"
#include "os/random.h"
#include "os/resolver/resolver.h"
#include "os/socket/race.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RESOLVE_TIMEOUT_MS = 5000, // each name server is asked twice within it (os/resolver/resolver.c)
    WHY_SIZE = 512,
};

struct reach {
    uv_loop_t *loop;
    struct reach_config config;
    struct resolver *resolver;
    struct race *race;
    struct negotiation *negotiation;
    struct proxy_talk *talk; // with a proxy
    void (*done)(void *owner, const struct reach_end *end);
    void *owner;
};

static bool has_proxy(const struct reach *reach)
{
    return reach->config.proxy->kind != PROXY_NONE;
}

// Whom we connect to.
static const char *first_host(const struct reach *reach)
{
    return has_proxy(reach) ? reach->config.proxy->host : reach->config.host;
}

static const char *article(const struct reach *reach)
{
    return has_proxy(reach) ? "the proxy " : "";
}

void reach_cancel(struct reach *reach)
{
    if (!reach)
        return;
    if (reach->resolver)
        resolver_free(reach->resolver);
    race_cancel(reach->race);
    negotiation_cancel(reach->negotiation);
    if (reach->talk)
        explicit_bzero(reach->talk, sizeof *reach->talk); // it held the password
    free(reach->talk);
    free(reach);
}

// All stages are over.
static void finish(struct reach *reach, const struct reach_end *end)
{
    void (*done)(void *owner, const struct reach_end *end) = reach->done;
    void *owner = reach->owner;
    reach_cancel(reach);
    done(owner, end);
}

static void fail(struct reach *reach, bool refused, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct reach *reach, bool refused, const char *format, ...)
{
    char why[WHY_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    finish(reach, &(struct reach_end){.fd = -1, .refused = refused, .why = why});
}

// On its way; false with a fault when there is no way to resolve.
static bool begin(struct reach *reach, struct fault *fault);

static void on_negotiated(void *owner, int fd)
{
    struct reach *reach = owner;
    struct fault fault;
    char proxy[HOST_PORT_TEXT_SIZE];
    enum proxy_verdict verdict = reach->talk->verdict;
    reach->negotiation = NULL;
    if (verdict == PROXY_LEADS)
        finish(reach, &(struct reach_end){.fd = fd, .why = ""});
    else if (verdict == PROXY_ANEW && begin(reach, &fault))
        return;
    else if (verdict == PROXY_ANEW)
        fail(reach, false, "%s", fault.text);
    else
        fail(reach, verdict == PROXY_REFUSED, "the proxy %s %.400s",
             host_port_text(proxy, sizeof proxy, reach->config.proxy->host, reach->config.proxy->port),
             reach->talk->why.text);
}

static void on_connected(void *owner, const struct race_end *end)
{
    struct reach *reach = owner;
    char text[ENDPOINT_TEXT_SIZE];
    reach->race = NULL;
    if (end->fd < 0)
        fail(reach, false, "cannot connect to %s%s: %s", article(reach), endpoint_text(&end->first, text),
             strerror(end->first_error));
    else if (has_proxy(reach))
        reach->negotiation = negotiation_new(reach->loop, end->fd, reach->talk, on_negotiated, reach);
    else
        finish(reach, &(struct reach_end){.fd = end->fd, .why = ""});
}

static void connect_to(struct reach *reach, const struct address *addrs, size_t count)
{
    struct endpoint to[RESOLVER_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        to[i] = (struct endpoint){.addr = addrs[i],
                                  .port = has_proxy(reach) ? reach->config.proxy->port : reach->config.port};
    unsigned uplinks[NETLINK_UPLINKS_MAX];
    size_t known =
        reach->config.nl ? netlink_uplinks(reach->config.nl, to[0].addr.version, uplinks, NETLINK_UPLINKS_MAX) : 0;
    const struct race_config config = {
        .to = to,
        .count = count,
        .timeout_ms = reach->config.connect_ms,
        .mark = reach->config.mark,
        .uplinks = uplinks + 1, // the first is the kernel's choice
        .uplink_count = known > 1 ? known - 1 : 0,
    };
    reach->race = race_new(reach->loop, &config, on_connected, reach);
}

static void on_resolved(void *owner, const struct resolver_answer *answer)
{
    struct reach *reach = owner;
    const struct address *addrs = answer->addrs;
    size_t count = answer->count;
    struct reach_known *known = reach->config.known;
    if (known && count > 0) {
        known->count = count;
        memcpy(known->addrs, addrs, count * sizeof *addrs);
    } else if (known && answer->outcome == RESOLVER_FAILED) {
        addrs = known->addrs;
        count = known->count;
    }
    if (count == 0) {
        fail(reach, false, "cannot resolve %s%s: %s", article(reach), first_host(reach), answer->why);
        return;
    }
    connect_to(reach, addrs, count);
    resolver_free(reach->resolver);
    reach->resolver = NULL;
}

static bool begin(struct reach *reach, struct fault *fault)
{
    struct address addr;
    struct fault cause;
    if (address_parse(&addr, first_host(reach))) {
        connect_to(reach, &addr, 1);
        return true;
    }
    const struct resolver_config config = {
        .servers = reach->config.servers,
        .mark = reach->config.mark,
        .timeout_ms = RESOLVE_TIMEOUT_MS,
        .hosts_file = true,
    };
    reach->resolver = resolver_new(reach->loop, &config, &cause);
    if (!reach->resolver)
        return fault_set(fault, "cannot resolve %s%s: %.300s", article(reach), first_host(reach), cause.text);
    resolver_lookup(reach->resolver, first_host(reach), on_resolved, reach);
    return true;
}

static struct proxy_talk *make_talk(const struct reach_config *config)
{
    uint8_t random[(PROXY_CNONCE_SIZE - 1) / 2];
    struct proxy_talk *talk = memory_new(sizeof *talk);
    talk->proxy = config->proxy;
    talk->host = config->host;
    talk->port = config->port;
    random_fill(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(talk->cnonce + 2 * i, 3, "%02x", random[i]);
    return talk;
}

struct reach *reach_new(uv_loop_t *loop, const struct reach_config *config,
                        void (*done)(void *owner, const struct reach_end *end), void *owner, struct fault *fault)
{
    struct reach *reach = memory_new(sizeof *reach);
    *reach = (struct reach){.loop = loop, .config = *config, .done = done, .owner = owner};
    if (has_proxy(reach))
        reach->talk = make_talk(config);
    if (begin(reach, fault))
        return reach;
    reach_cancel(reach);
    return NULL;
}

bool reach_is_resolving(const struct reach *reach)
{
    return reach->resolver;
}
