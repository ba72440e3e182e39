// SPDX-License-Identifier: GPL-2.0-or-later
// The child that judges knows the lines of the file, so it reports for itself; its exit code is all that it hands back.

#include "gate/load.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GOOD = 0, BAD = 1 }; // of the child that judges

static int judge(const struct gate_conf *conf, const struct handover *handover, struct config *config)
{
    struct fault fault;
    if (!tls_library_start(&fault)) {
        fprintf(config->report, "usher-gate: %s\n", fault.text);
        return BAD;
    }
    struct tls_identity *identity =
        credentials_judge(&handover->credentials, config, "Gate", &conf->credentials, TLS_GATE);
    int code = identity ? GOOD : BAD;
    tls_identity_free(identity);
    return code;
}

static bool judge_apart(const struct gate_conf *conf, const struct handover *handover, struct config *config)
{
    int status;
    fflush(config->report);
    pid_t pid = fork();
    if (pid == 0) {
        int code = judge(conf, handover, config);
        fflush(config->report);
        _exit(code);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            pid = -1;
    if (pid < 0)
        config_mistake_at(config, 0, "judge the certificates: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        config_mistake_at(config, 0, "judge the certificates: %s", strsignal(WTERMSIG(status)));
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == GOOD;
}

static bool load(struct gate_conf *conf, struct handover *handover, const char *name_or_file)
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
        ok &= credentials_read(&handover->credentials, &config, "Gate", &conf->credentials) &&
              judge_apart(conf, handover, &config);
    }
    config_fini(&config);
    return ok;
}

struct gate_conf *gate_load(const char *name_or_file, struct handover *handover)
{
    struct gate_conf *conf = memory_new(sizeof *conf);
    *handover = (struct handover){0};
    if (load(conf, handover, name_or_file)) {
        handover->name = blob_text(conf->name);
        return conf;
    }
    handover_fini(handover);
    gate_conf_free(conf);
    return NULL;
}
