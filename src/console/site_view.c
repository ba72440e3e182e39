// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/site_internal.h"

#include "base/memory.h"
#include "console/pages.h"

#include <stdlib.h>
#include <string.h>

static void flows_came(void *owner, const struct told *flows, const struct fault *why)
{
    struct waiting *waiting = owner;
    struct site *site = waiting->site;
    struct markup out = {0};
    struct page page = answer_page(site, waiting->request, answer_login(site, waiting->token), &out);
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
        struct page page = answer_page(site, request, login, &out);
        flows_choice_page(&page);
        http_reply(request, &(struct http_reply){.status = 200, .body = out});
        return;
    }
    if (!instance) {
        answer_say(site, request, login, 404, "Not here", "No portal and no gate of that name is known.");
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
    struct page page = answer_page(site, request, login, &out);
    const struct form *query = http_query(request);
    bool is_branch = !strcmp(http_path(request), "/branch");
    const struct source_instance *instance = source_find(site->source, form_value(query, is_branch ? "gate" : "name"));
    if (instance && !is_branch)
        instance_page(&page, instance);
    else if (!instance || !branch_page(&page, instance, form_value(query, "name"))) {
        answer_say(site, request, login, 404, "Not here", "No portal and no gate of that name is known.");
        return;
    }
    http_reply(request, &(struct http_reply){.status = 200, .body = out});
}

typedef void page_writer(struct page *page);

void view_show(struct site *site, struct http_request *request, struct login *login)
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
        struct page page = answer_page(site, request, login, &out);
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
        button_ask_first(site, request, login);
    else
        answer_say(site, request, login, 404, "Not here", "There is no such page.");
}
