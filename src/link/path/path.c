// SPDX-License-Identifier: GPL-2.0-or-later
// One attempt at a time: wait, resolve, connect, tunnel. An attempt that fails leaves `why`; path_turn reports it and
// sets the next one, so the owner hears of everything from one place and may free the path there.
#include "link/path/path.h"

#include "base/memory.h"
#include "link/path/backoff.h"
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
    // While somebody waits (path_want). A connection attempt is given up after a second, because its next packet may be
    // many seconds away after a cut; then after two, four, eight, for the sake of paths as slow as that.
    WANTED_LOOK_MS = 250,
    WANTED_PAUSE_USEC = 500 * USEC_PER_MSEC,
    WANTED_PATIENCE_USEC = 1 * USEC_PER_SEC,
    WANTED_PATIENCE_MAX_USEC = 8 * USEC_PER_SEC,
    WHY_SIZE = 512,
};

enum phase { WAITING, RESOLVING, CONNECTING, TUNNELLING, FAILED, STOPPED };

struct path {
    uv_loop_t *loop;
    uv_timer_t timer; // runs while WAITING
    uv_timer_t look;  // runs while `wanted`
    int handles;      // of libuv that are not closed yet
    enum phase phase;
    struct path_config config;
    char *host;
    char *peer_name;
    char *congestion;
    const struct path_ops *ops;
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

static void start(struct path *path);

static void fail(struct path *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct path *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(path->why, sizeof(path->why), format, args);
    va_end(args);
    path->phase = FAILED;
    path->ops->wake(path->owner);
}

static void on_up(void *owner)
{
    struct path *path = owner;
    path->up = true;
    path->up_at = clock_now();
    path->patience = WANTED_PATIENCE_USEC;
    path->ops->up(path->owner, path->tunnel);
}

static void on_opened(void *owner, struct usher_session *session, const struct usher_open *open)
{
    struct path *path = owner;
    path->ops->opened(path->owner, session, open);
}

static void on_down(void *owner, const char *why)
{
    struct path *path = owner;
    path->untrusted = tunnel_is_untrusted(path->tunnel);
    tunnel_free(path->tunnel);
    path->tunnel = NULL;
    fail(path, "%s", why);
}

static void on_wake(void *owner)
{
    struct path *path = owner;
    path->ops->wake(path->owner);
}

static const struct tunnel_ops tunnel_ops = {.up = on_up, .opened = on_opened, .down = on_down, .wake = on_wake};

static void on_connected(void *owner, const struct race_end *end)
{
    struct path *path = owner;
    struct fault fault;
    char text[ENDPOINT_TEXT_SIZE];
    path->race = NULL;
    if (end->fd < 0) {
        fail(path, "cannot connect to %s: %s", endpoint_text(&end->first, text), strerror(end->first_error));
        return;
    }
    path->phase = TUNNELLING;
    struct lane *lane = lane_new(path->loop, end->fd, path->config.identity, TLS_PORTAL, path->peer_name,
                                 &path->config.tunnel.lane, &fault);
    if (!lane) {
        fail(path, "%s", fault.text);
        return;
    }
    path->tunnel = tunnel_new(path->loop, &path->config.tunnel, &tunnel_ops, path);
    tunnel_carry(path->tunnel, lane);
}

static void connect_to(struct path *path, const struct address *addrs, size_t count)
{
    struct endpoint to[RESOLVER_ADDRESSES_MAX];
    for (size_t i = 0; i < count; i++)
        to[i] = (struct endpoint){.addr = addrs[i], .port = path->config.port};
    path->phase = CONNECTING;
    const struct race_config config = {
        .to = to, .count = count, .timeout_ms = CONNECT_TIMEOUT_MS, .mark = path->config.mark};
    path->race = race_new(path->loop, &config, on_connected, path);
}

static void on_resolved(void *owner, const struct address *addrs, size_t count, const char *why)
{
    struct path *path = owner;
    if (count == 0)
        fail(path, "cannot resolve %s: %s", path->host, why);
    else
        connect_to(path, addrs, count);
    resolver_free(path->resolver);
    path->resolver = NULL;
}

// A new resolver for each attempt: the network that has changed may have brought other name servers.
static void start(struct path *path)
{
    struct address addr;
    struct fault fault;
    path->begun_at = clock_now();
    path->untrusted = path->at_once = false;
    if (address_parse(&addr, path->host)) {
        connect_to(path, &addr, 1);
        return;
    }
    const struct resolver_config config = {
        .mark = path->config.mark, .timeout_ms = RESOLVE_TIMEOUT_MS, .hosts_file = true};
    path->phase = RESOLVING;
    path->resolver = resolver_new(path->loop, &config, &fault);
    if (path->resolver)
        resolver_lookup(path->resolver, path->host, on_resolved, path);
    else
        fail(path, "cannot resolve %s: %s", path->host, fault.text);
}

static void on_timer(uv_timer_t *timer)
{
    start(timer->data);
}

static void wait_for_next(struct path *path)
{
    uint32_t random;
    random_fill(&random, sizeof(random));
    usec_t wait = path->at_once ? 0 : backoff_next(&path->backoff, random);
    path->phase = WAITING;
    uv_timer_start(&path->timer, on_timer, wait / USEC_PER_MSEC, 0);
}

// What is under way for the attempt, short of a tunnel.
static void abandon(struct path *path)
{
    uv_timer_stop(&path->timer);
    race_cancel(path->race);
    path->race = NULL;
    if (path->resolver)
        resolver_free(path->resolver);
    path->resolver = NULL;
}

static void report(struct path *path, usec_t now)
{
    enum path_end end = path->up ? PATH_LOST : path->untrusted ? PATH_UNTRUSTED : PATH_UNREACHABLE;
    char why[WHY_SIZE];
    memcpy(why, path->why, sizeof(why));
    path->up = false;
    if (end == PATH_LOST && now - path->up_at >= BACKOFF_STABLE_USEC)
        backoff_reset(&path->backoff);
    if (path->stopping)
        path->phase = STOPPED;
    else
        wait_for_next(path);
    path->ops->down(path->owner, end, why);
}

bool path_turn(struct path *path, usec_t now)
{
    bool more = path->tunnel && tunnel_turn(path->tunnel, now);
    if (path->phase == FAILED)
        report(path, now);
    return more;
}

struct path *path_new(uv_loop_t *loop, const struct path_config *config, const struct path_ops *ops, void *owner,
                      struct fault *fault)
{
    if (config->host[0] == '\0' || config->port == 0) {
        fault_set(fault, "the gate's address has no host or no port");
        return NULL;
    }
    struct path *path = memory_new(sizeof(*path));
    path->loop = loop;
    path->config = *config;
    path->host = memory_text(config->host);
    path->peer_name = memory_text(config->peer_name);
    if (config->tunnel.lane.congestion)
        path->config.tunnel.lane.congestion = path->congestion = memory_text(config->tunnel.lane.congestion);
    path->ops = ops;
    path->owner = owner;
    uv_timer_init(loop, &path->timer);
    uv_timer_init(loop, &path->look);
    path->timer.data = path->look.data = path;
    path->handles = 2;
    path->patience = WANTED_PATIENCE_USEC;
    path->at_once = true;
    wait_for_next(path);
    return path;
}

static void on_closed(uv_handle_t *handle)
{
    struct path *path = handle->data;
    if (--path->handles > 0)
        return;
    free(path->host);
    free(path->peer_name);
    free(path->congestion);
    free(path);
}

void path_free(struct path *path)
{
    if (!path)
        return;
    abandon(path);
    tunnel_free(path->tunnel);
    path->tunnel = NULL;
    path->phase = STOPPED;
    uv_close((uv_handle_t *)&path->timer, on_closed);
    uv_close((uv_handle_t *)&path->look, on_closed);
}

void path_stop(struct path *path, const char *reason)
{
    if (path->stopping)
        return;
    path->stopping = true;
    if (path->tunnel) {
        tunnel_end(path->tunnel, reason);
    } else {
        abandon(path);
        fail(path, "%s", reason);
    }
}

// Whether the kernel would still let a socket have the tunnel's local address.
static bool local_address_is_gone(struct path *path)
{
    struct endpoint local;
    struct sockaddr_storage sa;
    if (!tunnel_local(path->tunnel, &local))
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

void path_network_changed(struct path *path)
{
    if (path->stopping)
        return;
    bool stale = clock_now() - path->begun_at >= FRESH_USEC;
    if (path->phase == WAITING) {
        abandon(path);
        start(path);
    } else if (path->phase == RESOLVING || path->phase == CONNECTING) {
        if (stale) {
            abandon(path);
            start(path);
        }
    } else if (path->tunnel && (path->up || stale) && (!path->up || local_address_is_gone(path))) {
        path->at_once = true;
        tunnel_drop(path->tunnel, path->up ? "the address of the tunnel's connection is gone from this machine"
                                           : "the network changed during the TLS handshake");
    }
}

static void start_anew(struct path *path, const char *why)
{
    path->at_once = true;
    if (path->tunnel) {
        tunnel_drop(path->tunnel, why);
        return;
    }
    abandon(path);
    start(path);
}

static void look(uv_timer_t *timer)
{
    struct path *path = timer->data;
    usec_t age = clock_now() - path->begun_at;
    bool pausing = path->phase == WAITING, trying = path->phase == CONNECTING || path->phase == TUNNELLING;
    if (path->up || path->stopping || (!pausing && !trying))
        return;
    if (age < (pausing ? (usec_t)WANTED_PAUSE_USEC : path->patience))
        return;
    if (!pausing && path->patience < (usec_t)WANTED_PATIENCE_MAX_USEC)
        path->patience *= 2;
    start_anew(path, "no answer");
}

void path_want(struct path *path, bool wanted)
{
    if (wanted == path->wanted)
        return;
    path->wanted = wanted;
    if (wanted)
        uv_timer_start(&path->look, look, 0, WANTED_LOOK_MS);
    else
        uv_timer_stop(&path->look);
}

struct tunnel *path_tunnel(struct path *path)
{
    return path->up ? path->tunnel : NULL;
}
