// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/adoption.h"

#include "base/memory.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdlib.h>
#include <string.h>

struct adoption {
    struct admission *admission;
    struct tickets tickets;
    uint32_t last_id;
};

struct adoption *adoption_new(struct admission *admission)
{
    struct adoption *adoption = memory_new(sizeof *adoption);
    adoption->admission = admission;
    tickets_init(&adoption->tickets);
    return adoption;
}

void adoption_free(struct adoption *adoption)
{
    if (!adoption)
        return;
    tickets_fini(&adoption->tickets);
    free(adoption);
}

// An honest worker has drawn it by chance from 2^128.
bool adoption_ticket(struct adoption *adoption, struct child *child, const uint8_t *number)
{
    return tickets_give(&adoption->tickets, &child->holder, number);
}

static void note(struct child *to, uint32_t id, const struct endpoint *peer)
{
    to->adopted[to->next_adopted] = (struct child_adopted){.id = id, .peer = *peer};
    to->next_adopted = (to->next_adopted + 1) % CHILD_ADOPTED_MAX;
}

static void hand_on(struct adoption *adoption, struct child *from, struct child *to, const uint8_t *number)
{
    struct channel_message *message = memory_new(sizeof *message);
    message->type = CHANNEL_LANE;
    message->lane.id = ++adoption->last_id;
    memcpy(message->lane.ticket, number, sizeof message->lane.ticket);
    message->lane.peer = from->peer;
    note(to, message->lane.id, &from->peer);
    if (!channel_send_fds(to->channel_fd, message, &from->socket_fd, 1))
        log_debug("worker %d does not listen: a connection for its tunnel is closed", (int)to->pid);
    free(message);
}

bool adoption_shown(struct adoption *adoption, struct child *child, const uint8_t *number)
{
    static const struct channel_message serve = {.type = CHANNEL_SERVE};
    struct ticket_holder *holder = tickets_find(&adoption->tickets, number);
    struct child *to = holder ? container_of(holder, struct child, holder) : NULL;
    if (!to || to->ending || to->stranger || child->socket_fd < 0) {
        child_tell(child, &serve);
        return true;
    }
    hand_on(adoption, child, to, number);
    child_close_socket(child);
    child_end(child, "its connection is another worker's now");
    return true;
}

bool adoption_carried(struct adoption *adoption, struct child *child, uint32_t id)
{
    char name[TLS_NAME_SIZE], from[ENDPOINT_TEXT_SIZE];
    for (size_t i = 0; i < CHILD_ADOPTED_MAX; i++) {
        struct child_adopted *adopted = &child->adopted[i];
        if (!id || adopted->id != id)
            continue;
        child->peer = adopted->peer;
        adopted->id = 0;
        admission_moved(adoption->admission, child->ticket, &child->peer.addr, clock_now());
        log_info("%s: goes on over another connection, from %s", text_escape(name, sizeof name, child->name),
                 endpoint_text(&child->peer, from));
        return true;
    }
    return child->inherited; // it was handed that one by an earlier program
}

void adoption_ended(struct adoption *adoption, struct child *child)
{
    tickets_take_back(&adoption->tickets, &child->holder);
}
