// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/audit.h"

#include "base/facts.h"
#include "base/text.h"
#include "cli/facts_json.h"
#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void describe(const void *part, struct facts *facts)
{
    const struct audit *audit = part;
    facts_gauge(facts, "at", "when it was done", FACT_UNIX_SECONDS, (uint64_t)time(NULL));
    facts_text(facts, "who", "by what login", audit->who);
    facts_text(facts, "from", "what address", audit->from);
    facts_text(facts, "deed", "what was asked for", audit->deed);
    if (audit->instance)
        facts_text(facts, "instance", "of which portal or gate", audit->instance);
    if (audit->portal)
        facts_text(facts, "portal", "and of which portal at a gate", audit->portal);
    facts_text(facts, "outcome", "what became of it", audit->outcome);
}

static void append(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
    size_t len = strlen(text);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        log_error("audit: %s: %s", file, strerror(errno));
    if (fd >= 0)
        close(fd);
}

void audit_write(const char *file, const struct audit *audit)
{
    char portal[160], outcome[300], who[200];
    log_info("audit: %s%s%s%s%s by %s from %s: %s", audit->deed, audit->instance ? " " : "",
             audit->instance ? audit->instance : "", audit->portal ? " " : "",
             audit->portal ? text_escape(portal, sizeof portal, audit->portal) : "",
             text_escape(who, sizeof who, audit->who), audit->from,
             text_escape(outcome, sizeof outcome, audit->outcome));
    if (!file)
        return;
    char *json = facts_json(describe, audit), *line;
    if (asprintf(&line, "%s\n", json) > 0) {
        append(file, line); // in one piece
        free(line);
    }
    free(json);
}
