// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker may send its supervisor: whatever is taken for a message is written again as the same bytes, and facts that
// were found whole can be told, to the JSON that a person asks for.
#include "cli/facts_json.h"
#include "gate/channel.h"

#include <assert.h>
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
    return 0;
}
