// SPDX-License-Identifier: GPL-2.0-or-later
// A kind of message is one row: who takes it, and how often it may come. What comes oftener is not read, and the peer's
// budget for such pays; what cannot be read ends the tunnel, and so does the end of this session before it.
#include "base/memory.h"
#include "base/text.h"
#include "edge/control/internal.h"
#include "os/clock.h"
#include "os/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHY_SIZE = 100,
    STRANGE_PER_SECOND = 10, // messages that are not known here
    STRANGE_BURST = 100,
    TICKETS_PER_SECOND = 10, // one for each connection that carries the tunnel on
    TICKETS_BURST = 20,
};

static struct control_talk *of_opening(void *owner)
{
    return container_of(owner, struct control_talk, opening);
}

// A confirmation must not come before the hello that agrees to it: both have gone the whole way.
static void decide_confirming(struct control_talk *talk)
{
    const struct control_session_config *config = &talk->control->config;
    bool agreed = config->confirms && talk->can_confirm;
    if (!talk->hello_came || !talk->hello_gone)
        return;
    usher_session_confirming(talk->opening.session, agreed);
    if (agreed && config->ops && config->ops->confirms)
        config->ops->confirms(config->owner);
}

// What comes

static bool take_hello(struct control_talk *talk, const struct control_message *message)
{
    struct control_hello hello;
    char version[4 * CONTROL_VERSION_MAX + 8];
    if (!control_hello_decode(&hello, message))
        return false;
    talk->hello_came = true;
    talk->can_probe = hello.can & CONTROL_CAN_PROBE;
    talk->can_unreachable = hello.can & CONTROL_CAN_UNREACHABLE;
    talk->can_confirm = hello.can & CONTROL_CAN_CONFIRM;
    decide_confirming(talk);
    talk->can_origin = hello.can & CONTROL_CAN_ORIGIN;
    talk->can_drain = hello.can & CONTROL_CAN_DRAIN;
    if (talk->can_probe || talk->drain_due)
        control_talk_ready(talk); // what was asked since the tunnel came
    if (!talk->can_probe && !talk->left)
        control_asking_lost(talk->control);
    log_debug("the other end is %s and has room for %u sessions", text_escape(version, sizeof version, hello.version),
              hello.sessions);
    return true;
}

// Only who has accepted the connection has others to tell apart by it; of a tunnel that is left nobody asks for another.
static bool take_ticket(struct control_talk *talk, const struct control_message *message)
{
    const struct control_session_config *config = &talk->control->config;
    struct control_ticket ticket;
    if (!control_ticket_decode(&ticket, message))
        return false;
    if (!talk->left && config->opens && config->ops && config->ops->ticket)
        config->ops->ticket(config->owner, &ticket);
    return true;
}

static bool take_drain(struct control_talk *talk, const struct control_message *message)
{
    const struct control_session_config *config = &talk->control->config;
    struct control_drain drain;
    if (!control_drain_decode(&drain, message))
        return false;
    if (!talk->left && config->ops && config->ops->drain)
        config->ops->drain(config->owner, drain.left);
    return true;
}

struct row {
    uint8_t type; // 0: those that are not known
    uint32_t per_second, burst;
    bool (*take)(struct control_talk *talk, const struct control_message *message); // false: it is broken
};

static const struct row ROWS[] = {
    {CONTROL_HELLO, 1, 4, take_hello},
    {CONTROL_PROBE, 2 * ASK_PER_SECOND, 2 * ASK_BURST, control_take_probe},
    {CONTROL_ANSWER, 2 * ASK_PER_SECOND, 2 * ASK_BURST, control_take_answer},
    {CONTROL_DRAIN, 1, 4, take_drain},
    {CONTROL_TICKET, TICKETS_PER_SECOND, TICKETS_BURST, take_ticket},
    {CONTROL_UNREACHABLE, 2 * TELL_PER_SECOND, 2 * TELL_BURST, control_take_unreachable},
    {CONTROL_ORIGIN, ORIGINS_PER_SECOND, ORIGINS_BURST, control_take_origin},
    {0, STRANGE_PER_SECOND, STRANGE_BURST, NULL},
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static size_t row_of(uint8_t type)
{
    size_t i = 0;
    while (ROWS[i].type != type && ROWS[i].type != 0)
        i++;
    return i;
}

static bool end_tunnel(struct control_talk *talk, const char *what, uint8_t type)
{
    char why[WHY_SIZE];
    snprintf(why, sizeof why, "control message %u: %s", type, what);
    usher_session_protocol_error(talk->opening.session, why);
    return false;
}

// False: nothing more is to be read.
static bool take(struct control_talk *talk, const struct control_message *message)
{
    size_t row = row_of(message->type);
    if (!talk->hello_came && message->type != CONTROL_HELLO)
        return end_tunnel(talk, "before hello", message->type);
    if (!ROWS[row].take && (message->flags & CONTROL_CRITICAL))
        return end_tunnel(talk, "not known here, and critical", message->type);
    if (!bucket_take(&talk->bounds[row], talk->control->now))
        usher_session_glitch(talk->opening.session);
    else if (ROWS[row].take && !ROWS[row].take(talk, message))
        return end_tunnel(talk, "malformed", message->type);
    return true;
}

static void on_data(void *owner, const struct slice *slice)
{
    struct control_talk *talk = of_opening(owner);
    struct reader in = reader_over(slice->bytes, slice->len);
    struct control_message message;
    enum control_read read = CONTROL_PARTIAL;
    talk->control->now = clock_now();
    while ((read = control_read(&talk->reader, &in, &message)) == CONTROL_WHOLE)
        if (!take(talk, &message))
            return;
    if (read == CONTROL_TOO_LONG)
        end_tunnel(talk, "too long", message.type);
    else
        usher_session_consumed(talk->opening.session, slice->len);
}

// What goes

static bool can_answer(const struct control_session_config *config)
{
    return config->resolver || (config->translate && config->translate->name);
}

static bool write_hello(struct control_talk *talk, struct writer *w)
{
    const struct control_session_config *config = &talk->control->config;
    const struct control_hello hello = {
        .can = (can_answer(config) ? CONTROL_CAN_PROBE : 0) | CONTROL_CAN_UNREACHABLE |
               (config->ops && config->ops->drain ? CONTROL_CAN_DRAIN : 0) |
               (config->keeps_origin ? CONTROL_CAN_ORIGIN : 0) | (config->confirms ? CONTROL_CAN_CONFIRM : 0),
        .sessions = config->max_sessions,
        .version = config->version,
    };
    if (!talk->hello_due)
        return false;
    talk->hello_due = false;
    control_hello_encode(w, &hello);
    return true;
}

static bool write_ticket(struct control_talk *talk, struct writer *w)
{
    if (!talk->ticket_due)
        return false;
    talk->ticket_due = false;
    control_ticket_encode(w, &talk->ticket);
    return true;
}

static bool write_drain(struct control_talk *talk, struct writer *w)
{
    const struct control_drain drain = {.left = talk->left};
    if (!talk->drain_due || !talk->can_drain)
        return false;
    talk->drain_due = false;
    control_drain_encode(w, &drain);
    return true;
}

// What is asked and answered goes through the current tunnel alone.
static bool write_current(struct control_session *control, struct writer *w)
{
    return control_answering_write(control, w) || control_asking_write(control, w);
}

static bool write_next(struct control_talk *talk)
{
    struct writer w = writer_over(talk->out, sizeof talk->out);
    if (!write_hello(talk, &w) && !write_ticket(talk, &w) && !control_originating_write(talk, &w) &&
        !write_drain(talk, &w) && !control_telling_write(talk, &w) && (talk->left || !write_current(talk->control, &w)))
        return false;
    talk->out_len = (uint32_t)(sizeof talk->out - writer_left(&w));
    talk->out_at = 0;
    return true;
}

// Hello is the first message.
static void note_gone(struct control_talk *talk)
{
    if (talk->hello_gone || talk->out_at < talk->out_len)
        return;
    talk->hello_gone = true;
    decide_confirming(talk);
}

static size_t on_fill(void *owner, uint8_t *room, size_t size)
{
    struct control_talk *talk = of_opening(owner);
    size_t len = 0;
    while (len < size && (talk->out_at < talk->out_len || write_next(talk))) {
        size_t part = talk->out_len - talk->out_at;
        part = part < size - len ? part : size - len;
        memcpy(room + len, talk->out + talk->out_at, part);
        talk->out_at += (uint32_t)part;
        len += part;
        note_gone(talk);
    }
    return len;
}

// Its life

void control_talk_begin(struct control_talk *talk)
{
    talk->hello_due = true;
    talk->control->now = clock_now();
    for (size_t i = 0; i < ROW_COUNT; i++)
        bucket_init(&talk->bounds[i], ROWS[i].per_second, ROWS[i].burst, talk->control->now);
    control_telling_init(talk);
    control_originating_init(talk);
    control_talk_ready(talk);
}

void control_talk_leave(struct control_talk *talk)
{
    talk->left = talk->drain_due = true;
    list_push_back(&talk->control->left, &talk->node);
    control_talk_ready(talk);
}

static void on_opened(void *owner)
{
    control_talk_begin(of_opening(owner));
}

// It lasts as long as the tunnel, so that neither end has to guess what the other still knows.
static void on_closed(void *owner)
{
    usher_session_protocol_error(of_opening(owner)->opening.session, "the control session was closed");
}

// Of the current one: what was said in it is void, and the next tunnel's begins anew.
static void begin_anew(struct control_talk *talk)
{
    talk->hello_came = talk->can_probe = talk->can_unreachable = talk->can_drain = false;
    talk->hello_due = talk->hello_gone = talk->can_confirm = talk->can_origin = false;
    talk->ticket_due = talk->drain_due = false;
    talk->reader.len = talk->out_len = talk->out_at = 0;
    control_asking_lost(talk->control);
    control_answering_lost(talk->control);
}

static void on_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct control_talk *talk = of_opening(owner);
    char said[WHY_SIZE];
    (void)word;
    bool refused = ending == USHER_ENDED_REFUSED;
    if (ending == USHER_ENDED_RESET)
        usher_session_protocol_error(talk->opening.session, "the control session was reset");
    if (refused)
        usher_session_confirming(talk->opening.session, false);
    if (refused)
        log_debug("the other end has no control session: %s", text_escape(said, sizeof said, text));
    talk->opening.session = NULL;
    if (talk->left) {
        list_remove(&talk->node);
        list_push_back(&talk->control->over, &talk->node); // the caller may still look at it
        return;
    }
    talk->control->off = refused;
    begin_anew(talk);
}

static bool on_tell(void *owner, uint16_t session, const struct usher_unreachable *what)
{
    return control_tell(of_opening(owner), session, what);
}

static bool on_say_origin(void *owner, uint16_t session, const struct endpoint *who)
{
    return control_say_origin(of_opening(owner), session, who);
}

const struct usher_session_ops CONTROL_TALK_OPS = {
    .tell = on_tell,
    .say_origin = on_say_origin,
    .opened = on_opened,
    .fill = on_fill,
    .data = on_data,
    .finished = on_closed,
    .stop_sending = on_closed,
    .ended = on_ended,
};

struct control_talk *control_talk_new(struct control_session *control)
{
    struct control_talk *talk = memory_new(sizeof *talk);
    talk->control = control;
    list_init(&talk->node);
    list_init(&talk->opening.timed.node);
    talk->bounds = memory_new(ROW_COUNT * sizeof *talk->bounds);
    return talk;
}

void control_talk_free(struct control_talk *talk)
{
    free(talk->telling.ring);
    free(talk->originating.ring);
    free(talk->bounds);
    free(talk);
}
