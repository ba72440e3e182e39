// SPDX-License-Identifier: GPL-2.0-or-later
// Sentences, pages and where else to look, as answers.
#include "console/site_internal.h"

#include "console/pages.h"
#include "os/clock.h"

struct page answer_page(struct site *site, struct http_request *request, struct login *login, struct markup *out)
{
    return (struct page){.out = out,
                         .source = site->source,
                         .login = login,
                         .query = http_query(request),
                         .wall = time(NULL),
                         .now = clock_now()};
}

void answer_say(struct site *site, struct http_request *request, struct login *login, unsigned status,
                const char *title, const char *sentence)
{
    struct markup out = {0};
    struct page page = answer_page(site, request, login, &out);
    sentence_page(&page, title, sentence);
    http_reply(request, &(struct http_reply){.status = status, .body = out});
}

void answer_go_to(struct http_request *request, const char *location, const char *cookie)
{
    struct markup body = {0};
    markup_raw(&body, "\n");
    http_reply(request, &(struct http_reply){.status = 303, .body = body, .location = location, .cookie = cookie});
}

const char *answer_from(const struct http_request *request, char room[ADDRESS_TEXT_SIZE])
{
    struct endpoint peer = http_peer(request);
    return address_text(&peer.addr, room);
}

struct login *answer_login(struct site *site, const char *token)
{
    for (size_t i = 0; i < LOGINS_MAX; i++)
        if (site->logins.items[i].used && guard_equal(site->logins.items[i].token, token))
            return &site->logins.items[i];
    return NULL;
}
