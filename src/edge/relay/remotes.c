// SPDX-License-Identifier: GPL-2.0-or-later
// An array that is walked from the front; nearly always the first entry is the one.
#include "edge/relay/remotes.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 1 }; // most have no other

static void end_visit(struct remote *remote, enum visit_end end)
{
    struct visit *visit = remote->visit;
    remote->visit = NULL;
    if (visit)
        visit->over(visit, end);
}

void remotes_fini(struct remotes *remotes)
{
    for (size_t i = 0; i < remotes->count; i++)
        end_visit(&remotes->list[i], VISIT_OVER);
    remotes->count = 0;
    free(remotes->list);
}

static void bring_to_front(struct remotes *remotes, size_t i)
{
    struct remote found = remotes->list[i];
    memmove(&remotes->list[1], &remotes->list[0], i * sizeof found);
    remotes->list[0] = found;
}

// The entry for `to`, brought to the front; NULL when there is none. Pings have no ports.
static struct remote *find(struct remotes *remotes, uint8_t protocol, const struct endpoint *to)
{
    for (size_t i = 0; i < remotes->count; i++) {
        const struct remote *remote = &remotes->list[i];
        if (remote->port != to->port && protocol != IPPROTO_ICMP)
            continue;
        if (memcmp(remote->asked, to->addr.bytes, sizeof remote->asked) != 0)
            continue;
        if (i > 0)
            bring_to_front(remotes, i);
        return &remotes->list[0];
    }
    return NULL;
}

static void tell_denied(const struct remotes_rules *rules, uint8_t protocol, const struct address *from,
                        const struct endpoint *to)
{
    struct judge_denial denial = {.protocol = protocol, .from = from, .to = *to};
    denial.to.port = protocol == IPPROTO_ICMP ? 0 : to->port;
    judge_tell_denied(rules->judge, &denial);
}

static struct remote judge(const struct remotes_rules *rules, uint8_t protocol, const struct endpoint *to)
{
    struct remote remote = {0};
    struct address there[TRANSLATE_MAX] = {to->addr};
    uint16_t port = protocol == IPPROTO_ICMP ? 0 : to->port;
    remote.allowed = to->addr.version == 4 && rules->judge->address(rules->judge, protocol, NULL, &to->addr, port);
    remote.fresh = remote.allowed;
    if (remote.allowed && rules->translate)
        rules->translate->address(rules->translate, &to->addr, there);
    memcpy(remote.asked, to->addr.bytes, sizeof remote.asked);
    memcpy(remote.there, there[0].bytes, sizeof remote.there);
    return remote;
}

// It is not there yet.
static struct remote *add(struct remotes *remotes, struct remote remote)
{
    if (remotes->count == remotes->size && remotes->size < REMOTES_MAX) {
        remotes->size = remotes->size ? remotes->size * 2 : FIRST_SIZE;
        remotes->list = memory_resize(remotes->list, remotes->size * sizeof remotes->list[0]);
    }
    if (remotes->count == REMOTES_MAX)
        end_visit(&remotes->list[--remotes->count], VISIT_GAVE_WAY); // the one not used for longest
    remotes->list[remotes->count++] = remote;
    bring_to_front(remotes, remotes->count - 1u);
    for (size_t i = 1; remote.allowed && i < remotes->count; i++)
        remotes->several = remotes->several || remotes->list[i].allowed;
    return &remotes->list[0];
}

struct remote *remotes_may_send(struct remotes *remotes, const struct remotes_rules *rules, uint8_t protocol,
                                const struct address *from, const struct endpoint *to, struct address *there)
{
    struct remote *remote = find(remotes, protocol, to);
    if (!remote)
        remote = add(remotes, judge(rules, protocol, to));
    remote->port = to->port;
    *there = address_v4(remote->there);
    if (!remote->allowed) {
        ++*rules->denied;
        tell_denied(rules, protocol, from, to);
    }
    return remote->allowed ? remote : NULL;
}

static void judge_anew(struct remote *remote, const struct remotes_rules *rules, uint8_t protocol,
                       const struct endpoint *to)
{
    const struct remote before = *remote;
    *remote = judge(rules, protocol, to);
    remote->port = before.port;
    remote->visit = before.visit;
    remote->fresh = remote->allowed && (before.fresh || !before.allowed);
    if (remote->allowed || !before.allowed)
        return;
    end_visit(remote, VISIT_DENIED);
    tell_denied(rules, protocol, NULL, to);
}

bool remotes_judge_again(struct remotes *remotes, const struct remotes_rules *rules, uint8_t protocol)
{
    bool any = !remotes->count;
    for (size_t i = 0; i < remotes->count; i++) {
        struct remote *remote = &remotes->list[i];
        const struct endpoint to = {.addr = address_v4(remote->asked), .port = remote->port};
        judge_anew(remote, rules, protocol, &to);
        any |= remote->allowed;
    }
    return any;
}

struct remote *remotes_let_in(const struct remotes *remotes, const struct endpoint *from, struct address *asked)
{
    struct remote *found = NULL;
    for (size_t i = 0; i < remotes->count && (!found || found->port != from->port); i++) {
        struct remote *remote = &remotes->list[i];
        bool fits = remote->allowed && memcmp(remote->there, from->addr.bytes, sizeof remote->there) == 0;
        if (fits && (!found || remote->port == from->port))
            found = remote;
    }
    if (found)
        *asked = address_v4(found->asked);
    return found;
}
