// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of the control session share, and nobody else includes. Each calls only those further down:
//
//     session.c     the edge; which tunnel's conversation is the current one
//     talk.c        the conversation in one tunnel; which message is whose
//     asking.c      the names that we ask for
//     answering.c   the names that the other end asks for
//     telling.c     datagrams that have not arrived
//     originating.c who asked for a session
//
// What there is to say waits where it arose, and is written when the session asks for bytes: so both queues are bounded by
// how many questions there may be.
#ifndef EDGE_CONTROL_INTERNAL_H
#define EDGE_CONTROL_INTERNAL_H

#include "base/bucket.h"
#include "edge/control/config.h"
#include "edge/edge.h"
#include "edge/probe.h"
#include "os/alarm.h"
#include "usher/control.h"

enum {
    ASKED_MAX = 256,         // questions that wait for an answer: so many names a round trip
    WAITING_MAX = 4096,      // with those that wait for their turn: as many as a resolver has (edge/names/config.h)
    PROBE_TIMEOUT_MS = 5000, // a stub resolver's patience with one server
    ASK_PER_SECOND = 5000,   // far more names than people have; half of what the other end puts up with
    ASK_BURST = 1000,        //
    QUESTIONS_MAX = 2 * ASKED_MAX, // twice what one asks for at once, as clocks differ
    TTL_WITHOUT_RECORD = 10,       // seconds: of what no record says, such as that there is no name
    TOLD_MAX = 64,                 // datagrams that wait to be told of: what one source may have under way
    TELL_PER_SECOND = 500,         // of all sources: a kernel says six at once and then one a second of each far host
    TELL_BURST = 100,
    ORIGINS_MAX = 256,           // opens of one turn; what is more is not told
    ORIGINS_PER_SECOND = 100000, // as many as opens, which have their own bound
    ORIGINS_BURST = 100000,
};

// What we ask.
struct asking {
    struct prober prober;
    struct probe *asked[ASKED_MAX]; // sent; by the low bits of their ids
    uint32_t asked_count;
    uint32_t count; // with those that are not sent
    uint32_t serial;
    struct list unsent;      // probe.unsent
    struct timeline waiting; // all of them
    struct list failed;      // their owners hear of it in the next turn
    struct bucket bucket;
};

// What we are asked.
struct answering {
    struct timeline resolving;
    struct list answered; // that wait to be sent
    uint32_t count;       // of both
};

// Datagrams that we tell of.
struct telling {
    struct control_unreachable *ring; // TOLD_MAX; NULL until there is one to tell
    uint32_t first, count;
    struct bucket bucket;
};

// Whose sessions we open.
struct originating {
    struct control_origin *ring; // ORIGINS_MAX; NULL until there is one to tell
    uint32_t first, count;
};

// The conversation in one tunnel. In one that is left it goes on for the sake of the sessions that still live there, beside
// the one in the tunnel that came after it.
struct control_talk {
    struct opening opening; // owner of the session's callbacks
    struct control_session *control;
    struct list node; // in control->left or control->over
    bool left;        // another tunnel has come since
    struct control_reader reader;
    struct bucket *bounds; // one for each row of the table of messages
    bool hello_due;        // ours
    bool hello_came;
    bool hello_gone; // all of ours
    bool can_probe;  // the other end answers
    bool can_unreachable;
    bool can_confirm;
    bool can_origin;
    bool ticket_due; // `ticket` is to be told
    struct control_ticket ticket;
    bool can_drain;
    bool drain_due; // ours: `left` says which
    struct telling telling;
    struct originating originating;
    uint8_t out[CONTROL_MESSAGE_MAX]; // the message that is being sent
    uint32_t out_len, out_at;
};

struct control_session {
    struct edge edge; // first
    struct control_session_config config;
    struct control_talk *talk; // in the current tunnel, or the one to come
    struct list left, over;    // those in tunnels that are left; and what is left of them, until the turn ends
    bool off;                  // the tunnel has no such session, nor will it have one
    usec_t now;                // of the last turn
    struct alarm alarm;
    struct asking asking;
    struct answering answering;
    struct control_counters counters;
};

// There is something to say.
static inline void control_talk_ready(struct control_talk *talk)
{
    if (talk->opening.session)
        usher_session_ready(talk->opening.session);
}

static inline void control_ready(struct control_session *control)
{
    control_talk_ready(control->talk);
}

// Without a session yet: `opening` is for one.
struct control_talk *control_talk_new(struct control_session *control);
// Its session is over.
void control_talk_free(struct control_talk *talk);
extern const struct usher_session_ops CONTROL_TALK_OPS;
// The session is open.
void control_talk_begin(struct control_talk *talk);
// What is new goes through another tunnel from now on, which the other end is told.
void control_talk_leave(struct control_talk *talk);

void control_asking_init(struct control_session *control);
// The end of a turn: tells what failed, and lets through what had to wait.
void control_asking_turn(struct control_session *control);
// The other end is gone, or answers nothing.
void control_asking_lost(struct control_session *control);
// Writes the next question; false when there is none, or none may go yet.
bool control_asking_write(struct control_session *control, struct writer *w);
bool control_take_answer(struct control_talk *talk, const struct control_message *message);
// When there is a turn to be run; USEC_NEVER: nothing waits.
usec_t control_asking_deadline(const struct control_session *control);

void control_answering_init(struct control_session *control);
void control_answering_turn(struct control_session *control);
void control_answering_lost(struct control_session *control);
bool control_answering_write(struct control_session *control, struct writer *w);
bool control_take_probe(struct control_talk *talk, const struct control_message *message);
usec_t control_answering_deadline(const struct control_session *control);

// A tunnel has come.
void control_telling_init(struct control_talk *talk);
// False when the other end would not heed it. What comes too often is not told, and nothing else is to be done about it.
bool control_tell(struct control_talk *talk, uint16_t session, const struct usher_unreachable *what);
bool control_telling_write(struct control_talk *talk, struct writer *w);
bool control_take_unreachable(struct control_talk *talk, const struct control_message *message);

void control_originating_init(struct control_talk *talk);
// False when it is not told.
bool control_say_origin(struct control_talk *talk, uint16_t session, const struct endpoint *who);
bool control_originating_write(struct control_talk *talk, struct writer *w);
bool control_take_origin(struct control_talk *talk, const struct control_message *message);

#endif
