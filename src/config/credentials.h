// SPDX-License-Identifier: GPL-2.0-or-later
// The keys CA, Certificate, Key, KeyCommand, CRL and MinimumTLS, which both programs have: the files are read here, and judged
// here, which may happen in another process than the one that read them.
#ifndef CONFIG_CREDENTIALS_H
#define CONFIG_CREDENTIALS_H

#include "config/key_command.h"
#include "config/passphrase.h"
#include "config/validity.h"
#include "config/value.h"
#include "link/tls/tls.h"
#include "os/file/secret.h"

enum { CREDENTIAL_FILE_MAX = 4 * 1024 * 1024 }; // bytes of one: a revocation list of some 50,000 entries

struct credential_keys {
    char *ca, *certificate, *key, *crl; // paths; crl may be NULL, and so may key where there is a command
    struct blob inlined
        [TLS_CREDENTIALS]; // what stands in the configuration itself, instead of a path; the paths are "<CA>" then
    char *key_command;     // KeyCommand; NULL: none
    bool allow_tls12;      // MinimumTLS = 1.2
};

// What the paths hold. The key is a secret, and clear; empty when it was not opened, because there was nobody to ask.
struct credentials {
    struct blob ca, certificate, key, crl;
    bool key_is_kept; // it is the one of before: where it lies it is encrypted, or a command prints it
};

config_parse credential_file;        // struct credential_keys: of the file's kind
config_parse credential_minimum_tls; // bool: whether "1.2" is the least

#define CREDENTIAL_KEYS(SECTION, TYPE, KEYS)                                                                           \
    {SECTION, "CA", credential_file, offsetof(TYPE, KEYS), .required = true, .block = true},                           \
        {SECTION, "Certificate", credential_file, offsetof(TYPE, KEYS), .required = true, .block = true},              \
        {SECTION, "Key", credential_file, offsetof(TYPE, KEYS), .block = true},                                        \
        {SECTION, "KeyCommand", key_command_parse, offsetof(TYPE, KEYS.key_command), .fallback = NULL},                \
        {SECTION, "CRL", credential_file, offsetof(TYPE, KEYS), .block = true},                                        \
    {                                                                                                                  \
        SECTION, "MinimumTLS", credential_minimum_tls, offsetof(TYPE, KEYS.allow_tls12), .fallback = "1.3"             \
    }

// What a table cannot say: Key or KeyCommand is there.
void credential_keys_check(const struct credential_keys *keys, struct config *config, const char *section);

// Where files are read again while it runs, and handed on by their names.
void credential_keys_refuse_blocks(const struct credential_keys *keys, struct config *config, const char *section);

// How an encrypted key is opened: whom to ask for its passphrase, for which instance, and who decrypts.
struct credential_opening {
    const struct asking *asking;
    const char *instance;
    tls_key_opener *unlock;
    const struct blob *kept; // the key that was opened before, where nobody is asked again; else NULL
};

// Reads the files, and has the key opened; every mistake is reported at its key's line. False when there was one, or a key
// was missing.
bool credentials_read(struct credentials *out, struct config *config, const char *section,
                      const struct credential_keys *keys, const struct credential_opening *opening);
// Proves that they fit together; a mistake is reported at its key's line, and what will soon be out of date as well. NULL
// when there was a mistake.
struct tls_identity *credentials_judge(const struct credentials *credentials, struct config *config,
                                       const char *section, const struct credential_keys *keys, enum tls_role role);
// Of tls_identity_expires; the files' names are borrowed.
struct validity credentials_validity(const usec_t expires[TLS_CREDENTIALS], const struct credential_keys *keys,
                                     enum tls_role role);
// `credentials` is borrowed by the result.
struct tls_material credentials_material(const struct credentials *credentials, const struct credential_keys *keys,
                                         enum tls_role role);
void credentials_wipe(struct credentials *credentials);
void credential_keys_fini(struct credential_keys *keys);

#endif
