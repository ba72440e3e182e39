// SPDX-License-Identifier: GPL-2.0-or-later
// The running portal may not read the files any more: what they hold comes from a reader (os/watch/file_reader.h), when it has
// changed or was asked for. Here it is judged, with all else as it is, and only then taken.
//
// A new certificate is shown at the next login. The tunnel that is up goes on: its gate has judged the old one, and judges
// it anew whenever it has reason to; and it is left for another one before that is out of date (cli/changeover.h).
#include "portal/renewal.h"

#include "base/memory.h"
#include "cli/expiry.h"
#include "cli/rereading.h"
#include "config/again.h"
#include "os/log.h"
#include "os/netlink/routes.h"
#include "os/watch/file_reader.h"
#include "portal/live.h"
#include "portal/system_dns.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct renewal {
    struct portal *portal;
    char path[4096];            // of the configuration
    struct in_force force;      // by now
    struct blob began;          // the text at the start
    struct file_reader *reader; // NULL: cannot be had, or has ended
    struct rereading *rereading;
    struct tls_identity *judged; // made of what is being read; NULL: nothing is
    struct list waiting;         // requests
    uv_signal_t hangup;
};

struct waiting {
    struct list node;
    struct control_request *request;
};

// Judging

static void *parse(void *owner, struct config *config, const struct blob *text)
{
    struct portal *portal = ((struct renewal *)owner)->portal;
    struct portal_conf *conf = portal_conf_of(portal->conf->use, config, text);
    live_forget(portal);
    if (!conf || live_prepare(portal, conf, config))
        return conf;
    portal_conf_free(conf);
    return NULL;
}

static void free_conf(void *conf)
{
    portal_conf_free(conf);
}

static const struct credential_keys *keys_of(const void *conf)
{
    return &((const struct portal_conf *)conf)->credentials;
}

static void forget_judged(struct renewal *renewal)
{
    tls_identity_free(renewal->judged);
    renewal->judged = NULL;
}

static bool judge(void *owner, void *conf, const struct credentials *now, const struct blob *list,
                  struct config *config)
{
    struct renewal *renewal = owner;
    struct fault why;
    forget_judged(renewal);
    renewal->judged = credentials_judge(now, config, "Portal", keys_of(conf), TLS_PORTAL);
    if (!renewal->judged)
        return false;
    if (tls_list_may_follow(list, &now->crl, &why))
        return true;
    config_mistake(config, "Portal", "CRL", "%s", why.text);
    forget_judged(renewal);
    return false;
}

static const struct again_kind KIND = {
    .section = "Portal", .parse = parse, .free = free_conf, .keys = keys_of, .judge = judge, .unlock = tls_key_unlock};

// Taking

// The tunnel that is up, and who is tried next.
static void renew_path(struct renewal *renewal)
{
    struct portal *portal = renewal->portal;
    struct path_gate gates[VALUE_TARGETS_MAX];
    struct path_config config = portal_conf_path(portal->conf, gates, portal->identity);
    if (!portal->path || portal->stopping)
        return;
    config.mark = portal_conf_captures(portal->conf) && !portal->given ? ROUTES_MARK : 0;
    config.nl = portal->nl;
    config.servers = system_dns_servers(portal);
    path_renew(portal->path, &config);
    node_wake(&portal->node);
}

static void take_identity(struct renewal *renewal)
{
    struct portal *portal = renewal->portal;
    tls_identity_free(portal->identity); // of a tunnel that is up it goes with that
    portal->identity = renewal->judged;
    renewal->judged = NULL;
    changeover_certificate(portal->changeover, tls_identity_expires(portal->identity)[TLS_CERTIFICATE]);
    expiry_free(portal->expiry);
    portal->expiry = expiry_new(portal->loop, credentials_validity(tls_identity_expires(portal->identity),
                                                                   &portal->conf->credentials, TLS_PORTAL));
}

static bool are_equal(const struct credentials *a, const struct credentials *b)
{
    return blob_equal(&a->ca, &b->ca) && blob_equal(&a->certificate, &b->certificate) && blob_equal(&a->key, &b->key) &&
           blob_equal(&a->crl, &b->crl);
}

static void put_in_force(struct renewal *renewal, struct again *again, struct portal_conf *now)
{
    struct portal *portal = renewal->portal;
    const struct change_texts texts = {&renewal->began, &renewal->force.text, &again->now.text};
    bool is_new = !are_equal(&renewal->force.credentials, &again->now.credentials) ||
                  now->credentials.allow_tls12 != portal->conf->credentials.allow_tls12;
    portal->gates_are_new = false;
    if (again->text_taken)
        live_take(portal, now, &texts, again->report);
    if (is_new)
        take_identity(renewal);
    if (is_new || portal->gates_are_new)
        renew_path(renewal);
    in_force_wipe(&renewal->force);
    renewal->force = again->now;
    again->now = (struct in_force){0};
}

static const char PASSWORDS[] = ", password";

static bool renew(struct renewal *renewal, const struct file_set *set, FILE *report, bool *renewed)
{
    struct again again = {
        .kind = &KIND,
        .owner = renewal,
        .path = renewal->path,
        .files = set,
        .instance = renewal->portal->conf->name,
        .before = &renewal->force,
        .report = report,
    };
    char words[128 + sizeof PASSWORDS];
    struct portal_conf *now = again_read(&again);
    if (!now) {
        live_forget(renewal->portal);
        fprintf(report, "nothing new is in force\n");
        return false;
    }
    in_force_changes(&renewal->force, &again.now, words, sizeof words);
    if (again.text_taken && live_passwords_changed(renewal->portal, now))
        strcat(words, *words ? PASSWORDS : PASSWORDS + strlen(", "));
    *renewed = *words;
    if (*renewed) {
        fprintf(report, "new and in force: %s\n", words);
        put_in_force(renewal, &again, now);
    }
    live_forget(renewal->portal);
    forget_judged(renewal);
    in_force_wipe(&again.now);
    portal_conf_free(now);
    return again.flawless;
}

static void describe_answer(const void *part, struct facts *facts)
{
    const struct renewal *renewal = part;
    facts_text(facts, "name", "of the instance", renewal->portal->conf->name);
    facts_text(facts, "role", "what kind of program it is", "portal");
    rereading_describe_last(renewal->rereading, facts);
}

static void answer_all(struct renewal *renewal)
{
    for (struct list *node; (node = list_pop_front(&renewal->waiting));) {
        struct waiting *waiting = container_of(node, struct waiting, node);
        control_reply(waiting->request, describe_answer, renewal);
        free(waiting);
    }
}

static void have_read(void *owner, struct file_set *set, bool asked)
{
    struct renewal *renewal = owner;
    FILE *report = rereading_begin(renewal->rereading);
    bool renewed = false;
    if (report) {
        bool flawless = renew(renewal, set, report, &renewed);
        rereading_end(renewal->rereading, report, flawless, renewed);
    }
    file_set_fini(set);
    if (asked)
        answer_all(renewal);
}

// Asking

static const char NO_READER[] = "the process that reads the files has ended: start the portal again";

static void gone(void *owner)
{
    struct renewal *renewal = owner;
    log_error("files are not read again any more: %s", NO_READER);
    file_reader_free(renewal->reader);
    renewal->reader = NULL;
    for (struct list *node; (node = list_pop_front(&renewal->waiting));) {
        struct waiting *waiting = container_of(node, struct waiting, node);
        control_refuse(waiting->request, NO_READER);
        free(waiting);
    }
}

void renewal_request(struct portal *portal, struct control_request *request)
{
    struct renewal *renewal = portal->renewal;
    struct waiting *waiting = memory_new(sizeof *waiting);
    waiting->request = request;
    list_push_back(&renewal->waiting, &waiting->node);
    if (renewal->reader && file_reader_ask(renewal->reader))
        return;
    list_remove(&waiting->node);
    free(waiting);
    control_refuse(request, NO_READER);
}

static void hung_up(uv_signal_t *handle, int number)
{
    struct renewal *renewal = handle->data;
    (void)number;
    if (!renewal->reader || !file_reader_ask(renewal->reader))
        log_warning("asked to read the files again: %s", NO_READER);
}

void renewal_describe(const struct portal *portal, struct facts *facts)
{
    rereading_describe(portal->renewal->rereading, facts);
}

// Set-up

static void begin_reading(struct renewal *renewal)
{
    struct portal *portal = renewal->portal;
    struct file_wish wishes[PORTAL_FILES];
    struct fault fault;
    portal_conf_files(portal->conf, renewal->path, wishes);
    const struct file_reader_config config = {
        .attendant = portal->attendants->reader.channel >= 0 ? &portal->attendants->reader : NULL,
        .wishes = wishes,
        .count = PORTAL_FILES,
        .log = portal->background->log,
        .read = have_read,
        .gone = gone,
        .owner = renewal,
    };
    renewal->reader = file_reader_new(portal->loop, &config, &fault);
    if (!renewal->reader)
        log_warning("files are not read again while it runs: %s", fault.text);
}

static bool take(struct portal *portal, struct fault *fault)
{
    struct renewal *renewal = portal->renewal = memory_new(sizeof *renewal);
    (void)fault;
    renewal->portal = portal;
    renewal->rereading = rereading_new();
    renewal->force = *portal->force;
    *portal->force = (struct in_force){0};
    renewal->began = blob_copy(&renewal->force.text);
    list_init(&renewal->waiting);
    instance_config_path(renewal->path, sizeof renewal->path, portal->name_or_file);
    begin_reading(renewal);
    uv_signal_init(portal->loop, &renewal->hangup);
    renewal->hangup.data = renewal;
    uv_signal_start(&renewal->hangup, hung_up, SIGHUP);
    uv_unref((uv_handle_t *)&renewal->hangup);
    return true;
}

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void undo(struct portal *portal)
{
    struct renewal *renewal = portal->renewal;
    portal->renewal = NULL;
    for (struct list *node; (node = list_pop_front(&renewal->waiting));) // the control socket drops their requests
        free(container_of(node, struct waiting, node));
    file_reader_free(renewal->reader);
    rereading_free(renewal->rereading);
    in_force_wipe(&renewal->force);
    blob_wipe(&renewal->began);
    uv_close((uv_handle_t *)&renewal->hangup, closed);
}

const struct step RENEWAL = {"files to be read again", take, undo};
