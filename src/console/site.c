// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/site.h"

#include "base/memory.h"
#include "base/text.h"
#include "console/actions.h"
#include "console/assets.h"
#include "console/audit.h"
#include "console/events.h"
#include "console/guard.h"
#include "console/login.h"
#include "console/metrics.h"
#include "console/pages.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COOKIE_SIZE = 200, LINK_SIZE = GUARD_HOST_SIZE + LOGIN_SECRET_SIZE + 32 };

struct site {
    const struct console_conf *conf;
    struct source *source;
    struct actions *actions;
    struct logins logins;
    struct events events;
    struct guard guard;
    char cookie[32]; // its name
    char link[LINK_SIZE];
};

// A request that waits for somebody else.
struct waiting {
    struct site *site;
    struct http_request *request;
    char token[LOGIN_SECRET_SIZE]; // of the login
    char deed[16], instance[INSTANCE_NAME_MAX + 1], portal[SOURCE_PEER_NAME_SIZE];
};

// ------------------------------------------------------------------------------------------------------------ answering

static struct page page_for(struct site *site, struct http_request *request, struct login *login, struct markup *out)
{
    return (struct page){.out = out,
                         .source = site->source,
                         .login = login,
                         .query = http_query(request),
                         .wall = time(NULL),
                         .now = clock_now()};
}

static void say(struct site *site, struct http_request *request, struct login *login, unsigned status,
                const char *title, const char *sentence)
{
    struct markup out = {0};
    struct page page = page_for(site, request, login, &out);
    sentence_page(&page, title, sentence);
    http_reply(request, &(struct http_reply){.status = status, .body = out});
}

static void go_to(struct http_request *request, const char *location, const char *cookie)
{
    struct markup body = {0};
    markup_raw(&body, "\n");
    http_reply(request, &(struct http_reply){.status = 303, .body = body, .location = location, .cookie = cookie});
}

static const char *from_text(const struct http_request *request, char room[ADDRESS_TEXT_SIZE])
{
    struct endpoint peer = http_peer(request);
    return address_text(&peer.addr, room);
}

// --------------------------------------------------------------------------------------------------------------- logging in

static void make_cookie(const struct site *site, char room[COOKIE_SIZE], const char *secret)
{
    snprintf(room, COOKIE_SIZE, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", site->cookie, secret,
             site->guard.tls ? "; Secure" : "", *secret ? "" : "; Max-Age=0");
}

static struct login *login_of(struct site *site, const struct http_request *request)
{
    char secret[LOGIN_SECRET_SIZE];
    const char *cookies = http_header(request, "Cookie");
    return cookies && cookie_read(secret, sizeof secret, cookies, site->cookie)
               ? logins_find(&site->logins, secret, clock_now())
               : NULL;
}

static void begin_login(struct site *site, const struct http_request *request, const char *who, bool may_act,
                        char cookie[COOKIE_SIZE])
{
    char secret[LOGIN_SECRET_SIZE], from[ADDRESS_TEXT_SIZE];
    logins_begin(&site->logins, who, may_act, secret, clock_now());
    make_cookie(site, cookie, secret);
    audit_write(site->conf->audit_file,
                &(struct audit){.who = who, .from = from_text(request, from), .deed = "login", .outcome = "done"});
}

// By the link, which is used up.
static void log_in(struct site *site, struct http_request *request)
{
    const char *token = form_value(http_query(request), "token");
    char cookie[COOKIE_SIZE], who[32], from[ADDRESS_TEXT_SIZE];
    struct markup out = {0};
    struct page page = page_for(site, request, NULL, &out);
    if (!site->conf->ca && *token && logins_use_link(&site->logins, token)) {
        snprintf(who, sizeof who, "link %u", site->logins.begun + 1);
        begin_login(site, request, who, site->conf->actions, cookie);
        welcome_page(&page);
        http_reply(request, &(struct http_reply){.status = 200, .body = out, .cookie = cookie});
        return;
    }
    if (*token)
        audit_write(site->conf->audit_file, &(struct audit){.who = "nobody",
                                                            .from = from_text(request, from),
                                                            .deed = "login",
                                                            .outcome = "the link is not good"});
    login_page(&page, *token ? "That link is not good, or not any more: each is good once." : NULL);
    bool is_asked_for = !*token && !strcmp(http_path(request), "/login");
    http_reply(request, &(struct http_reply){.status = is_asked_for ? 200 : 403, .body = out});
}

// By the certificate: a login begins by itself. True: the request was answered.
static bool show_certificate(struct site *site, struct http_request *request, struct login **login)
{
    struct fault why;
    char cookie[COOKIE_SIZE], sentence[FAULT_TEXT_SIZE + 100];
    const char *name = http_peer_name(request, &why);
    const struct console_conf *conf = site->conf;
    bool may_act = name && people_have(&conf->operators, name);
    if (!name || !(may_act || people_have(&conf->users, name))) {
        if (name)
            snprintf(sentence, sizeof sentence, "%s is not among the Users and Operators of this console.", name);
        else
            snprintf(sentence, sizeof sentence, "Who looks at this console shows a certificate: %s.", why.text);
        say(site, request, NULL, 403, "Not for everybody", sentence);
        return true;
    }
    if (*login && !strcmp((*login)->who, name))
        return false;
    begin_login(site, request, name, may_act && conf->actions, cookie);
    go_to(request, "/", cookie);
    return true;
}

// -------------------------------------------------------------------------------------------------------------- the buttons

static bool read_action(struct site *site, const struct form *form, struct action *action)
{
    *action = (struct action){
        .deed = form_value(form, "do"),
        .instance = source_find(site->source, form_value(form, "name")),
        .portal = *form_value(form, "portal") ? form_value(form, "portal") : NULL,
    };
    return action->instance && actions_question(action);
}

static void ask_first(struct site *site, struct http_request *request, struct login *login)
{
    static const char *const labels[][2] = {
        {"down", "Take down"}, {"reload", "Reload"}, {"up", "Bring up"}, {"end", "End the tunnels of"}};
    struct markup out = {0};
    struct page page = page_for(site, request, login, &out);
    struct action action;
    const char *label = "";
    if (!read_action(site, http_query(request), &action)) {
        say(site, request, login, 404, "There is nothing to do",
            "It is not there any more, or in another state by now.");
        return;
    }
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (!strcmp(labels[i][0], action.deed))
            label = labels[i][1];
    page_begin(&page, label, "");
    markup_form(&out, "<section class=\"narrow\"><h1>%s %s?</h1><p>%s</p><form method=\"post\" action=\"/do\">", label,
                action.portal ? action.portal : action.instance->name, actions_question(&action));
    markup_form(&out,
                "<input type=\"hidden\" name=\"token\" value=\"%s\"><input type=\"hidden\" name=\"do\" value=\"%s\">"
                "<input type=\"hidden\" name=\"name\" value=\"%s\">",
                login->token, action.deed, action.instance->name);
    if (action.portal)
        markup_form(&out, "<input type=\"hidden\" name=\"portal\" value=\"%s\">", action.portal);
    markup_form(&out, "<p class=\"buttons\"><button class=\"%s\">%s</button>", action.deed, label);
    markup_form(&out, "<a class=\"button\" href=\"/instance?name=%u\">Cancel</a></p></form></section>",
                action.instance->name);
    page_end(&page);
    http_reply(request, &(struct http_reply){.status = 200, .body = out});
}

static struct login *login_by_token(struct site *site, const char *token)
{
    for (size_t i = 0; i < LOGINS_MAX; i++)
        if (site->logins.items[i].used && guard_equal(site->logins.items[i].token, token))
            return &site->logins.items[i];
    return NULL;
}

static void deed_done(void *owner, bool ok, const char *outcome)
{
    struct waiting *waiting = owner;
    struct site *site = waiting->site;
    struct login *login = login_by_token(site, waiting->token);
    const char *portal = *waiting->portal ? waiting->portal : NULL;
    char from[ADDRESS_TEXT_SIZE];
    struct markup to = {0};
    audit_write(site->conf->audit_file, &(struct audit){.who = login ? login->who : "who has left",
                                                        .from = from_text(waiting->request, from),
                                                        .deed = waiting->deed,
                                                        .instance = waiting->instance,
                                                        .portal = portal,
                                                        .outcome = outcome});
    if (login)
        snprintf(login->notice, sizeof login->notice, "%s %s%s%s: %s", waiting->deed, waiting->instance,
                 portal ? ", " : "", portal ? portal : "", ok && !strcmp(outcome, "done") ? "done." : outcome);
    markup_form(&to, "/instance?name=%u", waiting->instance);
    go_to(waiting->request, to.bytes, NULL);
    markup_free(&to);
    free(waiting);
}

static void do_deed(struct site *site, struct http_request *request, struct login *login)
{
    struct action action;
    if (!login->may_act) {
        say(site, request, login, 403, "Not yours to do", "This login may look, and do nothing.");
        return;
    }
    if (!read_action(site, http_form(request), &action)) {
        say(site, request, login, 409, "There is nothing to do",
            "It is not there any more, or in another state by now.");
        return;
    }
    struct waiting *waiting = memory_new(sizeof *waiting);
    waiting->site = site;
    waiting->request = request;
    strcpy(waiting->token, login->token);
    snprintf(waiting->deed, sizeof waiting->deed, "%s", action.deed);
    snprintf(waiting->instance, sizeof waiting->instance, "%s", action.instance->name);
    snprintf(waiting->portal, sizeof waiting->portal, "%s", action.portal ? action.portal : "");
    actions_do(site->actions, &action, deed_done, waiting);
}

static void log_out(struct site *site, struct http_request *request, struct login *login)
{
    char cookie[COOKIE_SIZE], from[ADDRESS_TEXT_SIZE];
    make_cookie(site, cookie, "");
    audit_write(
        site->conf->audit_file,
        &(struct audit){.who = login->who, .from = from_text(request, from), .deed = "logout", .outcome = "done"});
    login_end(login);
    go_to(request, "/login", cookie);
}

// --------------------------------------------------------------------------------------------------------------- the pages

static void flows_came(void *owner, const struct told *flows, const struct fault *why)
{
    struct waiting *waiting = owner;
    struct site *site = waiting->site;
    struct markup out = {0};
    struct page page = page_for(site, waiting->request, login_by_token(site, waiting->token), &out);
    struct source_instance *instance = source_find(site->source, waiting->instance);
    flows_page(&page, instance, flows, why ? why->text : "they are not told");
    http_reply(waiting->request, &(struct http_reply){.status = flows ? 200 : 503, .body = out});
    free(waiting);
}

static void show_flows(struct site *site, struct http_request *request, struct login *login)
{
    const char *name = form_value(http_query(request), "name");
    struct source_instance *instance = source_find(site->source, name);
    if (!*name) {
        struct markup out = {0};
        struct page page = page_for(site, request, login, &out);
        flows_choice_page(&page);
        http_reply(request, &(struct http_reply){.status = 200, .body = out});
        return;
    }
    if (!instance) {
        say(site, request, login, 404, "Not here", "No portal and no gate of that name is known.");
        return;
    }
    struct waiting *waiting = memory_new(sizeof *waiting);
    waiting->site = site;
    waiting->request = request;
    strcpy(waiting->token, login->token);
    strcpy(waiting->instance, instance->name);
    if (!source_flows(site->source, instance, flows_came, waiting))
        flows_came(waiting, NULL, &(struct fault){"too many ask"});
}

static void show_instance(struct site *site, struct http_request *request, struct login *login)
{
    struct markup out = {0};
    struct page page = page_for(site, request, login, &out);
    const struct form *query = http_query(request);
    bool is_branch = !strcmp(http_path(request), "/branch");
    const struct source_instance *instance = source_find(site->source, form_value(query, is_branch ? "gate" : "name"));
    if (instance && !is_branch)
        instance_page(&page, instance);
    else if (!instance || !branch_page(&page, instance, form_value(query, "name"))) {
        say(site, request, login, 404, "Not here", "No portal and no gate of that name is known.");
        return;
    }
    http_reply(request, &(struct http_reply){.status = 200, .body = out});
}

typedef void page_writer(struct page *page);

static void show(struct site *site, struct http_request *request, struct login *login)
{
    static const struct {
        const char *path;
        page_writer *write;
    } pages[] = {{"/", overview_page}, {"/denials", denials_page}, {"/certificates", certificates_page}};
    const char *path = http_path(request);
    source_look(site->source);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(pages[i].path, path))
            continue;
        struct markup out = {0};
        struct page page = page_for(site, request, login, &out);
        pages[i].write(&page);
        http_reply(request, &(struct http_reply){.status = 200, .body = out});
        return;
    }
    if (!strcmp(path, "/instance") || !strcmp(path, "/branch"))
        show_instance(site, request, login);
    else if (!strcmp(path, "/flows"))
        show_flows(site, request, login);
    else if (!strcmp(path, "/events"))
        events_join(&site->events, request);
    else if (!strcmp(path, "/ask") && login->may_act)
        ask_first(site, request, login);
    else
        say(site, request, login, 404, "Not here", "There is no such page.");
}

static void change(struct site *site, struct http_request *request, struct login *login)
{
    if (!guard_equal(login->token, form_value(http_form(request), "token")))
        say(site, request, login, 403, "Not from here",
            "That form is not of this login: go back and load its page anew.");
    else if (!strcmp(http_path(request), "/do"))
        do_deed(site, request, login);
    else if (!strcmp(http_path(request), "/logout"))
        log_out(site, request, login);
    else
        say(site, request, login, 404, "Not here", "There is no such page.");
}

// ----------------------------------------------------------------------------------------------------------------- who may

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
        say(site, request, NULL, 403, "Not for everybody", "Metrics are for this host, or for who has the token.");
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
        say(site, request, NULL, 403, "Not from here", objection);
        return;
    }
    if (!http_is_post(request) && serve_asset(request))
        return;
    if (site->conf->metrics && !http_is_post(request) && !strcmp(http_path(request), "/metrics")) {
        measure(site, request);
        return;
    }
    struct login *login = login_of(site, request);
    if (site->conf->ca && show_certificate(site, request, &login))
        return;
    if (!login && (http_is_post(request) || !strcmp(http_path(request), "/events")))
        say(site, request, NULL, 403, "Not logged in", "The login is over: log in again.");
    else if (!login || !strcmp(http_path(request), "/login"))
        log_in(site, request);
    else if (http_is_post(request))
        change(site, request, login);
    else
        show(site, request, login);
}

// ------------------------------------------------------------------------------------------------------ beginning, end

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
