// SPDX-License-Identifier: GPL-2.0-or-later
// The files lie where the supervisor can read them, in a sealed memory file they are handed on, and their contents are
// judged by a child process, as at the start.
#include "gate/supervisor/renewal.h"

#include "base/memory.h"
#include "cli/rereading.h"
#include "config/changes.h"
#include "os/log.h"
#include "os/watch/file_watch.h"

#include <stdlib.h>
#include <unistd.h>

enum { FILES = 5 };

struct renewal {
    struct renewal_config config;
    uv_loop_t *loop;
    struct file_watch *watch;
    struct gate_conf *conf; // NULL: as at the start
    struct blob began;      // the text of that
    int handover_fd;
    struct rereading *rereading;
};

static const struct change_delay SLOW[] = {
    {"Gate", "Listen", "when the gate is started again"},
    {"Access", "Forward", "when the gate is started again"},
    {"Access", "Export", "when the gate is started again"},
    {"Access", "Map", "when the gate is started again"},
    {"Gate", "User", "at the next login of each portal"},
    {"Gate", "DNS", "at the next login of each portal"},
    {"Gate", "MinimumTLS", "at the next login of each portal"},
    {"Gate", "MaxConnecting", "at the next login of each portal"},
    {"Gate", "OpensPerSecond", "at the next login of each portal"},
    {"Gate", "OpensBurst", "at the next login of each portal"},
    {"Gate", "ConnectTimeout", "at the next login of each portal"},
    {"Gate", "UdpTimeout", "at the next login of each portal"},
    {"Gate", "DnsTimeout", "at the next login of each portal"},
    {"Access", "Source", "at the next login of the portal"},
    {"Access", "Local", "at the next login of the portal"},
};

const struct gate_conf *renewal_conf(const struct renewal *renewal)
{
    return renewal->conf ? renewal->conf : renewal->config.conf;
}

int renewal_handover_fd(const struct renewal *renewal)
{
    return renewal->handover_fd;
}

static void file_changed(void *owner)
{
    renewal_run(owner);
}

// False with a fault, and then what was watched is watched still.
static bool watch(struct renewal *renewal, struct fault *fault)
{
    const struct credential_keys *keys = &renewal_conf(renewal)->credentials;
    char path[4096];
    instance_config_path(path, sizeof path, renewal->config.name_or_file);
    const char *const files[FILES] = {path, keys->ca, keys->certificate, keys->key, keys->crl};
    struct file_watch *watch = file_watch_new(renewal->loop, files, FILES, file_changed, renewal, fault);
    if (!watch)
        return false;
    file_watch_free(renewal->watch);
    renewal->watch = watch;
    return true;
}

// False when it cannot be handed on.
static bool put_in_force(struct renewal *renewal, struct gate_conf *conf, struct handover *now, FILE *report)
{
    struct fault fault;
    if (!blob_equal(&renewal->began, &now->force.text))
        now->began = blob_copy(&renewal->began);
    int fd = handover_write(now, &fault);
    if (fd < 0) {
        fprintf(report, "%s\n", fault.text);
        return false;
    }
    close(renewal->handover_fd);
    renewal->handover_fd = fd;
    struct gate_conf *old = renewal->conf;
    renewal->conf = conf;
    renewal->config.renewed(renewal->config.owner);
    if (!watch(renewal, &fault))
        fprintf(report, "%s\n", fault.text);
    if (old)
        gate_conf_free(old);
    return true;
}

// True when nothing was mistaken.
static bool renew(struct renewal *renewal, struct handover *before, FILE *report, bool *renewed)
{
    struct handover now = {0};
    char words[128];
    bool flawless;
    struct gate_conf *conf = gate_load_again(renewal->config.name_or_file, before, &now, report, &flawless);
    if (!conf) {
        fprintf(report, "nothing new is in force\n");
        return false;
    }
    now.servers = blob_copy(&before->servers);
    if (*in_force_changes(&before->force, &now.force, words, sizeof words)) {
        const struct change_texts texts = {NULL, &before->force.text, &now.force.text};
        fprintf(report, "new and in force: %s\n", words);
        changes_tell(&texts, SLOW, sizeof SLOW / sizeof SLOW[0], report);
        *renewed = put_in_force(renewal, conf, &now, report);
        if (*renewed)
            conf = NULL;
        else
            flawless = false;
    }
    if (conf)
        gate_conf_free(conf);
    handover_fini(&now);
    return flawless;
}

// `renewed` when something new is in force.
static bool run(struct renewal *renewal, FILE *report, bool *renewed)
{
    struct handover before;
    struct fault fault;
    if (!handover_read(&before, renewal->handover_fd, handover_size(renewal->handover_fd, &fault), &fault)) {
        fprintf(report, "%s\n", fault.text);
        return false;
    }
    bool flawless = renew(renewal, &before, report, renewed);
    handover_fini(&before);
    return flawless;
}

bool renewal_run(struct renewal *renewal)
{
    FILE *report = rereading_begin(renewal->rereading);
    bool renewed = false;
    if (!report)
        return false;
    bool flawless = run(renewal, report, &renewed);
    rereading_end(renewal->rereading, report, flawless, renewed);
    return flawless;
}

void renewal_describe_last(const struct renewal *renewal, struct facts *facts)
{
    rereading_describe_last(renewal->rereading, facts);
}

void renewal_describe(const struct renewal *renewal, struct facts *facts)
{
    rereading_describe(renewal->rereading, facts);
}

struct renewal *renewal_new(uv_loop_t *loop, const struct renewal_config *config, struct handover *handover,
                            struct fault *fault)
{
    struct renewal *renewal = memory_new(sizeof *renewal);
    renewal->config = *config;
    renewal->loop = loop;
    renewal->conf = config->now;
    renewal->rereading = rereading_new();
    renewal->began = blob_copy(handover->began.len ? &handover->began : &handover->force.text);
    renewal->handover_fd = handover_write(handover, fault);
    handover_fini(handover);
    if (renewal->handover_fd < 0) {
        renewal_free(renewal);
        return NULL;
    }
    if (!watch(renewal, fault))
        log_warning("changes of files are not noticed until they are to be read again (usher-gate reload): %s",
                    fault->text);
    return renewal;
}

void renewal_free(struct renewal *renewal)
{
    if (!renewal)
        return;
    file_watch_free(renewal->watch);
    if (renewal->handover_fd >= 0)
        close(renewal->handover_fd);
    if (renewal->conf)
        gate_conf_free(renewal->conf);
    blob_wipe(&renewal->began);
    rereading_free(renewal->rereading);
    free(renewal);
}
