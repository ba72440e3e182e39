// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/site.h"

#include "base/memory.h"
#include "console/assets.h"
#include "console/metrics.h"
#include "console/site_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void change(struct site *site, struct http_request *request, struct login *login)
{
    if (!guard_equal(login->token, form_value(http_form(request), "token")))
        answer_say(site, request, login, 403, "Not from here",
                   "That form is not of this login: go back and load its page anew.");
    else if (!strcmp(http_path(request), "/do"))
        button_do(site, request, login);
    else if (!strcmp(http_path(request), "/logout"))
        entry_log_out(site, request, login);
    else
        answer_say(site, request, login, 404, "Not here", "There is no such page.");
}

static bool is_from_here(const struct http_request *request)
{
    static const struct prefix v4 = {.addr = {.version = 4, .bytes = {127}}, .len = 8};
    static const struct prefix v6 = {.addr = {.version = 6, .bytes = {[15] = 1}}, .len = 128};
    struct endpoint peer = http_peer(request);
    return prefix_contains(peer.addr.version == 4 ? &v4 : &v6, &peer.addr);
}

static bool may_measure(const struct site *site, const struct http_request *request)
{
    static const char bearer[] = "Bearer ";
    const char *given = http_header(request, "Authorization");
    if (!site->conf->token_file)
        return is_from_here(request);
    return given && !strncmp(given, bearer, strlen(bearer)) &&
           guard_equal((const char *)site->conf->token.bytes, given + strlen(bearer));
}

static void measure(struct site *site, struct http_request *request)
{
    struct markup out = {0};
    const char *accept = http_header(request, "Accept");
    bool is_open = accept && strstr(accept, "application/openmetrics-text");
    if (!may_measure(site, request)) {
        answer_say(site, request, NULL, 403, "Not for everybody",
                   "Metrics are for this host, or for who has the token.");
        return;
    }
    metrics_write(&out, source_instances(site->source), is_open);
    if (!out.len)
        markup_raw(&out, "\n");
    http_reply(request,
               &(struct http_reply){.status = 200,
                                    .body = out,
                                    .type = is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                                    : "text/plain; version=0.0.4; charset=utf-8"});
}

static bool serve_asset(struct http_request *request)
{
    const struct asset *asset = asset_find(http_path(request));
    if (!asset)
        return false;
    struct markup body = {.bytes = memory_new((size_t)(asset->end - asset->bytes) + 1),
                          .len = (size_t)(asset->end - asset->bytes)};
    memcpy(body.bytes, asset->bytes, body.len);
    http_reply(request, &(struct http_reply){.status = 200, .type = asset->type, .body = body, .may_keep = true});
    return true;
}

void site_serve(void *owner, struct http_request *request)
{
    struct site *site = owner;
    const struct guarded headers = {
        .host = http_header(request, "Host"),
        .origin = http_header(request, "Origin"),
        .site = http_header(request, "Sec-Fetch-Site"),
        .mode = http_header(request, "Sec-Fetch-Mode"),
        .dest = http_header(request, "Sec-Fetch-Dest"),
        .changes = http_is_post(request),
    };
    const char *objection = guard_objection(&site->guard, &headers);
    if (objection) {
        answer_say(site, request, NULL, 403, "Not from here", objection);
        return;
    }
    if (!http_is_post(request) && serve_asset(request))
        return;
    if (site->conf->metrics && !http_is_post(request) && !strcmp(http_path(request), "/metrics")) {
        measure(site, request);
        return;
    }
    struct login *login = entry_login(site, request);
    if (site->conf->ca && entry_by_certificate(site, request, &login))
        return;
    if (!login && (http_is_post(request) || !strcmp(http_path(request), "/events")))
        answer_say(site, request, NULL, 403, "Not logged in", "The login is over: log in again.");
    else if (!login || !strcmp(http_path(request), "/login"))
        entry_by_link(site, request);
    else if (http_is_post(request))
        change(site, request, login);
    else
        view_show(site, request, login);
}

// Beginning and end

void site_changed(void *owner)
{
    struct site *site = owner;
    if (site->events.count)
        source_look(site->source);
    events_tell(&site->events, source_rounds(site->source));
}

void site_opened(struct site *site, const struct endpoint *where)
{
    char address[ADDRESS_TEXT_SIZE];
    site->guard.tls = site->conf->key;
    if (site->conf->name)
        guard_add(&site->guard, site->conf->name, where->port);
    guard_add(&site->guard, address_text(&where->addr, address), where->port);
    if (!site->conf->elsewhere)
        guard_add(&site->guard, "localhost", where->port);
    // Cookies know no ports: consoles of several people on one machine would take each other's.
    snprintf(site->cookie, sizeof site->cookie, "%susher-%u", site->guard.tls ? "__Host-" : "", where->port);
}

const char *site_login_link(struct site *site)
{
    if (site->conf->ca)
        return NULL;
    snprintf(site->link, sizeof site->link, "http%s://%s/login?token=%s", site->guard.tls ? "s" : "",
             site->guard.hosts[0], logins_new_link(&site->logins));
    return site->link;
}

struct site *site_new(uv_loop_t *loop, const struct console_conf *conf, struct source *source)
{
    struct site *site = memory_new(sizeof *site);
    site->conf = conf;
    site->source = source;
    site->actions = actions_new(loop);
    logins_init(&site->logins);
    return site;
}

void site_free(struct site *site)
{
    if (!site)
        return;
    actions_free(site->actions);
    explicit_bzero(&site->logins, sizeof site->logins);
    free(site);
}
