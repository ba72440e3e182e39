// SPDX-License-Identifier: GPL-2.0-or-later
// Configuration files from anybody, read as a portal's and as a gate's. A file that is taken was reported on by no word,
// one that is refused by at least one line, and each line names the file. A forward is judged as a text of its own.
#include "config/gate_conf.h"
#include "config/portal_conf.h"
#include "config/value_forward.h"
#include "os/memory_limit.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// In the place of the machine's, which a dozen files would have to be opened for.
uint64_t memory_limit(const char *root)
{
    (void)root;
    return UINT64_C(1) << 30;
}

static void judge(bool ok, const char *report)
{
    if (ok != (*report == '\0'))
        abort();
    for (const char *line = report; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, "f:", 2) || !strchr(line, '\n'))
            abort();
}

static void read_as_portal(const uint8_t *data, size_t size)
{
    char *report;
    size_t len;
    struct portal_conf *conf = calloc(1, sizeof(*conf));
    struct config config = {.path = "f", .report = open_memstream(&report, &len)};
    bool ok = portal_conf_parse(conf, &config, &(struct blob){(uint8_t *)data, size});
    fclose(config.report);
    judge(ok, report);
    if (ok && (!conf->gates.count || !conf->gates.items->port || !conf->credentials.key))
        abort();
    if (ok && !conf->routes.count && !conf->socks.listen.count && !conf->forwards.count)
        abort();
    config_fini(&config);
    portal_conf_free(conf);
    free(report);
}

static void read_as_gate(const uint8_t *data, size_t size)
{
    char *report;
    size_t len;
    struct gate_conf *conf = calloc(1, sizeof(*conf));
    struct config config = {.path = "f", .report = open_memstream(&report, &len)};
    bool ok = gate_conf_parse(conf, &config, &(struct blob){(uint8_t *)data, size});
    fclose(config.report);
    judge(ok, report);
    if (ok && (!conf->listen.count || !conf->credentials.key || !conf->user))
        abort();
    config_fini(&config);
    gate_conf_free(conf);
    free(report);
}

static void read_as_forward(const uint8_t *data, size_t size)
{
    struct value_forwards forwards = {0};
    struct fault fault = {""};
    char *text = strndup((const char *)data, size);
    const struct config_entry entry = {.argument = "", .value = text};
    bool ok = value_forwards(&forwards, &entry, NULL, &fault);
    if (ok != (forwards.count == 1) || ok != (*fault.text == '\0'))
        abort();
    if (ok && (!forwards.items->count || (unsigned)forwards.items->listen.port + forwards.items->count > 65536 ||
               (unsigned)forwards.items->port + forwards.items->count > 65536))
        abort();
    value_forwards_fini(&forwards);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as_portal(data, size);
    read_as_gate(data, size);
    read_as_forward(data, size);
    return 0;
}
