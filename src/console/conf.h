// SPDX-License-Identifier: GPL-2.0-or-later
// The console's configuration, console.conf.
#ifndef CONSOLE_CONF_H
#define CONSOLE_CONF_H

#include "config/config.h"
#include "config/value_net.h"
#include "os/log.h"

enum { CONSOLE_PEOPLE_MAX = 64 };

struct people {
    char *names[CONSOLE_PEOPLE_MAX];
    size_t count;
};

struct console_conf {
    struct value_endpoints listen; // one
    char *name;                    // by which browsers call us; NULL: by the address
    char *certificate, *key, *ca, *crl, *token_file, *audit_file;
    struct people users, operators;   // by their certificates
    bool actions, metrics, elsewhere; // elsewhere: it listens where others than this host reach it
    uint64_t interval;                // milliseconds
    enum log_level log_level;
    struct blob certificate_text, key_text, ca_text, crl_text, token;
};

// `path` NULL: what stands without any file. Every mistake is reported on stderr; NULL then.
struct console_conf *console_conf_load(const char *path);
void console_conf_free(struct console_conf *conf);
bool people_have(const struct people *people, const char *name);

#endif
