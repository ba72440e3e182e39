// SPDX-License-Identifier: GPL-2.0-or-later
// An open is refused by us above a limit, and answered by an edge else.
#include "usher/receive_open.h"

#include "usher/engine_state.h"
#include "usher/session.h"
#include "usher/session_due.h"
#include "usher/session_state.h"

static const char *open_limit(struct usher_engine *engine)
{
    const struct usher_engine_config *config = &engine->config;
    if (config->opens_per_sec > 0 && !bucket_take(&engine->opens, engine->now))
        return "too many opens a second";
    if (engine->sessions >= config->max_sessions)
        return "too many sessions";
    if (engine->unanswered >= config->max_unanswered)
        return "too many opens that wait";
    return NULL;
}

static bool is_supported(const struct usher_engine *engine, uint16_t protocol)
{
    if (protocol == USHER_CONTROL)
        return !engine->control;
    return protocol == USHER_TCP || protocol == USHER_UDP || protocol == USHER_ICMP || protocol == USHER_ICMPV6;
}

static struct usher_session *new_incoming(struct usher_engine *engine, uint16_t id, const struct usher_open *open,
                                          bool refused)
{
    struct opening opening;
    if (engine->refusals >= ENGINE_REFUSALS_MAX) {
        engine_protocol_error(engine, "opens above the limit, and their answers are not read");
        return NULL;
    }
    if (!ids_bind(&engine->ids, id)) {
        engine_protocol_error(engine, "open with an id that is in use");
        return NULL;
    }
    opening_init_peers(&opening, open->protocol, id, refused);
    struct usher_session *session = session_new(engine, open, &opening, id);
    if (!session)
        engine_protocol_error(engine, "no id is left for an open");
    return session;
}

void receive_open(struct usher_engine *engine, uint16_t id, const struct usher_open *open)
{
    const char *limit = open_limit(engine);
    bool refused = limit || !is_supported(engine, open->protocol);
    struct usher_session *session = new_incoming(engine, id, open, refused);
    if (!session)
        return;
    if (limit) {
        usher_session_refuse(session, USHER_LIMIT, limit);
        return;
    }
    if (!refused)
        engine->ops->opened(engine->owner, session, open);
    if (session->closing.state == SESSION_PENDING && !session->opening.attached)
        usher_session_refuse(session, USHER_UNSUPPORTED, "no such service here");
}

// UsherOpenReply

static void refused_by_peer(struct usher_session *session, const char *reason)
{
    const char *text;
    enum usher_word word = usher_reason_parse(reason, &text);
    session->engine->counters.sessions_refused += !session->opening.aside;
    session_end(session, USHER_ENDED_REFUSED, word, text);
    session_release(session);
}

static void accepted_by_peer(struct usher_session *session, uint16_t rc)
{
    struct usher_engine *engine = session->engine;
    if (!ids_bind(&engine->ids, rc)) {
        engine_protocol_error(engine, "open answered with an id that is in use");
        return;
    }
    opening_bind(&session->opening, rc);
    if (session->opening.abandoned) {
        session_set_state(session, SESSION_INACTIVE);
        session_put_rst(session, "failed: given up");
        return;
    }
    session_set_state(session, SESSION_ACTIVE);
    if (session->ops->opened)
        session->ops->opened(session->owner);
    if (closing_is_finishing(&session->closing))
        usher_session_finish(session); // it was finished before it was open
}

static bool waits_for_reply(const struct usher_session *session)
{
    if (!session || session->closing.state != SESSION_PENDING || session->opening.incoming)
        return false;
    return !due_has_record(session->due, RECORD_OPEN);
}

void receive_open_reply(struct usher_engine *engine, uint16_t id, uint16_t rc, const char *reason)
{
    struct usher_session *session = ids_find(&engine->ids, id);
    if (!waits_for_reply(session))
        engine_protocol_error(engine, "answer to an open that does not wait for one");
    else if (rc == USHER_ID_NONE)
        refused_by_peer(session, reason);
    else
        accepted_by_peer(session, rc);
}
