// SPDX-License-Identifier: GPL-2.0-or-later
// The child that judges knows the lines of the file, so it reports for itself.

#include "gate/load.h"

#include "base/memory.h"
#include "gate/apart.h"

#include <stdlib.h>
#include <string.h>

enum { GOOD = 0, BAD = 1 };         // of the child that judges
enum { KEY_MAX = 4 * 1024 * 1024 }; // bytes of what comes back: a key's file may have no more

// Judging

struct judgement {
    const struct gate_conf *conf;
    const struct handover *handover;
    const struct blob *list; // the revocation list that is in use; NULL: none yet
    struct config *config;
};

// What comes back is when things are out of date.
static int judge(void *arg, int out)
{
    const struct judgement *judgement = arg;
    struct fault fault;
    if (!tls_library_start(&fault)) {
        fprintf(judgement->config->report, "usher-gate: %s\n", fault.text);
        return BAD;
    }
    struct tls_identity *identity = credentials_judge(&judgement->handover->credentials, judgement->config, "Gate",
                                                      &judgement->conf->credentials, TLS_GATE);
    if (!identity)
        return BAD;
    bool ok = !judgement->list || tls_list_may_follow(judgement->list, &judgement->handover->credentials.crl, &fault);
    if (!ok)
        config_mistake(judgement->config, "Gate", "CRL", "%s", fault.text);
    bool told = ok && apart_tell(out, tls_identity_expires(identity), TLS_CREDENTIALS * sizeof(usec_t));
    tls_identity_free(identity);
    return told ? GOOD : BAD;
}

static bool judge_apart(struct gate_conf *conf, const struct handover *handover, const struct blob *list,
                        struct config *config)
{
    struct judgement judgement = {conf, handover, list, config};
    struct fault fault;
    struct blob told;
    int code = BAD;
    usec_t expires[TLS_CREDENTIALS];
    if (!apart_run(judge, &judgement, sizeof expires, &told, &code, &fault)) {
        config_mistake_at(config, 0, "%s", fault.text);
        return false;
    }
    bool good = code == GOOD && told.len == sizeof expires;
    if (good) {
        memcpy(expires, told.bytes, sizeof expires);
        conf->validity = credentials_validity(expires, &conf->credentials, TLS_GATE);
    }
    blob_wipe(&told);
    return good;
}

// Opening an encrypted key

struct locked {
    const struct blob *text, *passphrase;
};

// What comes back is the key, or why it cannot be had.
static int unlock(void *arg, int out)
{
    const struct locked *locked = arg;
    struct fault fault = {""};
    struct blob key = {0};
    if (!tls_library_start(&fault))
        return TLS_NOT_UNLOCKED;
    enum tls_unlocked result = tls_key_unlock(&key, locked->text, locked->passphrase, &fault);
    bool told =
        result == TLS_UNLOCKED ? apart_tell(out, key.bytes, key.len) : apart_tell(out, fault.text, strlen(fault.text));
    blob_wipe(&key);
    return told ? (int)result : TLS_NOT_UNLOCKED;
}

static enum tls_unlocked unlock_apart(struct blob *out, const struct blob *text, const struct blob *passphrase,
                                      struct fault *fault)
{
    struct locked locked = {text, passphrase};
    int code;
    if (!apart_run(unlock, &locked, KEY_MAX, out, &code, fault))
        return TLS_NOT_UNLOCKED;
    if (code == TLS_UNLOCKED)
        return TLS_UNLOCKED;
    fault_set(fault, "%s", out->len ? (const char *)out->bytes : "Key: cannot be decrypted");
    blob_wipe(out);
    return code == TLS_WRONG_PASSPHRASE ? TLS_WRONG_PASSPHRASE : TLS_NOT_UNLOCKED;
}

static bool load(struct gate_conf *conf, struct handover *handover, const char *name_or_file,
                 const struct asking *asking)
{
    char path[4096];
    struct fault fault;
    instance_config_path(path, sizeof path, name_or_file);
    struct config config = {.path = path, .report = stderr};
    if (!instance_name(conf->name, name_or_file, &fault)) {
        config_mistake_at(&config, 0, "%s", fault.text);
        return false;
    }
    bool ok = config_load(&config, &handover->config);
    if (ok) {
        ok = gate_conf_parse(conf, &config, &handover->config);
        access_notice_sources(&conf->access, &config);
        const struct credential_opening opening = {.asking = asking, .instance = conf->name, .unlock = unlock_apart};
        ok &= credentials_read(&handover->credentials, &config, "Gate", &conf->credentials, &opening) &&
              judge_apart(conf, handover, NULL, &config);
    }
    config_fini(&config);
    return ok;
}

struct gate_conf *gate_load(const char *name_or_file, const struct asking *asking, struct handover *handover)
{
    struct gate_conf *conf = memory_new(sizeof *conf);
    *handover = (struct handover){0};
    if (load(conf, handover, name_or_file, asking)) {
        handover->name = blob_text(conf->name);
        return conf;
    }
    handover_fini(handover);
    gate_conf_free(conf);
    return NULL;
}

// Reading again

// What is being made, of what is in force.
struct renewing {
    const struct handover *before;
    struct handover *now;
    struct gate_conf *conf;
    struct config config;
};

// The text of the file, or else the one that is in force.
static bool take_text(struct renewing *renewing, FILE *report)
{
    struct config *config = &renewing->config;
    config->report = report;
    renewing->conf = memory_new(sizeof *renewing->conf);
    if (config_load(config, &renewing->now->config) && gate_conf_parse(renewing->conf, config, &renewing->now->config))
        return true;
    fprintf(report, "%s: nothing of it is taken: rules and settings stay as they are\n", config->path);
    gate_conf_free(renewing->conf);
    config_fini(config);
    blob_wipe(&renewing->now->config);
    *config = (struct config){.path = config->path, .report = report};
    renewing->conf = memory_new(sizeof *renewing->conf);
    renewing->now->config = blob_copy(&renewing->before->config);
    gate_conf_parse(renewing->conf, config, &renewing->now->config);
    return false;
}

static bool judge_now(struct renewing *renewing)
{
    // A configuration that names no list any more has been told to do without.
    const struct blob *list = &renewing->before->credentials.crl;
    return judge_apart(renewing->conf, renewing->now, list, &renewing->config);
}

static bool take_all(struct renewing *renewing)
{
    const struct credential_opening opening = {
        .instance = renewing->conf->name, .unlock = unlock_apart, .kept = &renewing->before->credentials.key};
    return credentials_read(&renewing->now->credentials, &renewing->config, "Gate", &renewing->conf->credentials,
                            &opening) &&
           judge_now(renewing);
}

static void keep(struct blob *now, const struct blob *before)
{
    blob_wipe(now);
    if (before->len)
        *now = blob_copy(before);
}

// Whom we believe is new, who we are is as it was.
static bool take_authorities(struct renewing *renewing)
{
    const struct credentials *before = &renewing->before->credentials;
    struct credentials *now = &renewing->now->credentials;
    if (!now->ca.len || (renewing->conf->credentials.crl && !now->crl.len))
        return false;
    keep(&now->certificate, &before->certificate);
    keep(&now->key, &before->key);
    return judge_now(renewing);
}

static bool take_none(struct renewing *renewing)
{
    const struct credentials *before = &renewing->before->credentials;
    struct credentials *now = &renewing->now->credentials;
    keep(&now->ca, &before->ca);
    keep(&now->crl, &before->crl);
    keep(&now->certificate, &before->certificate);
    keep(&now->key, &before->key);
    return judge_now(renewing);
}

// Each further try is about what has been reported already.
static bool take_credentials(struct renewing *renewing, FILE *report, bool *flawless)
{
    const char *path = renewing->config.path;
    if (take_all(renewing))
        return true;
    *flawless = false;
    renewing->config.report = NULL;
    if (take_authorities(renewing)) {
        fprintf(report, "%s: certificate and key stay as they are\n", path);
        return true;
    }
    fprintf(report, "%s: CA, certificate, key and revocation list stay as they are\n", path);
    return take_none(renewing);
}

struct gate_conf *gate_load_again(const char *name_or_file, const struct handover *before, struct handover *now,
                                  FILE *report, bool *flawless)
{
    char path[4096];
    instance_config_path(path, sizeof path, name_or_file);
    struct renewing renewing = {.before = before, .now = now, .config = {.path = path}};
    *now = (struct handover){.name = blob_copy(&before->name)};
    *flawless = take_text(&renewing, report);
    snprintf(renewing.conf->name, sizeof renewing.conf->name, "%s", (const char *)before->name.bytes);
    bool ok = take_credentials(&renewing, report, flawless);
    config_fini(&renewing.config);
    if (ok)
        return renewing.conf;
    handover_fini(now);
    gate_conf_free(renewing.conf);
    return NULL;
}
