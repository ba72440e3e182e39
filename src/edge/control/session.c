// SPDX-License-Identifier: GPL-2.0-or-later
// A kind of message is one row: who takes it, and how often it may come. What comes oftener is not read, and the peer's
// budget for such pays; what cannot be read ends the tunnel, and so does the end of this session before it.
#include "edge/control/session.h"

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

static struct control_session *of_edge(struct edge *edge)
{
    return container_of(edge, struct control_session, edge);
}

static struct control_session *of_opening(void *owner)
{
    return container_of(owner, struct control_session, opening);
}

// A confirmation must not come before the hello that agrees to it: both have gone the whole way.
static void decide_confirming(struct control_session *control)
{
    const struct control_session_ops *ops = control->config.ops;
    bool agreed = control->config.confirms && control->can_confirm;
    if (!control->hello_came || !control->hello_gone)
        return;
    usher_session_confirming(control->opening.session, agreed);
    if (agreed && ops && ops->confirms)
        ops->confirms(control->config.owner);
}

// What comes

static bool take_hello(struct control_session *control, const struct control_message *message)
{
    struct control_hello hello;
    char version[4 * CONTROL_VERSION_MAX + 8];
    if (!control_hello_decode(&hello, message))
        return false;
    control->hello_came = true;
    control->can_probe = hello.can & CONTROL_CAN_PROBE;
    control->can_unreachable = hello.can & CONTROL_CAN_UNREACHABLE;
    control->can_confirm = hello.can & CONTROL_CAN_CONFIRM;
    control->can_origin = hello.can & CONTROL_CAN_ORIGIN;
    decide_confirming(control);
    if (control->can_probe)
        control_ready(control); // what was asked since the tunnel came
    else
        control_asking_lost(control);
    log_debug("the other end is %s and has room for %u sessions", text_escape(version, sizeof version, hello.version),
              hello.sessions);
    return true;
}

// Only who has accepted the connection has others to tell apart by it.
static bool take_ticket(struct control_session *control, const struct control_message *message)
{
    const struct control_session_ops *ops = control->config.ops;
    struct control_ticket ticket;
    if (!control_ticket_decode(&ticket, message))
        return false;
    if (control->config.opens && ops && ops->ticket)
        ops->ticket(control->config.owner, &ticket);
    return true;
}

struct row {
    uint8_t type; // 0: those that are not known
    uint32_t per_second, burst;
    bool (*take)(struct control_session *control, const struct control_message *message); // false: it is broken
};

static const struct row ROWS[] = {
    {CONTROL_HELLO, 1, 4, take_hello},
    {CONTROL_PROBE, 2 * ASK_PER_SECOND, 2 * ASK_BURST, control_take_probe},
    {CONTROL_ANSWER, 2 * ASK_PER_SECOND, 2 * ASK_BURST, control_take_answer},
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

static bool end_tunnel(struct control_session *control, const char *what, uint8_t type)
{
    char why[WHY_SIZE];
    snprintf(why, sizeof why, "control message %u: %s", type, what);
    usher_session_protocol_error(control->opening.session, why);
    return false;
}

// False: nothing more is to be read.
static bool take(struct control_session *control, const struct control_message *message)
{
    size_t row = row_of(message->type);
    if (!control->hello_came && message->type != CONTROL_HELLO)
        return end_tunnel(control, "before hello", message->type);
    if (!ROWS[row].take && (message->flags & CONTROL_CRITICAL))
        return end_tunnel(control, "not known here, and critical", message->type);
    if (!bucket_take(&control->bounds[row], control->now))
        usher_session_glitch(control->opening.session);
    else if (ROWS[row].take && !ROWS[row].take(control, message))
        return end_tunnel(control, "malformed", message->type);
    return true;
}

static void on_data(void *owner, const struct slice *slice)
{
    struct control_session *control = of_opening(owner);
    struct reader in = reader_over(slice->bytes, slice->len);
    struct control_message message;
    enum control_read read = CONTROL_PARTIAL;
    control->now = clock_now();
    while ((read = control_read(&control->reader, &in, &message)) == CONTROL_WHOLE)
        if (!take(control, &message))
            return;
    if (read == CONTROL_TOO_LONG)
        end_tunnel(control, "too long", message.type);
    else
        usher_session_consumed(control->opening.session, slice->len);
}

// What goes

static bool can_answer(const struct control_session_config *config)
{
    return config->resolver || (config->translate && config->translate->name);
}

static bool write_hello(struct control_session *control, struct writer *w)
{
    const struct control_session_config *config = &control->config;
    const struct control_hello hello = {
        .can = (can_answer(config) ? CONTROL_CAN_PROBE : 0) | CONTROL_CAN_UNREACHABLE |
               (config->confirms ? CONTROL_CAN_CONFIRM : 0) | (config->keeps_origin ? CONTROL_CAN_ORIGIN : 0),
        .sessions = config->max_sessions,
        .version = config->version,
    };
    if (!control->hello_due)
        return false;
    control->hello_due = false;
    control_hello_encode(w, &hello);
    return true;
}

static bool write_ticket(struct control_session *control, struct writer *w)
{
    if (!control->ticket_due)
        return false;
    control->ticket_due = false;
    control_ticket_encode(w, &control->ticket);
    return true;
}

static bool write_next(struct control_session *control)
{
    struct writer w = writer_over(control->out, sizeof control->out);
    if (!write_hello(control, &w) && !write_ticket(control, &w) && !control_originating_write(control, &w) &&
        !control_telling_write(control, &w) && !control_answering_write(control, &w) &&
        !control_asking_write(control, &w))
        return false;
    control->out_len = (uint32_t)(sizeof control->out - writer_left(&w));
    control->out_at = 0;
    return true;
}

// Hello is the first message.
static void note_gone(struct control_session *control)
{
    if (control->hello_gone || control->out_at < control->out_len)
        return;
    control->hello_gone = true;
    decide_confirming(control);
}

static size_t on_fill(void *owner, uint8_t *room, size_t size)
{
    struct control_session *control = of_opening(owner);
    size_t len = 0;
    while (len < size && (control->out_at < control->out_len || write_next(control))) {
        size_t part = control->out_len - control->out_at;
        part = part < size - len ? part : size - len;
        memcpy(room + len, control->out + control->out_at, part);
        control->out_at += (uint32_t)part;
        len += part;
        note_gone(control);
    }
    return len;
}

// Its life

static void begin(struct control_session *control)
{
    control->hello_due = true;
    control->now = clock_now();
    for (size_t i = 0; i < ROW_COUNT; i++)
        bucket_init(&control->bounds[i], ROWS[i].per_second, ROWS[i].burst, control->now);
    control_telling_init(control);
    control_originating_init(control);
    control_ready(control);
}

static void on_opened(void *owner)
{
    begin(of_opening(owner));
}

// It lasts as long as the tunnel, so that neither end has to guess what the other still knows.
static void on_closed(void *owner)
{
    usher_session_protocol_error(of_opening(owner)->opening.session, "the control session was closed");
}

static void on_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct control_session *control = of_opening(owner);
    char said[WHY_SIZE];
    (void)word;
    if (ending == USHER_ENDED_RESET)
        usher_session_protocol_error(control->opening.session, "the control session was reset");
    control->off = ending == USHER_ENDED_REFUSED;
    if (control->off)
        usher_session_confirming(control->opening.session, false);
    if (control->off)
        log_debug("the other end has no control session: %s", text_escape(said, sizeof said, text));
    control->opening.session = NULL;
    control->hello_came = control->can_probe = control->can_unreachable = false;
    control->hello_due = control->hello_gone = control->can_confirm = control->can_origin = false;
    control->ticket_due = false;
    control->reader.len = control->out_len = control->out_at = 0;
    control_asking_lost(control);
    control_answering_lost(control);
}

static bool on_tell(void *owner, uint16_t session, const struct usher_unreachable *what)
{
    return control_tell(of_opening(owner), session, what);
}

static bool on_say_origin(void *owner, uint16_t session, const struct endpoint *who)
{
    return control_say_origin(of_opening(owner), session, who);
}

static const struct usher_session_ops SESSION_OPS = {
    .tell = on_tell,
    .say_origin = on_say_origin,
    .opened = on_opened,
    .fill = on_fill,
    .data = on_data,
    .finished = on_closed,
    .stop_sending = on_closed,
    .ended = on_ended,
};

// The edge

static void tunnel_came(struct edge *edge, bool extended)
{
    struct control_session *control = of_edge(edge);
    control->off = !extended;
    if (!extended)
        control_asking_lost(control);
    else if (control->config.opens)
        edge_open(edge, &control->opening);
}

static void want(const struct opening *opening, struct want *out)
{
    (void)opening;
    *out = (struct want){.ops = &SESSION_OPS, .open = {.protocol = USHER_CONTROL, .by_name = true}};
    strcpy(out->open.host, CONTROL_HOST);
}

static void placed(struct opening *opening)
{
    (void)opening;
}

static void refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct control_session *control = of_opening(opening);
    (void)word;
    log_debug("no control session: %s", text);
    control->off = true;
    control_asking_lost(control);
}

static bool is_waiting(const struct edge *edge)
{
    const struct control_session *control = container_of(edge, const struct control_session, edge);
    return !control->opening.session && control->asking.count > 0;
}

static bool serves(const struct edge *edge, uint16_t protocol)
{
    return protocol == USHER_CONTROL && !container_of(edge, const struct control_session, edge)->config.opens;
}

static const struct usher_session_ops NO_OPS;

static void adopt(struct edge *edge, struct usher_session *session, const struct usher_open *open)
{
    struct control_session *control = of_edge(edge);
    if (control->opening.session || strcmp(open->host, CONTROL_HOST)) {
        usher_session_attach(session, &NO_OPS, NULL);
        usher_session_refuse(session, USHER_UNSUPPORTED, "no such control session here");
        return;
    }
    control->opening.session = session;
    usher_session_attach(session, &SESSION_OPS, &control->opening);
    usher_session_accept(session);
    begin(control);
}

static void alarmed(uv_timer_t *alarm)
{
    struct control_session *control = of_edge(alarm->data);
    control->alarm_at = USEC_NEVER;
    edge_wake(&control->edge);
}

static void set_alarm(struct control_session *control)
{
    usec_t asking = control_asking_deadline(control), answering = control_answering_deadline(control);
    usec_t first = asking < answering ? asking : answering;
    if (first >= control->alarm_at)
        return; // one that comes too early finds nothing to do
    uv_timer_start(&control->alarm, alarmed, first > control->now ? (first - control->now) / USEC_PER_MSEC + 1 : 0, 0);
    control->alarm_at = first;
}

static void before_pull(struct edge *edge, usec_t now)
{
    struct control_session *control = of_edge(edge);
    control->now = now;
    control_answering_turn(control);
    control_asking_turn(control);
}

static void after_pull(struct edge *edge, bool link_blocked, usec_t now)
{
    (void)link_blocked;
    (void)now;
    set_alarm(of_edge(edge));
}

static uint32_t flows(const struct edge *edge)
{
    (void)edge;
    return 0;
}

static void each_flow(struct edge *edge, flow_visit *visit, void *arg, usec_t now)
{
    (void)edge, (void)visit, (void)arg, (void)now;
}

static void describe(const struct edge *edge, struct facts *facts)
{
    const struct control_counters *counters = &container_of(edge, const struct control_session, edge)->counters;
    facts_group(facts, "counters");
#define TELL(name, help) facts_counter(facts, #name, help, FACT_COUNT, counters->name);
    CONTROL_COUNTERS(TELL)
#undef TELL
    facts_end(facts);
}

static void on_alarm_closed(uv_handle_t *handle)
{
    struct control_session *control = of_edge(handle->data);
    free(control->bounds);
    free(control);
}

static void stop(struct edge *edge)
{
    uv_close((uv_handle_t *)&of_edge(edge)->alarm, on_alarm_closed);
}

static const struct edge_kind KIND = {
    .name = "control",
    .tunnel_came = tunnel_came,
    .want = want,
    .placed = placed,
    .refused = refused,
    .is_waiting = is_waiting,
    .serves = serves,
    .adopt = adopt,
    .before_pull = before_pull,
    .after_pull = after_pull,
    .flows = flows,
    .each_flow = each_flow,
    .describe = describe,
    .stop = stop,
};

struct control_session *control_session_new(const struct control_session_config *config)
{
    struct control_session *control = memory_new(sizeof *control);
    control->edge.kind = &KIND;
    control->config = *config;
    control->now = clock_now();
    control->alarm_at = USEC_NEVER;
    list_init(&control->opening.timed.node);
    control->bounds = memory_new(ROW_COUNT * sizeof *control->bounds);
    uv_timer_init(config->loop, &control->alarm);
    control->alarm.data = &control->edge;
    control_asking_init(control);
    control_answering_init(control);
    return control;
}

struct edge *control_session_edge(struct control_session *control)
{
    return &control->edge;
}

struct prober *control_session_prober(struct control_session *control)
{
    return &control->asking.prober;
}

void control_session_tell_ticket(struct control_session *control, const struct control_ticket *ticket)
{
    control->ticket = *ticket;
    control->ticket_due = true;
    control_ready(control);
}
