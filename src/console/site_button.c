// SPDX-License-Identifier: GPL-2.0-or-later
// What is done to portals and gates: asked first, done once, and in the audit log with who.
#include "console/site_internal.h"

#include "base/memory.h"
#include "console/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_action(struct site *site, const struct form *form, struct action *action)
{
    *action = (struct action){
        .deed = form_value(form, "do"),
        .instance = source_find(site->source, form_value(form, "name")),
        .portal = *form_value(form, "portal") ? form_value(form, "portal") : NULL,
    };
    return action->instance && actions_question(action);
}

void button_ask_first(struct site *site, struct http_request *request, struct login *login)
{
    static const char *const labels[][2] = {
        {"down", "Take down"}, {"reload", "Reload"}, {"up", "Bring up"}, {"end", "End the tunnels of"}};
    struct markup out = {0};
    struct page page = answer_page(site, request, login, &out);
    struct action action;
    const char *label = "";
    if (!read_action(site, http_query(request), &action)) {
        answer_say(site, request, login, 404, "There is nothing to do",
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

static void deed_done(void *owner, bool ok, const char *outcome)
{
    struct waiting *waiting = owner;
    struct site *site = waiting->site;
    struct login *login = answer_login(site, waiting->token);
    const char *portal = *waiting->portal ? waiting->portal : NULL;
    char from[ADDRESS_TEXT_SIZE];
    struct markup to = {0};
    audit_write(site->conf->audit_file, &(struct audit){.who = login ? login->who : "who has left",
                                                        .from = answer_from(waiting->request, from),
                                                        .deed = waiting->deed,
                                                        .instance = waiting->instance,
                                                        .portal = portal,
                                                        .outcome = outcome});
    if (login)
        snprintf(login->notice, sizeof login->notice, "%s %s%s%s: %s", waiting->deed, waiting->instance,
                 portal ? ", " : "", portal ? portal : "", ok && !strcmp(outcome, "done") ? "done." : outcome);
    markup_form(&to, "/instance?name=%u", waiting->instance);
    answer_go_to(waiting->request, to.bytes, NULL);
    markup_free(&to);
    free(waiting);
}

void button_do(struct site *site, struct http_request *request, struct login *login)
{
    struct action action;
    if (!login->may_act) {
        answer_say(site, request, login, 403, "Not yours to do", "This login may look, and do nothing.");
        return;
    }
    if (!read_action(site, http_form(request), &action)) {
        answer_say(site, request, login, 409, "There is nothing to do",
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
