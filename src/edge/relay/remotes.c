// SPDX-License-Identifier: GPL-2.0-or-later
// An array that is walked from the front; nearly always the first entry is the one.
#include "edge/relay/remotes.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 2 };

void remotes_fini(struct remotes *remotes)
{
    free(remotes->list);
}

static void bring_to_front(struct remotes *remotes, size_t i)
{
    struct remote found = remotes->list[i];
    memmove(&remotes->list[1], &remotes->list[0], i * sizeof found);
    remotes->list[0] = found;
}

// The entry for `to`, brought to the front; NULL when there is none.
static const struct remote *find(struct remotes *remotes, const struct endpoint *to)
{
    for (size_t i = 0; i < remotes->count; i++) {
        const struct remote *remote = &remotes->list[i];
        if (remote->port != to->port || memcmp(remote->addr, to->addr.bytes, sizeof remote->addr) != 0)
            continue;
        if (i > 0)
            bring_to_front(remotes, i);
        return &remotes->list[0];
    }
    return NULL;
}

// `to` is not there yet.
static void add(struct remotes *remotes, const struct endpoint *to, bool allowed)
{
    if (remotes->count == remotes->size && remotes->size < REMOTES_MAX) {
        remotes->size = remotes->size ? remotes->size * 2 : FIRST_SIZE;
        remotes->list = memory_resize(remotes->list, remotes->size * sizeof remotes->list[0]);
    }
    if (remotes->count == REMOTES_MAX)
        remotes->count--; // the one not used for longest
    struct remote *last = &remotes->list[remotes->count++];
    *last = (struct remote){.port = to->port, .allowed = allowed};
    memcpy(last->addr, to->addr.bytes, sizeof last->addr);
    bring_to_front(remotes, remotes->count - 1u);
    for (size_t i = 1; allowed && i < remotes->count; i++)
        remotes->several = remotes->several || remotes->list[i].allowed;
}

bool remotes_may_send(struct remotes *remotes, const struct judge *judge, uint8_t protocol, const struct endpoint *to,
                      uint64_t *denied)
{
    const struct remote *known = find(remotes, to);
    bool allowed =
        known ? known->allowed : to->addr.version == 4 && judge->address(judge, protocol, NULL, &to->addr, to->port);
    if (!known)
        add(remotes, to, allowed);
    *denied += !allowed;
    return allowed;
}

bool remotes_let_in(const struct remotes *remotes, const struct address *from)
{
    for (size_t i = 0; i < remotes->count; i++)
        if (remotes->list[i].allowed && memcmp(remotes->list[i].addr, from->bytes, sizeof remotes->list[i].addr) == 0)
            return true;
    return false;
}
