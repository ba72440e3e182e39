// SPDX-License-Identifier: GPL-2.0-or-later
#include "talk.h"

#include "check.h"

#include <string.h>

static void on_opened(void *owner)
{
    const struct talk *talk = owner;
    usher_session_confirming(talk->session, true);
}

static size_t on_fill(void *owner, uint8_t *room, size_t size)
{
    struct talk *talk = owner;
    size_t len = talk->out_len < size ? talk->out_len : size;
    memcpy(room, talk->out, len);
    talk->out_len -= len;
    memmove(talk->out, talk->out + len, talk->out_len);
    return len;
}

// The order is that of the stream: who has left does not ask afterwards.
static void take(struct talk *talk, const struct control_message *message)
{
    struct control_drain drain;
    CHECK(message->type == CONTROL_DRAIN && control_drain_decode(&drain, message));
    CHECK(!talk->left && (drain.left || !talk->asked));
    talk->asked |= !drain.left;
    talk->left |= drain.left;
}

static void on_data(void *owner, const struct slice *slice)
{
    struct talk *talk = owner;
    struct reader in = reader_over(slice->bytes, slice->len);
    struct control_message message;
    enum control_read read;
    while ((read = control_read(&talk->reader, &in, &message)) == CONTROL_WHOLE)
        take(talk, &message);
    CHECK(read == CONTROL_PARTIAL);
    usher_session_consumed(talk->session, slice->len);
}

static void on_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct talk *talk = owner;
    (void)word, (void)text;
    CHECK(talk->session && ending == USHER_ENDED_LOST);
    talk->session = NULL;
}

static const struct usher_session_ops ops = {.opened = on_opened, .fill = on_fill, .data = on_data, .ended = on_ended};

void talk_open(struct talk *talk, struct usher_engine *engine)
{
    const struct usher_open open = {.protocol = USHER_CONTROL, .by_name = true, .host = CONTROL_HOST};
    talk->session = usher_session_open(engine, &open, &ops, talk);
}

void talk_adopt(struct talk *talk, struct usher_session *session)
{
    talk->session = session;
    usher_session_attach(session, &ops, talk);
    usher_session_accept(session);
    usher_session_confirming(session, true);
}

void talk_drain(struct talk *talk, bool left)
{
    struct writer w = writer_over(talk->out + talk->out_len, sizeof talk->out - talk->out_len);
    const struct control_drain drain = {.left = left};
    control_drain_encode(&w, &drain);
    CHECK(!w.failed);
    talk->out_len = (size_t)(w.at - talk->out);
    usher_session_ready(talk->session);
}
