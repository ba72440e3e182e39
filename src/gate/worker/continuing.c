// SPDX-License-Identifier: GPL-2.0-or-later
// A ticket is told to the supervisor before it is told to the portal. It is spent when a lane that has shown it stands, and
// replaced then; the one before stays good, because the portal may lose that lane, too, before it has read of the new one.
#include "gate/worker/continuing.h"

#include "gate/worker/telling.h"
#include "os/log.h"
#include "os/random.h"

#include <string.h>
#include <unistd.h>

static void issue(struct continuing *continuing)
{
    struct control_ticket ticket = {.seconds = continuing->seconds};
    random_fill(ticket.number, sizeof ticket.number);
    memcpy(continuing->latest, ticket.number, sizeof continuing->latest);
    telling_ticket(continuing->channel, ticket.number);
    control_session_tell_ticket(continuing->control, &ticket);
}

void continuing_begin(struct continuing *continuing)
{
    issue(continuing);
}

static void clear(struct continuing_lane *lane)
{
    candidate_free(lane->candidate);
    lane->candidate = NULL;
}

void continuing_end(struct continuing *continuing)
{
    for (size_t i = 0; i < CONTINUING_MAX; i++)
        clear(&continuing->lanes[i]);
}

static bool on_up(void *owner, struct candidate *candidate, struct lane *lane, usec_t now)
{
    struct continuing_lane *own = owner;
    struct continuing *continuing = own->of;
    (void)candidate;
    if (!tunnel_go_on(continuing->tunnel, lane, now))
        return false;
    telling_carried(continuing->channel, own->id);
    if (!memcmp(own->ticket, continuing->latest, sizeof own->ticket))
        issue(continuing);
    continuing_end(continuing); // whoever else shook hands comes too late
    continuing->carried(continuing->owner, &own->from);
    return true;
}

static void on_over(void *owner, struct candidate *candidate)
{
    struct continuing_lane *own = owner;
    char from[ENDPOINT_TEXT_SIZE];
    log_debug("a connection from %s does not carry the tunnel on: %s", endpoint_text(&own->from, from),
              candidate_why(candidate));
    clear(own);
}

static const struct candidate_ops ops = {.up = on_up, .over = on_over};

static struct lane *lane_for(struct continuing *continuing, const uint8_t *ticket, int fd, struct fault *fault)
{
    struct lane *lane = lane_new(continuing->loop, fd, *continuing->identity, TLS_GATE, NULL, continuing->lane, fault);
    if (!lane)
        return NULL;
    lane_set_peer(lane, tunnel_tls(continuing->tunnel));
    if (lane_set_ticket(lane, ticket))
        return lane;
    lane_free(lane);
    fault_set(fault, "out of memory");
    return NULL;
}

void continuing_take(struct continuing *continuing, const struct channel_message *message, int fd)
{
    struct continuing_lane *own = &continuing->lanes[continuing->next];
    struct fault fault;
    if (!tunnel_can_go_on(continuing->tunnel)) {
        close(fd);
        return;
    }
    struct lane *lane = lane_for(continuing, message->lane.ticket, fd, &fault);
    if (!lane) {
        log_error("%s", fault.text);
        return;
    }
    clear(own);
    *own = (struct continuing_lane){.of = continuing, .id = message->lane.id, .from = message->lane.peer};
    memcpy(own->ticket, message->lane.ticket, sizeof own->ticket);
    own->candidate = candidate_new(continuing->loop, lane, tunnel_chunks(continuing->tunnel), &ops, own);
    continuing->next = (continuing->next + 1) % CONTINUING_MAX;
}

bool continuing_turn(struct continuing *continuing, usec_t now)
{
    bool more = false;
    for (size_t i = 0; i < CONTINUING_MAX; i++)
        if (continuing->lanes[i].candidate)
            more |= candidate_turn(continuing->lanes[i].candidate, now);
    return more;
}
