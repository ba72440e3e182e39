// SPDX-License-Identifier: GPL-2.0-or-later
// Who is let in: by a link, which is good once, or by a certificate where the console listens elsewhere.
#include "console/site_internal.h"

#include "console/audit.h"
#include "console/pages.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>

enum { COOKIE_SIZE = 200 };

static void make_cookie(const struct site *site, char room[COOKIE_SIZE], const char *secret)
{
    snprintf(room, COOKIE_SIZE, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", site->cookie, secret,
             site->guard.tls ? "; Secure" : "", *secret ? "" : "; Max-Age=0");
}

struct login *entry_login(struct site *site, const struct http_request *request)
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
                &(struct audit){.who = who, .from = answer_from(request, from), .deed = "login", .outcome = "done"});
}

// By the link, which is used up.
void entry_by_link(struct site *site, struct http_request *request)
{
    const char *token = form_value(http_query(request), "token");
    char cookie[COOKIE_SIZE], who[32], from[ADDRESS_TEXT_SIZE];
    struct markup out = {0};
    struct page page = answer_page(site, request, NULL, &out);
    if (!site->conf->ca && *token && logins_use_link(&site->logins, token)) {
        snprintf(who, sizeof who, "link %u", site->logins.begun + 1);
        begin_login(site, request, who, site->conf->actions, cookie);
        welcome_page(&page);
        http_reply(request, &(struct http_reply){.status = 200, .body = out, .cookie = cookie});
        return;
    }
    if (*token)
        audit_write(site->conf->audit_file, &(struct audit){.who = "nobody",
                                                            .from = answer_from(request, from),
                                                            .deed = "login",
                                                            .outcome = "the link is not good"});
    login_page(&page, *token ? "That link is not good, or not any more: each is good once." : NULL);
    bool is_asked_for = !*token && !strcmp(http_path(request), "/login");
    http_reply(request, &(struct http_reply){.status = is_asked_for ? 200 : 403, .body = out});
}

bool entry_by_certificate(struct site *site, struct http_request *request, struct login **login)
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
        answer_say(site, request, NULL, 403, "Not for everybody", sentence);
        return true;
    }
    if (*login && !strcmp((*login)->who, name))
        return false;
    begin_login(site, request, name, may_act && conf->actions, cookie);
    answer_go_to(request, "/", cookie);
    return true;
}

void entry_log_out(struct site *site, struct http_request *request, struct login *login)
{
    char cookie[COOKIE_SIZE], from[ADDRESS_TEXT_SIZE];
    make_cookie(site, cookie, "");
    audit_write(
        site->conf->audit_file,
        &(struct audit){.who = login->who, .from = answer_from(request, from), .deed = "logout", .outcome = "done"});
    login_end(login);
    answer_go_to(request, "/login", cookie);
}
