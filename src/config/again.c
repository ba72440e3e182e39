// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/again.h"

// What is being made.
struct reading {
    struct again *again;
    void *conf;
    struct config config;
};

static void credentials_copy(struct blob *now, const struct blob *before)
{
    blob_wipe(now);
    if (before->len)
        *now = blob_copy(before);
}

void in_force_wipe(struct in_force *force)
{
    blob_wipe(&force->text);
    credentials_wipe(&force->credentials);
}

static void begin(struct reading *reading)
{
    const struct again *again = reading->again;
    reading->config = (struct config){.path = again->path, .report = again->report, .files = again->files};
}

// The text of the file, or else the one that is in force.
static void take_text(struct reading *reading)
{
    struct again *again = reading->again;
    struct blob *text = &again->now.text;
    begin(reading);
    if (config_load(&reading->config, text))
        reading->conf = again->kind->parse(again->owner, &reading->config, text);
    again->text_taken = reading->conf;
    if (reading->conf)
        return;
    fprintf(again->report, "%s: nothing of it is taken: rules and settings stay as they are\n", again->path);
    config_fini(&reading->config);
    blob_wipe(text);
    *text = blob_copy(&again->before->text);
    begin(reading);
    reading->config.report = NULL; // it was judged when it was taken
    reading->conf = again->kind->parse(again->owner, &reading->config, text);
    reading->config.report = again->report;
}

static bool judge(struct reading *reading)
{
    struct again *again = reading->again;
    // A configuration that names no list any more has been told to do without.
    return again->kind->judge(again->owner, reading->conf, &again->now.credentials, &again->before->credentials.crl,
                              &reading->config);
}

static bool take_all(struct reading *reading)
{
    struct again *again = reading->again;
    const struct credential_opening opening = {
        .instance = again->instance, .unlock = again->kind->unlock, .kept = &again->before->credentials.key};
    return credentials_read(&again->now.credentials, &reading->config, again->kind->section,
                            again->kind->keys(reading->conf), &opening) &&
           judge(reading);
}

// Who we are is as it was.
static void keep_own(struct again *again)
{
    credentials_copy(&again->now.credentials.certificate, &again->before->credentials.certificate);
    credentials_copy(&again->now.credentials.key, &again->before->credentials.key);
    again->now.credentials.key_is_kept = again->before->credentials.key_is_kept;
}

// Whom we believe is new.
static bool take_authorities(struct reading *reading)
{
    struct again *again = reading->again;
    const struct credentials *now = &again->now.credentials;
    if (!now->ca.len || (again->kind->keys(reading->conf)->crl && !now->crl.len))
        return false;
    keep_own(again);
    return judge(reading);
}

static bool take_none(struct reading *reading)
{
    struct again *again = reading->again;
    credentials_copy(&again->now.credentials.ca, &again->before->credentials.ca);
    credentials_copy(&again->now.credentials.crl, &again->before->credentials.crl);
    keep_own(again);
    return judge(reading);
}

// Each further try is about what has been reported already.
static bool take_credentials(struct reading *reading)
{
    struct again *again = reading->again;
    if (take_all(reading))
        return true;
    again->flawless = false;
    reading->config.report = NULL;
    if (take_authorities(reading)) {
        fprintf(again->report, "%s: certificate and key stay as they are\n", again->path);
        return true;
    }
    fprintf(again->report, "%s: CA, certificate, key and revocation list stay as they are\n", again->path);
    return take_none(reading);
}

void *again_read(struct again *again)
{
    struct reading reading = {.again = again};
    again->now = (struct in_force){0};
    take_text(&reading);
    again->flawless = again->text_taken;
    bool ok = reading.conf && take_credentials(&reading);
    config_fini(&reading.config);
    if (ok)
        return reading.conf;
    if (reading.conf)
        again->kind->free(reading.conf);
    in_force_wipe(&again->now);
    again->flawless = false;
    return NULL;
}

const char *in_force_changes(const struct in_force *before, const struct in_force *now, char *room, size_t size)
{
    const struct {
        const char *what;
        const struct blob *before, *now;
    } parts[] = {
        {"configuration", &before->text, &now->text},
        {"CA", &before->credentials.ca, &now->credentials.ca},
        {"certificate", &before->credentials.certificate, &now->credentials.certificate},
        {"key", &before->credentials.key, &now->credentials.key},
        {"revocation list", &before->credentials.crl, &now->credentials.crl},
    };
    size_t len = 0;
    *room = '\0';
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!blob_equal(parts[i].before, parts[i].now))
            len += (size_t)snprintf(room + len, size - len, "%s%s", len ? ", " : "", parts[i].what);
    return room;
}
