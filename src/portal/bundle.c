// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/bundle/bundle.h"

#include "base/memory.h"
#include "config/portal_conf.h"
#include "portal/commands.h"

static void *parse(struct config *config, const struct blob *text, const struct credential_keys **credentials,
                   const char *passwords[2])
{
    struct portal_conf *conf = memory_new(sizeof *conf);
    portal_conf_parse(conf, config, text);
    *credentials = &conf->credentials;
    passwords[0] = conf->proxy.password_file;
    passwords[1] = conf->socks.password_file;
    return conf;
}

static void free_conf(void *conf)
{
    portal_conf_free(conf);
}

int command_bundle(const struct command_line *line)
{
    static const char *const questions[] = {"status", "denials", NULL};
    static const struct bundle_program program = {"usher-tun", "usher-tun", questions, parse, free_conf};
    return bundle_run(line, line->argument, line->more[0], &program);
}
