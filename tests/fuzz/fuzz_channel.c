// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker may send its supervisor: whatever is taken for a message is written again as the same bytes, and facts that
// were found whole can be told, to the JSON that a person asks for.
#include "cli/facts_json.h"
#include "gate/audit/line.h"
#include "gate/channel/channel.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct channel_message message;

static void describe(const void *part, struct facts *facts)
{
    struct reader r = reader_over(message.facts.bytes, message.facts.len);
    (void)part;
    bool whole = facts_wire_read(&r, facts);
    assert(whole);
    (void)whole;
}

// Whatever a worker says for the audit file, each record is one line, and that is JSON.
static void check_lines(const uint8_t *bytes, size_t size)
{
    static char line[AUDIT_LINE_MAX];
    const struct audit_place place = {"gate", "/etc/usher/gate.conf"};
    const struct audit_tunnel tunnel = {.portal = "branch", .serial = "01"};
    struct reader r = reader_over(bytes, size);
    struct audit_record record;
    while (reader_left(&r) && audit_record_read(&r, &record)) {
        size_t len = audit_line_record(line, &place, &tunnel, &record);
        assert(len && memchr(line, '\n', len) == line + len - 1);
        json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
        assert(json);
        json_decref(json);
    }
    assert(!r.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t room[CHANNEL_BYTES_MAX];
    if (!channel_decode(&message, bytes, len))
        return 0;
    size_t again = channel_encode(&message, room, sizeof(room));
    assert(again == len && !memcmp(room, bytes, len));
    if (message.type == CHANNEL_FACTS) {
        char *json = facts_json(describe, NULL);
        assert(json);
        free(json);
    }
    if (message.type == CHANNEL_AUDIT)
        check_lines(message.audit.bytes, message.audit.len);
    if (message.type == CHANNEL_FLOWS)
        check_lines(message.flows.bytes, message.flows.len);
    return 0;
}
