// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker says, and when it may: it logs in once, answers what it was asked, and volunteers no more than a measure.
#include "gate/supervisor/child.h"

#include "base/memory.h"
#include "os/clock.h"

#include <ctype.h>
#include <string.h>

// Messages with what was refused; an honest worker has no more than four a second, and four each time it is asked.
enum { DENIALS_PER_SECOND = 64, DENIALS_BURST = 256 };
// Messages for the audit file. They are gathered: so many are 30,000 sessions a second, and the end of all that a tunnel has.
enum { AUDIT_PER_SECOND = 300, AUDIT_BURST = 1000 };

void claims_init(struct child *child)
{
    bucket_init(&child->denials, DENIALS_PER_SECOND, DENIALS_BURST, clock_now());
    bucket_init(&child->audit, AUDIT_PER_SECOND, AUDIT_BURST, clock_now());
}

static void take_up(struct child *child, const struct channel_message *message)
{
    strcpy(child->name, message->up.name);
    strcpy(child->serial, message->up.serial);
    strcpy(child->cipher, message->up.cipher);
    child->expires = message->up.expires;
    child->since = time(NULL);
    child->up = true;
    child_close_socket(child);
    child->ops->up(child->owner, child);
}

static void take_facts(struct child *child, const struct channel_message *message)
{
    child->sessions = message->facts.sessions;
    child->bytes_in = message->facts.bytes_in;
    child->bytes_out = message->facts.bytes_out;
    child->facts_len = message->facts.len;
    child->facts = memory_resize(child->facts, child->facts_len + 1);
    memcpy(child->facts, message->facts.bytes, child->facts_len);
    child->polled = false;
    child->ops->told(child->owner, child);
}

static void take_denials(struct child *child, const struct channel_message *message)
{
    for (size_t i = 0; i < message->denials.count; i++)
        child->ops->denied(child->owner, child, &message->denials.items[i]);
}

static bool is_behind(const struct channel_place *place, const struct channel_place *other)
{
    return place->began > other->began || (place->began == other->began && place->mark > other->mark);
}

// Where there are more, the next question goes further: so there is an end to them.
static bool take_flows(struct child *child, const struct channel_message *message)
{
    if (message->flows.more && (!message->flows.len || !is_behind(&message->flows.last, &child->asked_place)))
        return false;
    child->asked_flows = false;
    child->ops->listed(child->owner, child, message);
    return true;
}

static void take_leaving(struct child *child)
{
    child->draining = child->wants_to_leave = true;
    child->ops->leaving(child->owner, child);
}

static void take_refusal(struct child *child, const struct channel_message *message)
{
    char why[CHANNEL_TEXT_SIZE]; // escaped already by an honest worker; nothing but plain text passes from any other
    size_t i = 0;
    for (; message->text[i]; i++)
        why[i] = isprint((unsigned char)message->text[i]) ? message->text[i] : '?';
    why[i] = '\0';
    child->ops->refused(child->owner, child, why);
}

// Who has answered it has answered.
static bool is_for_program_before(struct child *child, enum channel_type type)
{
    bool *owes = type == CHANNEL_FACTS ? &child->owes_facts : &child->owes_flows;
    bool was = *owes;
    *owes = false;
    return was;
}

// Each worker may log in once and must answer only what it was asked.
bool claims_take(struct child *child, const struct channel_message *message)
{
    if (message->type == CHANNEL_TICKET && child->up)
        return child->ops->ticket(child->owner, child, message->ticket);
    if (message->type == CHANNEL_CARRIED && child->up)
        return child->ops->carried(child->owner, child, message->carried);
    if (message->type == CHANNEL_SHOWN && !child->up && !child->has_shown) {
        child->has_shown = true;
        return child->ops->shown(child->owner, child, message->ticket);
    }
    if (message->type == CHANNEL_FLOWS && child->asked_flows)
        return take_flows(child, message);
    if (message->type == CHANNEL_FLOWS || (message->type == CHANNEL_FACTS && !child->polled))
        return is_for_program_before(child, message->type);
    if (message->type == CHANNEL_UP && !child->up)
        take_up(child, message);
    else if (message->type == CHANNEL_REFUSED && !child->up)
        take_refusal(child, message);
    else if (message->type == CHANNEL_LEAVING && child->up && !child->wants_to_leave)
        take_leaving(child);
    else if (message->type == CHANNEL_FACTS && child->polled)
        take_facts(child, message);
    else if (message->type == CHANNEL_AUDIT && child->up && bucket_take(&child->audit, clock_now()))
        child->ops->audited(child->owner, child, message);
    else if (message->type == CHANNEL_DENIALS && child->up && bucket_take(&child->denials, clock_now()))
        take_denials(child, message);
    else
        return false;
    return true;
}
