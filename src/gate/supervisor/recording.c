// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/supervisor/recording.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static struct audit_tunnel tunnel_of(const struct child *child)
{
    return (struct audit_tunnel){
        .portal = child->name,
        .serial = child->serial,
        .peer = child->peer,
        .since = (uint64_t)child->since,
        .pid = (uint32_t)child->pid,
    };
}

void recording_up(struct trail *trail, const struct child *child)
{
    const struct audit_tunnel tunnel = tunnel_of(child);
    trail_tunnel(trail, &tunnel, "up", child->cipher);
}

void recording_resumed(struct trail *trail, const struct child *child)
{
    const struct audit_tunnel tunnel = tunnel_of(child);
    trail_tunnel(trail, &tunnel, "resumed", NULL);
}

void recording_told(struct trail *trail, struct child *child, const struct channel_message *message)
{
    const struct audit_tunnel tunnel = tunnel_of(child);
    struct reader r = reader_over(message->audit.bytes, message->audit.len);
    struct audit_record record;
    while (reader_left(&r) && audit_record_read(&r, &record)) {
        child->told_down |= record.kind == AUDIT_DOWN;
        trail_record(trail, &tunnel, &record);
    }
    trail_lost(trail, child->name, message->audit.lost);
}

void recording_gone(struct trail *trail, const struct child *child, int signal)
{
    const struct audit_tunnel tunnel = tunnel_of(child);
    char text[128] = "its worker has ended";
    const struct audit_record record = {.kind = AUDIT_DOWN, .at = audit_now(), .end = AUDIT_LOST, .text = text};
    if (!child->up || child->told_down)
        return;
    if (signal)
        snprintf(text, sizeof text, "its worker was killed by signal %d (%s): what was open is in no line", signal,
                 strsignal(signal));
    trail_record(trail, &tunnel, &record);
}

void recording_act(struct trail *trail, const struct control_request *request, const char *act, const char *portal)
{
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    getsockopt(control_request_fd(request), SOL_SOCKET, SO_PEERCRED, &who, &len);
    trail_act(trail, act, who.uid, portal);
}
