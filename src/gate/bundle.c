// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/bundle.h"

#include "base/memory.h"
#include "cli/bundle/bundle.h"
#include "config/gate_conf.h"

static void *parse(struct config *config, const struct blob *text, const struct credential_keys **credentials,
                   const char *passwords[2])
{
    struct gate_conf *conf = memory_new(sizeof *conf);
    (void)passwords; // it has none
    gate_conf_parse(conf, config, text);
    *credentials = &conf->credentials;
    return conf;
}

static void free_conf(void *conf)
{
    gate_conf_free(conf);
}

int gate_bundle(const struct command_line *line)
{
    static const char *const questions[] = {"status", "denials", NULL};
    static const struct bundle_program program = {"usher-gate", "usher-gate", questions, parse, free_conf};
    return bundle_run(line, line->argument, line->more[0], &program);
}
