// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/news.h"

#include "base/memory.h"
#include "gate/channel/worker_start.h"
#include "gate/worker/internal.h"
#include "os/log.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

struct gate_conf *news_parse(const struct blob *text)
{
    struct config config = {.path = "the configuration"};
    struct gate_conf *conf = memory_new(sizeof(*conf));
    bool ok = gate_conf_parse(conf, &config, text);
    config_fini(&config);
    if (ok)
        return conf;
    gate_conf_free(conf);
    return NULL;
}

void news_judge_by(struct worker *worker, const struct access *access)
{
    standing_judge_by(&worker->standing, worker->node.exchange, access, worker->portal);
}

// What is open already, too.
static void judge_anew(struct worker *worker, const struct access *access)
{
    news_judge_by(worker, access);
    uint32_t count = dial_judge_again(worker->dial);
    if (count)
        log_info("%s: flows reset because the rules do not allow them any more: %u", worker->who, (unsigned)count);
}

// Lanes that are to carry the tunnel on are judged by it.
static void replace_identity(struct worker *worker, struct tls_identity *identity)
{
    tls_identity_free(worker->identity);
    worker->identity = identity;
    changeover_certificate(worker->changeover, tls_identity_expires(identity)[TLS_CERTIFICATE]);
}

static void turn_out(struct worker *worker, const char *why)
{
    accounting_ends(&worker->accounting, AUDIT_REVOKED);
    tunnel_end(worker->tunnel, why);
}

void news_heed(struct worker *worker)
{
    struct handover *news = &worker->news;
    struct gate_conf *conf = news_parse(&news->force.text);
    struct fault why;
    assert(conf);
    log_set_level(conf->log_level);
    accounting_set(&worker->accounting, worker->node.exchange, conf->audit, WORKER_CHANNEL_FD);
    struct tls_identity *identity = standing_identity(news, conf, &why);
    if (identity && standing_lasts(tunnel_tls(worker->tunnel), identity, conf, &worker->conf->access, &why))
        judge_anew(worker, &conf->access);
    else
        turn_out(worker, why.text);
    if (identity)
        replace_identity(worker, identity);
    gate_conf_free(conf);
    handover_fini(news);
    node_wake(&worker->node);
}

void news_take(struct worker *worker, size_t size, int fd)
{
    struct fault fault;
    handover_fini(&worker->news);
    if (!handover_read(&worker->news, fd, size, &fault))
        abort();
    close(fd);
    node_wake(&worker->node);
}
