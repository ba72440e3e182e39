// SPDX-License-Identifier: GPL-2.0-or-later
// The child that judges knows the lines of the file, so it reports for itself.

#include "gate/load/load.h"

#include "base/memory.h"
#include "gate/load/apart.h"

#include <stdlib.h>
#include <string.h>

enum { GOOD = 0, BAD = 1 };         // of the child that judges
enum { KEY_MAX = 4 * 1024 * 1024 }; // bytes of what comes back: a key's file may have no more

// Judging

struct judgement {
    const struct gate_conf *conf;
    const struct credentials *credentials;
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
    struct tls_identity *identity =
        credentials_judge(judgement->credentials, judgement->config, "Gate", &judgement->conf->credentials, TLS_GATE);
    if (!identity)
        return BAD;
    bool ok = !judgement->list || tls_list_may_follow(judgement->list, &judgement->credentials->crl, &fault);
    if (!ok)
        config_mistake(judgement->config, "Gate", "CRL", "%s", fault.text);
    bool told = ok && apart_tell(out, tls_identity_expires(identity), TLS_CREDENTIALS * sizeof(usec_t));
    tls_identity_free(identity);
    return told ? GOOD : BAD;
}

static bool judge_apart(struct gate_conf *conf, const struct credentials *credentials, const struct blob *list,
                        struct config *config)
{
    struct judgement judgement = {conf, credentials, list, config};
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
    bool ok = config_load(&config, &handover->force.text);
    if (ok) {
        ok = gate_conf_parse(conf, &config, &handover->force.text);
        access_notice_sources(&conf->access, &config);
        const struct credential_opening opening = {.asking = asking, .instance = conf->name, .unlock = unlock_apart};
        ok &= credentials_read(&handover->force.credentials, &config, "Gate", &conf->credentials, &opening) &&
              judge_apart(conf, &handover->force.credentials, NULL, &config);
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

static void *parse_again(void *owner, struct config *config, const struct blob *text)
{
    const struct handover *before = owner;
    struct gate_conf *conf = memory_new(sizeof *conf);
    if (gate_conf_parse(conf, config, text)) {
        snprintf(conf->name, sizeof conf->name, "%s", (const char *)before->name.bytes);
        return conf;
    }
    gate_conf_free(conf);
    return NULL;
}

static void free_again(void *conf)
{
    gate_conf_free(conf);
}

static const struct credential_keys *keys_again(const void *conf)
{
    return &((const struct gate_conf *)conf)->credentials;
}

static bool judge_again(void *owner, void *conf, const struct credentials *now, const struct blob *list,
                        struct config *config)
{
    (void)owner;
    return judge_apart(conf, now, list, config);
}

struct gate_conf *gate_load_again(const char *name_or_file, const struct handover *before, struct handover *now,
                                  FILE *report, bool *flawless)
{
    static const struct again_kind kind = {.section = "Gate",
                                           .parse = parse_again,
                                           .free = free_again,
                                           .keys = keys_again,
                                           .judge = judge_again,
                                           .unlock = unlock_apart};
    char path[4096];
    instance_config_path(path, sizeof path, name_or_file);
    struct again again = {
        .kind = &kind,
        .owner = (void *)before,
        .path = path,
        .instance = (const char *)before->name.bytes,
        .before = &before->force,
        .report = report,
    };
    struct gate_conf *conf = again_read(&again);
    *flawless = again.flawless;
    *now = (struct handover){.force = again.now};
    if (conf)
        now->name = blob_copy(&before->name);
    return conf;
}

// What was inherited

static struct gate_conf *parse_inherited(const struct handover *handover, const struct blob *text)
{
    struct config config = {.path = "the configuration in force", .report = stderr};
    struct gate_conf *conf = memory_new(sizeof *conf);
    snprintf(conf->name, sizeof conf->name, "%s", (const char *)handover->name.bytes);
    bool ok = gate_conf_parse(conf, &config, text);
    config_fini(&config);
    if (ok)
        return conf;
    gate_conf_free(conf);
    return NULL;
}

static bool judge_inherited(struct gate_conf *conf, const struct handover *handover)
{
    struct config config = {.path = "what is in force", .report = stderr};
    bool ok = judge_apart(conf, &handover->force.credentials, NULL, &config);
    config_fini(&config);
    return ok;
}

struct gate_conf *gate_load_inherited(const struct handover *handover, struct gate_conf **now)
{
    bool renewed = handover->began.len;
    *now = renewed ? parse_inherited(handover, &handover->force.text) : NULL;
    struct gate_conf *conf = parse_inherited(handover, renewed ? &handover->began : &handover->force.text);
    if (conf && (*now || !renewed) && judge_inherited(*now ? *now : conf, handover))
        return conf;
    if (*now)
        gate_conf_free(*now);
    if (conf)
        gate_conf_free(conf);
    return NULL;
}
