// SPDX-License-Identifier: GPL-2.0-or-later
// Credentials are read once, before any privilege is given away.

#include "config/credentials.h"

#include "base/memory.h"
#include "config/secret_file.h"
#include "os/process/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TRIES = 3, // that a person has for a passphrase
};

static const char *const KEY_OF[] = {
    [TLS_CA] = "CA", [TLS_CERTIFICATE] = "Certificate", [TLS_KEY] = "Key", [TLS_CRL] = "CRL"};

static char **path_of(struct credential_keys *keys, enum tls_credential which)
{
    char **const paths[] = {
        [TLS_CA] = &keys->ca, [TLS_CERTIFICATE] = &keys->certificate, [TLS_KEY] = &keys->key, [TLS_CRL] = &keys->crl};
    return paths[which];
}

bool credential_file(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    struct credential_keys *keys = field;
    enum tls_credential which = TLS_CA;
    while (strcmp(KEY_OF[which], key->name))
        which++;
    char **path = path_of(keys, which);
    if (!entry->block)
        return value_path(path, entry, key, fault);
    free(*path);
    *path = memory_text(entry->value);
    keys->inlined[which] = blob_copy(entry->block);
    return true;
}

void credential_keys_refuse_blocks(const struct credential_keys *keys, struct config *config, const char *section)
{
    for (size_t i = 0; i < TLS_CREDENTIALS; i++)
        if (keys->inlined[i].bytes)
            config_mistake(config, section, KEY_OF[i], "%s is a file here: blocks are for portals", KEY_OF[i]);
}

bool credential_minimum_tls(void *field, const struct config_entry *entry, const struct config_key *key,
                            struct fault *fault)
{
    (void)key;
    bool allow_tls12 = !strcmp(entry->value, "1.2");
    if (!allow_tls12 && strcmp(entry->value, "1.3"))
        return fault_set(fault, "is neither 1.2 nor 1.3");
    *(bool *)field = allow_tls12;
    return true;
}

static bool read_one(struct blob *out, struct config *config, const char *section, enum tls_credential which,
                     const struct credential_keys *keys)
{
    struct fault fault;
    const char *key = KEY_OF[which];
    const char *path = *path_of((struct credential_keys *)keys, which);
    if (!path)
        return true;
    if (keys->inlined[which].bytes) {
        *out = blob_copy(&keys->inlined[which]);
        return true;
    }
    if (config_file(config, out, &(struct file_wish){.path = path, .max = CREDENTIAL_FILE_MAX}, &fault))
        return true;
    config_mistake(config, section, key, "%s: %s", key, fault.text);
    return false;
}

void credential_keys_check(const struct credential_keys *keys, struct config *config, const char *section)
{
    if (!config_has(config, section, "Key") && !keys->key_command)
        config_mistake(config, section, NULL, "Key is missing in [%s], or KeyCommand", section);
}

// The key itself, which the command prints.
static bool read_by_command(struct blob *out, struct config *config, const char *section, const char *command,
                            const struct asking *asking)
{
    struct fault fault;
    if (asking->at_terminal_only && !terminal_is_there()) {
        config_notice(config, section, "KeyCommand",
                      "KeyCommand: is not run without a terminal that it could ask at, so the key was not judged");
        return true;
    }
    if (key_command_run(out, command, &fault))
        return true;
    config_mistake(config, section, "KeyCommand", "%s", fault.text);
    return false;
}

// Tries what is given; the caller asks again while the result is TLS_WRONG_PASSPHRASE.
static enum tls_unlocked try(struct blob *key, const struct blob *passphrase, tls_key_opener *unlock,
                             struct fault *fault)
{
    struct blob open;
    enum tls_unlocked result = unlock(&open, key, passphrase, fault);
    if (result == TLS_UNLOCKED) {
        blob_wipe(key);
        *key = open;
    }
    return result;
}

// One answer to the question; TLS_WRONG_PASSPHRASE when it may be asked again. The fault is a whole sentence.
static enum tls_unlocked ask_and_try(struct blob *key, const struct credential_opening *opening,
                                     const struct passphrase_question *question, bool *nobody, struct fault *fault)
{
    const char *name = question->file ? "Key" : "KeyCommand";
    struct blob passphrase;
    struct fault why;
    enum passphrase_answer answer = passphrase_get(&passphrase, opening->asking, question, &why);
    *nobody = answer == PASSPHRASE_NOBODY;
    if (answer == PASSPHRASE_FAILED)
        fault_set(fault, "%s: %s", name, why.text);
    if (*nobody)
        fault_set(fault,
                  "%s: is encrypted, and there is nobody to ask for its passphrase: no terminal and no "
                  "systemd-ask-password; use --passphrase-fd or KeyCommand",
                  name);
    if (answer == PASSPHRASE_FAILED || *nobody)
        return TLS_NOT_UNLOCKED;
    enum tls_unlocked result = try(key, &passphrase, opening->unlock, fault);
    blob_wipe(&passphrase);
    if (result != TLS_WRONG_PASSPHRASE)
        return result;
    fault_set(fault, "%s: %s%sthe passphrase is wrong", name, question->file ? question->file : "",
              question->file ? ": " : "");
    return answer == PASSPHRASE_ASKED ? TLS_WRONG_PASSPHRASE : TLS_NOT_UNLOCKED;
}

static bool open_key(struct blob *key, struct config *config, const char *section, const struct credential_keys *keys,
                     const struct credential_opening *opening)
{
    struct passphrase_question question = {
        .instance = opening->instance, .file = keys->key, .command = keys->key ? keys->key_command : NULL};
    const char *name = keys->key ? "Key" : "KeyCommand";
    struct fault fault;
    bool nobody = false;
    enum tls_unlocked result = TLS_WRONG_PASSPHRASE;
    for (unsigned tries = 0; result == TLS_WRONG_PASSPHRASE && tries < TRIES; tries++) {
        question.again = tries;
        result = ask_and_try(key, opening, &question, &nobody, &fault);
    }
    if (result == TLS_UNLOCKED)
        return true;
    if (nobody && opening->asking->at_terminal_only) {
        config_notice(config, section, name,
                      "%s: is encrypted and was not opened: its passphrase is asked for at a terminal only", name);
        blob_wipe(key);
        return true;
    }
    config_mistake(config, section, name, "%s", fault.text);
    return false;
}

// Where the key stands in the configuration, that is to be as private as a key.
static bool read_key_file(struct blob *out, struct config *config, const char *section,
                          const struct credential_keys *keys)
{
    struct blob text;
    if (!keys->inlined[TLS_KEY].bytes)
        return secret_file_read(out, config, section, "Key", keys->key);
    if (!secret_file_read(&text, config, section, "Key", config->path))
        return false;
    blob_wipe(&text);
    *out = blob_copy(&keys->inlined[TLS_KEY]);
    return true;
}

// A command is not run again, and nobody is asked again: what was opened then is taken.
static bool read_or_keep(struct credentials *credentials, struct config *config, const char *section,
                         const struct credential_keys *keys, const struct blob *kept)
{
    struct blob *out = &credentials->key;
    if (keys->key && !read_key_file(out, config, section, keys))
        return false;
    if (keys->key && !tls_key_is_locked(out->bytes, out->len))
        return true;
    blob_wipe(out);
    *out = blob_copy(kept);
    credentials->key_is_kept = true;
    return true;
}

static bool read_key(struct credentials *credentials, struct config *config, const char *section,
                     const struct credential_keys *keys, const struct credential_opening *opening)
{
    struct blob *out = &credentials->key;
    if (!keys->key && !keys->key_command)
        return false;
    if (opening->kept)
        return read_or_keep(credentials, config, section, keys, opening->kept);
    if (keys->key && !read_key_file(out, config, section, keys))
        return false;
    bool mistaken = config->mistakes; // then nobody is asked in vain, and what else is wrong is told all the same
    if (!keys->key && !mistaken && !read_by_command(out, config, section, keys->key_command, opening->asking))
        return false;
    if (!tls_key_is_locked(out->bytes, out->len))
        return true;
    if (!mistaken)
        return open_key(out, config, section, keys, opening);
    blob_wipe(out);
    return true;
}

bool credentials_read(struct credentials *out, struct config *config, const char *section,
                      const struct credential_keys *keys, const struct credential_opening *opening)
{
    bool ok = keys->ca && keys->certificate;
    ok &= read_one(&out->ca, config, section, TLS_CA, keys);
    ok &= read_one(&out->certificate, config, section, TLS_CERTIFICATE, keys);
    ok &= read_one(&out->crl, config, section, TLS_CRL, keys);
    ok &= read_key(out, config, section, keys, opening);
    return ok;
}

struct validity credentials_validity(const usec_t expires[TLS_CREDENTIALS], const struct credential_keys *keys,
                                     enum tls_role role)
{
    return (struct validity){
        .role = role,
        .items = {{"CA", keys->ca, expires[TLS_CA]},
                  {"Certificate", keys->certificate, expires[TLS_CERTIFICATE]},
                  {"CRL", keys->crl, expires[TLS_CRL]}},
    };
}

struct tls_identity *credentials_judge(const struct credentials *credentials, struct config *config,
                                       const char *section, const struct credential_keys *keys, enum tls_role role)
{
    struct fault fault;
    enum tls_credential which;
    const struct tls_material material = credentials_material(credentials, keys, role);
    struct tls_identity *identity = tls_identity_new(&material, &which, &fault);
    if (!identity) {
        // A new certificate has a new key, and that one is not opened: nobody is there to be asked.
        bool is_kept = which == TLS_KEY && credentials->key_is_kept;
        config_mistake(config, section, which == TLS_KEY && !keys->key ? "KeyCommand" : KEY_OF[which], "%s%s",
                       fault.text,
                       is_kept ? "; an encrypted key, or a command's, is had anew at the next start only" : "");
        return NULL;
    }
    const struct validity validity = credentials_validity(tls_identity_expires(identity), keys, role);
    for (size_t i = 0; i < VALIDITY_ITEMS; i++)
        if (validity_runs_out(&validity, i, (usec_t)time(NULL) * USEC_PER_SEC, &fault))
            config_notice(config, section, validity.items[i].name, "%s", fault.text);
    return identity;
}

struct tls_material credentials_material(const struct credentials *credentials, const struct credential_keys *keys,
                                         enum tls_role role)
{
    return (struct tls_material){
        .ca = credentials->ca.bytes,
        .ca_len = credentials->ca.len,
        .certificate = credentials->certificate.bytes,
        .certificate_len = credentials->certificate.len,
        .key = credentials->key.bytes,
        .key_len = credentials->key.len,
        .crl = credentials->crl.bytes,
        .crl_len = credentials->crl.len,
        .files =
            {[TLS_CA] = keys->ca, [TLS_CERTIFICATE] = keys->certificate, [TLS_KEY] = keys->key, [TLS_CRL] = keys->crl},
        .role = role,
        .allow_tls12 = keys->allow_tls12,
    };
}

void credentials_wipe(struct credentials *credentials)
{
    blob_wipe(&credentials->ca);
    blob_wipe(&credentials->certificate);
    blob_wipe(&credentials->key);
    blob_wipe(&credentials->crl);
}

void credential_keys_fini(struct credential_keys *keys)
{
    free(keys->ca);
    free(keys->certificate);
    free(keys->key);
    free(keys->crl);
    free(keys->key_command);
    for (size_t i = 0; i < TLS_CREDENTIALS; i++)
        blob_wipe(&keys->inlined[i]);
}
