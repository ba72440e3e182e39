// SPDX-License-Identifier: GPL-2.0-or-later
// One attempt at a time: wait, resolve, connect, tunnel. An attempt that fails leaves `why`; dialer_turn reports it and
// sets the next one, so the owner hears of everything from one place and may free the dialer there.
#include "link/dialer.h"

#include "base/memory.h"
#include "link/backoff.h"
#include "os/clock.h"
#include "os/race.h"
#include "os/random.h"
#include "os/resolver.h"
#include "os/socket.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_MS = 10000, // for all addresses together
    RESOLVE_TIMEOUT_MS = 5000,  // each name server is asked twice within it (os/resolver.c)
    // An attempt that is younger than this goes on when the network changes: our own routes are news too.
    FRESH_USEC = 1 * USEC_PER_SEC,
    // While somebody waits (dialer_want). A connection attempt is given up after a second, because its next packet may be
    // many seconds away after a cut; then after two, four, eight, for the sake of paths as slow as that.
    WANTED_LOOK_MS = 250,
    WANTED_PAUSE_USEC = 500 * USEC_PER_MSEC,
    WANTED_PATIENCE_USEC = 1 * USEC_PER_SEC,
    WANTED_PATIENCE_MAX_USEC = 8 * USEC_PER_SEC,
    WHY_SIZE = 512,
};

enum phase { WAITING, RESOLVING, CONNECTING, TUNNELLING, FAILED, STOPPED };

struct dialer {
    uv_loop_t *loop;
    uv_timer_t timer; // runs while WAITING
    uv_timer_t look;  // runs while `wanted`
    int handles;      // of libuv that are not closed yet
    enum phase phase;
    struct dialer_config config;
    char *host;
    char *peer_name;
    char *congestion;
    const struct dialer_ops *ops;
    void *owner;
    struct resolver *resolver;
    struct race *race;
    struct tunnel *tunnel;
    bool up;
    bool untrusted; // as the last attempt ended
    bool stopping;
    bool at_once; // the next attempt does not wait
    bool wanted;
    usec_t patience; // of the next attempt that somebody waits for
    usec_t begun_at;
    usec_t up_at;
    struct backoff backoff;
    char why[WHY_SIZE];
};

static void start(struct dialer *dialer);

static void fail(struct dialer *dialer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct dialer *dialer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(dialer->why, sizeof(dialer->why), format, args);
    va_end(args);
    dialer->phase = FAILED;
    dialer->ops->wake(dialer->owner);
}

static void on_up(void *owner)
{
    struct dialer *dialer = owner;
    dialer->up = true;
    dialer->up_at = clock_now();
    dialer->patience = WANTED_PATIENCE_USEC;
    dialer->ops->up(dialer->owner, dialer->tunnel);
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct dialer *dialer = owner;
    dialer->ops->opened(dialer->owner, session, open);
}

static void on_down(void *owner, const char *why)
{
    struct dialer *dialer = owner;
    dialer->untrusted = tunnel_is_untrusted(dialer->tunnel);
    tunnel_free(dialer->tunnel);
    dialer->tunnel = NULL;
    fail(dialer, "%s", why);
}

static void on_wake(void *owner)
{
    struct dialer *dialer = owner;
    dialer->ops->wake(dialer->owner);
}

static const struct tunnel_ops tunnel_ops = {.up = on_up, .opened = on_opened, .down = on_down, .wake = on_wake};

static void on_connected(void *owner, const struct race_end *end)
{
    struct dialer *dialer = owner;
    struct fault fault;
    char text[ENDPOINT_TEXT_SIZE];
    dialer->race = NULL;
    if (end->fd < 0) {
        fail(dialer, "cannot connect to %s: %s", endpoint_text(&end->first, text), strerror(end->first_error));
        return;
    }
    dialer->phase = TUNNELLING;
    dialer->tunnel = tunnel_new(dialer->loop, end->fd, dialer->config.identity, TLS_PORTAL, dialer->peer_name,
                                &dialer->config.tunnel, &tunnel_ops, dialer, &fault);
    if (!dialer->tunnel)
        fail(dialer, "%s", fault.text);
}

static void connect_to(struct dialer *dialer, const struct address *addrs, size_t count)
{
    struct endpoint to[RESOLVER_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        to[i] = (struct endpoint){.addr = addrs[i], .port = dialer->config.port};
    dialer->phase = CONNECTING;
    const struct race_config config = {
        .to = to, .count = count, .timeout_ms = CONNECT_TIMEOUT_MS, .mark = dialer->config.mark};
    dialer->race = race_new(dialer->loop, &config, on_connected, dialer);
}

static void on_resolved(void *owner, const struct address *addrs, size_t count, const char *why)
{
    struct dialer *dialer = owner;
    if (count == 0)
        fail(dialer, "cannot resolve %s: %s", dialer->host, why);
    else
        connect_to(dialer, addrs, count);
    resolver_free(dialer->resolver);
    dialer->resolver = NULL;
}

// A new resolver for each attempt: the network that has changed may have brought other name servers.
static void start(struct dialer *dialer)
{
    struct address addr;
    struct fault fault;
    dialer->begun_at = clock_now();
    dialer->untrusted = dialer->at_once = false;
    if (address_parse(&addr, dialer->host)) {
        connect_to(dialer, &addr, 1);
        return;
    }
    const struct resolver_config config = {
        .mark = dialer->config.mark, .timeout_ms = RESOLVE_TIMEOUT_MS, .hosts_file = true};
    dialer->phase = RESOLVING;
    dialer->resolver = resolver_new(dialer->loop, &config, &fault);
    if (dialer->resolver)
        resolver_lookup(dialer->resolver, dialer->host, on_resolved, dialer);
    else
        fail(dialer, "cannot resolve %s: %s", dialer->host, fault.text);
}

static void on_timer(uv_timer_t *timer)
{
    start(timer->data);
}

static void wait_for_next(struct dialer *dialer)
{
    uint32_t random;
    random_fill(&random, sizeof(random));
    usec_t wait = dialer->at_once ? 0 : backoff_next(&dialer->backoff, random);
    dialer->phase = WAITING;
    uv_timer_start(&dialer->timer, on_timer, wait / USEC_PER_MSEC, 0);
}

// What is under way for the attempt, short of a tunnel.
static void abandon(struct dialer *dialer)
{
    uv_timer_stop(&dialer->timer);
    race_cancel(dialer->race);
    dialer->race = NULL;
    if (dialer->resolver)
        resolver_free(dialer->resolver);
    dialer->resolver = NULL;
}

static void report(struct dialer *dialer, usec_t now)
{
    enum dialer_end end = dialer->up ? DIALER_LOST : dialer->untrusted ? DIALER_UNTRUSTED : DIALER_UNREACHABLE;
    char why[WHY_SIZE];
    memcpy(why, dialer->why, sizeof(why));
    dialer->up = false;
    if (end == DIALER_LOST && now - dialer->up_at >= BACKOFF_STABLE_USEC)
        backoff_reset(&dialer->backoff);
    if (dialer->stopping)
        dialer->phase = STOPPED;
    else
        wait_for_next(dialer);
    dialer->ops->down(dialer->owner, end, why);
}

bool dialer_turn(struct dialer *dialer, usec_t now)
{
    bool more = dialer->tunnel && tunnel_turn(dialer->tunnel, now);
    if (dialer->phase == FAILED)
        report(dialer, now);
    return more;
}

struct dialer *dialer_new(uv_loop_t *loop, const struct dialer_config *config, const struct dialer_ops *ops,
                          void *owner, struct fault *fault)
{
    if (config->host[0] == '\0' || config->port == 0) {
        fault_set(fault, "the gate's address has no host or no port");
        return NULL;
    }
    struct dialer *dialer = memory_new(sizeof(*dialer));
    dialer->loop = loop;
    dialer->config = *config;
    dialer->host = memory_text(config->host);
    dialer->peer_name = memory_text(config->peer_name);
    if (config->tunnel.congestion)
        dialer->config.tunnel.congestion = dialer->congestion = memory_text(config->tunnel.congestion);
    dialer->ops = ops;
    dialer->owner = owner;
    uv_timer_init(loop, &dialer->timer);
    uv_timer_init(loop, &dialer->look);
    dialer->timer.data = dialer->look.data = dialer;
    dialer->handles = 2;
    dialer->patience = WANTED_PATIENCE_USEC;
    dialer->at_once = true;
    wait_for_next(dialer);
    return dialer;
}

static void on_closed(uv_handle_t *handle)
{
    struct dialer *dialer = handle->data;
    if (--dialer->handles > 0)
        return;
    free(dialer->host);
    free(dialer->peer_name);
    free(dialer->congestion);
    free(dialer);
}

void dialer_free(struct dialer *dialer)
{
    if (!dialer)
        return;
    abandon(dialer);
    tunnel_free(dialer->tunnel);
    dialer->tunnel = NULL;
    dialer->phase = STOPPED;
    uv_close((uv_handle_t *)&dialer->timer, on_closed);
    uv_close((uv_handle_t *)&dialer->look, on_closed);
}

void dialer_stop(struct dialer *dialer, const char *reason)
{
    if (dialer->stopping)
        return;
    dialer->stopping = true;
    if (dialer->tunnel) {
        tunnel_end(dialer->tunnel, reason);
    } else {
        abandon(dialer);
        fail(dialer, "%s", reason);
    }
}

// Whether the kernel would still let a socket have the tunnel's local address.
static bool local_address_is_gone(struct dialer *dialer)
{
    struct endpoint local;
    struct sockaddr_storage sa;
    if (!tunnel_local(dialer->tunnel, &local))
        return true;
    local.port = 0;
    int fd = socket_datagram(local.addr.version);
    if (fd < 0)
        return false;
    socklen_t len = endpoint_to_sockaddr(&local, &sa);
    bool gone = bind(fd, (struct sockaddr *)&sa, len) < 0;
    close(fd);
    return gone;
}

void dialer_network_changed(struct dialer *dialer)
{
    if (dialer->stopping)
        return;
    bool stale = clock_now() - dialer->begun_at >= FRESH_USEC;
    if (dialer->phase == WAITING) {
        abandon(dialer);
        start(dialer);
    } else if (dialer->phase == RESOLVING || dialer->phase == CONNECTING) {
        if (stale) {
            abandon(dialer);
            start(dialer);
        }
    } else if (dialer->tunnel && (dialer->up || stale) && (!dialer->up || local_address_is_gone(dialer))) {
        dialer->at_once = true;
        tunnel_drop(dialer->tunnel, dialer->up ? "the address of the tunnel's connection is gone from this machine"
                                               : "the network changed during the TLS handshake");
    }
}

static void start_anew(struct dialer *dialer, const char *why)
{
    dialer->at_once = true;
    if (dialer->tunnel) {
        tunnel_drop(dialer->tunnel, why);
        return;
    }
    abandon(dialer);
    start(dialer);
}

static void look(uv_timer_t *timer)
{
    struct dialer *dialer = timer->data;
    usec_t age = clock_now() - dialer->begun_at;
    bool pausing = dialer->phase == WAITING, trying = dialer->phase == CONNECTING || dialer->phase == TUNNELLING;
    if (dialer->up || dialer->stopping || (!pausing && !trying))
        return;
    if (age < (pausing ? (usec_t)WANTED_PAUSE_USEC : dialer->patience))
        return;
    if (!pausing && dialer->patience < (usec_t)WANTED_PATIENCE_MAX_USEC)
        dialer->patience *= 2;
    start_anew(dialer, "no answer");
}

void dialer_want(struct dialer *dialer, bool wanted)
{
    if (wanted == dialer->wanted)
        return;
    dialer->wanted = wanted;
    if (wanted)
        uv_timer_start(&dialer->look, look, 0, WANTED_LOOK_MS);
    else
        uv_timer_stop(&dialer->look);
}

struct tunnel *dialer_tunnel(struct dialer *dialer)
{
    return dialer->up ? dialer->tunnel : NULL;
}
