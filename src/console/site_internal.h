// SPDX-License-Identifier: GPL-2.0-or-later
// What a site consists of: for the files that make it up, and nobody else.
#ifndef CONSOLE_SITE_INTERNAL_H
#define CONSOLE_SITE_INTERNAL_H

#include "console/actions.h"
#include "console/conf.h"
#include "console/events.h"
#include "console/guard.h"
#include "console/http_request.h"
#include "console/login.h"
#include "console/page.h"
#include "console/source.h"

enum { LINK_SIZE = GUARD_HOST_SIZE + LOGIN_SECRET_SIZE + 32 };

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

// Answering

struct page answer_page(struct site *site, struct http_request *request, struct login *login, struct markup *out);
void answer_say(struct site *site, struct http_request *request, struct login *login, unsigned status,
                const char *title, const char *sentence);
void answer_go_to(struct http_request *request, const char *location, const char *cookie); // NULL: none
const char *answer_from(const struct http_request *request, char room[ADDRESS_TEXT_SIZE]);
// The login that a waiting request was of. NULL: it has left meanwhile.
struct login *answer_login(struct site *site, const char *token);

// Logging in

struct login *entry_login(struct site *site, const struct http_request *request); // NULL: none
void entry_by_link(struct site *site, struct http_request *request);
// By the certificate a login begins by itself. True: the request was answered.
bool entry_by_certificate(struct site *site, struct http_request *request, struct login **login);
void entry_log_out(struct site *site, struct http_request *request, struct login *login);

// The buttons

void button_ask_first(struct site *site, struct http_request *request, struct login *login);
void button_do(struct site *site, struct http_request *request, struct login *login);

// What is shown of the source

void view_show(struct site *site, struct http_request *request, struct login *login);

#endif
