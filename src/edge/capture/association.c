// SPDX-License-Identifier: GPL-2.0-or-later
// Associations: what UDP and echo have in common. An association opens a session with its first destination, keeps what
// comes before the answer within bounds, and ends when it has been idle, when the far side says so, or with the tunnel. An
// application learns of a failure by an ICMP error that quotes its own packet.
#include "edge/capture/internal.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    ASSOCIATIONS_SHARE = 2, // at most max_flows divided by this
    ENDING_SHARE = 4, // besides, at most the quarter of that may be ending: they have gone for us, not for the peer
};

static const struct usher_session_ops session_ops;

static struct association *association_of(struct list *node)
{
    return container_of(node, struct association, flow.opening.timed.node);
}

static enum capture_timelines idle_line(const struct association *association)
{
    if (association_is_echo(association->flow.protocol))
        return LINE_ECHO;
    return association->answered ? LINE_UDP : LINE_ASKED;
}

static void put(struct association *association, enum capture_timelines line)
{
    timeline_put(&association->flow.capture->lines[line], &association->flow.opening.timed,
                 capture_moment(association->flow.capture));
}

// --- life ---

static bool is_ending(const struct association *association)
{
    return association->state == ASSOCIATION_LEFT || association->state == ASSOCIATION_CLOSING;
}

static void forget(struct association *association)
{
    struct capture *capture = association->flow.capture;
    early_clear(association);
    capture->associations_ending -= is_ending(association);
    table_remove(&capture->associations, &association->by_key);
    list_remove(&association->flow.opening.timed.node);
    list_push_back(&capture->association_dead, &association->flow.opening.timed.node);
    association->flow.opening.session = NULL;
    capture->association_count--;
}

static void give_up(struct association *association, const char *text)
{
    if (association->flow.opening.session)
        usher_session_reset(association->flow.opening.session, USHER_FAILED, text);
    forget(association);
}

static void association_open(struct association *association);

// The destination it was to be opened to fails: what waited for that one is answered, what waited for others gets its
// own try, and the failure is remembered for a moment, so that a flood of datagrams is no flood of UsherOpen.
static void fail(struct association *association, int error)
{
    association->flow.opening.session = NULL;
    for (struct early *early = early_first(association), *next; early; early = next) {
        next = early_next(association, early);
        if (association_serves(association, &early->outside))
            early_refuse(association, early, error);
    }
    struct early *other = early_first(association);
    if (other) {
        association->outside = other->outside;
        association_open(association);
        return;
    }
    association->state = ASSOCIATION_FAILED;
    association->error = (int8_t)error;
    put(association, LINE_FAILED);
}

static void association_open(struct association *association)
{
    association->state = ASSOCIATION_PENDING;
    edge_open(&association->flow.capture->edge, &association->flow.opening);
}

// Its key is free for a new one. The session's own end is waited for.
static void leave(struct association *association, enum association_state state)
{
    struct capture *capture = association->flow.capture;
    table_remove(&capture->associations, &association->by_key);
    capture->associations_ending += !is_ending(association);
    association->state = (uint8_t)state;
    put(association, LINE_CLOSING);
}

static void association_close(struct association *association)
{
    leave(association, ASSOCIATION_CLOSING);
    usher_session_close(association->flow.opening.session);
}

// One that is not answered is not reset either: many such are abuse to the peer, and it would end the tunnel over it.
static void make_way(struct association *association)
{
    early_clear(association);
    if (association->state == ASSOCIATION_OPEN)
        association_close(association);
    else if (association->flow.opening.session)
        leave(association, ASSOCIATION_LEFT);
    else
        forget(association);
}

// Room for one more. At the limit somebody gives way, as in connection tracking: those that have failed or are done, then
// those that nobody answers, and of each the one that has been idle for longest.
static bool find_room(struct capture *capture)
{
    static const enum capture_timelines order[] = {LINE_FAILED, LINE_DNS, LINE_ASKED, LINE_ECHO, LINE_UDP};
    uint32_t limit = capture->config.max_flows / ASSOCIATIONS_SHARE;
    if (capture->association_count - capture->associations_ending < limit)
        return true;
    if (capture->associations_ending >= limit / ENDING_SHARE)
        return false;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct timed *timed = timeline_pop(&capture->lines[order[i]]);
        if (!timed)
            continue;
        make_way(association_of(&timed->node));
        capture->counters.associations_gave_way++;
        return true;
    }
    return false; // all of them wait for a tunnel
}

// --- from inside ---

static void pass(struct association *association, const struct endpoint *outside, const uint8_t *bytes, size_t len)
{
    struct usher_datagram datagram = {.from = association->inside, .to = *outside, .bytes = bytes, .len = len};
    association->bytes_out += len;
    if (!usher_session_datagram(association->flow.opening.session, &datagram))
        association->flow.capture->counters.datagrams_dropped++;
}

// One that may carry `out`; NULL when it was answered, or dropped at the limit.
static struct association *association_for(struct capture *capture, const struct outgoing *out)
{
    uint64_t hash = association_hash(capture, out);
    struct association *found = association_find(capture, out, hash);
    if (found && found->state == ASSOCIATION_FAILED) {
        if (association_serves(found, &out->outside)) {
            capture_emit_error(capture, found->error, out->quote, out->quote_len);
            return NULL;
        }
        forget(found);
        found = NULL;
    }
    if (found)
        return found;
    if (!find_room(capture)) {
        capture->counters.flows_refused++;
        return NULL;
    }
    found = association_add(capture, out, hash);
    early_keep(found, out);
    association_open(found);
    return NULL;
}

void capture_association_send(struct capture *capture, const struct outgoing *out)
{
    struct association *association = association_for(capture, out);
    if (!association)
        return;
    if (association->state == ASSOCIATION_OPEN) {
        quotes_keep(&association->quotes, association->fixed, out);
        pass(association, &out->outside, out->bytes, out->len);
        put(association, idle_line(association));
    } else {
        early_keep(association, out);
    }
}

// --- what the session says ---

static void session_opened(void *owner)
{
    struct association *association = owner;
    if (association->state == ASSOCIATION_LEFT) {
        association_close(association);
        return;
    }
    association->state = ASSOCIATION_OPEN;
    for (struct early *early; (early = early_first(association));) {
        struct outgoing out = {.outside = early->outside, .quote = early->bytes, .quote_len = early->quote_len};
        quotes_keep(&association->quotes, association->fixed, &out);
        pass(association, &early->outside, early->bytes + early->quote_len, early->len);
        early_free(association, early);
    }
    put(association, idle_line(association));
}

static size_t session_fill(void *owner, uint8_t *room, size_t size)
{
    (void)owner, (void)room, (void)size;
    return 0; // datagrams have a queue of their own
}

// Bytes of a stream belong to no datagram: dropped, and their credit given back.
static void session_data(void *owner, const struct slice *slice)
{
    struct association *association = owner;
    usher_session_consumed(association->flow.opening.session, slice->len);
}

static void session_datagram(void *owner, const struct usher_datagram *datagram)
{
    struct association *association = owner;
    association->bytes_in += datagram->len;
    association->answered = true;
    bool dns = false;
    if (association_is_echo(association->flow.protocol))
        answer_echo(association, datagram);
    else
        dns = answer_udp(association, datagram);
    if (association->state == ASSOCIATION_OPEN)
        put(association, dns ? LINE_DNS : idle_line(association));
}

static void session_quiet(void *owner)
{
    (void)owner; // halves mean nothing to datagrams; the end will come
}

static void tell_unreachable(struct association *association, const struct quote *quote, enum usher_word word,
                             const char *text)
{
    answer_flush(association->flow.capture); // what came before comes before
    // Other words (idle, limits) are no news about the far host.
    if (quote && (word == USHER_REFUSED || word == USHER_UNREACHABLE || word == USHER_DENIED))
        capture_emit_error(association->flow.capture, capture_open_error(word, text), quote->bytes, quote->len);
}

static void session_reset(struct association *association, enum usher_word word, const char *text)
{
    tell_unreachable(association, quotes_latest(&association->quotes), word, text);
    forget(association);
}

static void session_unreachable(void *owner, const struct usher_unreachable *what)
{
    struct association *association = owner;
    struct quotes *quotes = &association->quotes;
    bool fixed = association->fixed;
    tell_unreachable(association, fixed ? quotes_latest(quotes) : quotes_find(quotes, &what->to), what->word,
                     what->text);
    // One that nobody has answered is not to be kept as long as one who talks.
    if (association->state == ASSOCIATION_OPEN && !association->answered)
        put(association, LINE_DNS);
}

static void session_ended(void *owner, enum usher_ending ending, enum usher_word word, const char *text)
{
    struct association *association = owner;
    association->flow.opening.session = NULL;
    bool pending = association->state == ASSOCIATION_PENDING;
    if (ending == USHER_ENDED_REFUSED && pending)
        fail(association, capture_open_error(word, text));
    else if (ending == USHER_ENDED_RESET)
        session_reset(association, word, text);
    else if (ending == USHER_ENDED_LOST && pending)
        association_open(association); // nothing was sent yet
    else
        forget(association);
}

static const struct usher_session_ops session_ops = {
    .opened = session_opened,
    .fill = session_fill,
    .data = session_data,
    .datagram = session_datagram,
    .unreachable = session_unreachable,
    .finished = session_quiet,
    .stop_sending = session_quiet,
    .ended = session_ended,
};

// --- what the turn says ---

void capture_association_want(const struct opening *opening, struct want *out)
{
    const struct association *association = container_of(opening, struct association, flow.opening);
    uint8_t protocol = association->flow.protocol;
    *out = (struct want){.ops = &session_ops, .origin = association->inside};
    out->open.protocol = protocol;
    out->open.port = association_is_echo(protocol) ? association->inside.port : association->outside.port;
    out->open.addr = association->outside.addr;
    out->open.by_name = association->outside.addr.version == 6;
}

void capture_association_placed(struct opening *opening)
{
    struct association *association = container_of(opening, struct association, flow.opening);
    put(association, idle_line(association));
}

// Whatever it was to be sent to would not be reached either.
void capture_association_refused(struct opening *opening, enum usher_word word, const char *text)
{
    struct association *association = container_of(opening, struct association, flow.opening);
    for (struct early *early; (early = early_first(association));)
        early_refuse(association, early, capture_open_error(word, text));
    forget(association);
}

static void expire_idle(struct association *association)
{
    if (association->state == ASSOCIATION_OPEN)
        association_close(association);
    else
        give_up(association, "no answer");
}

static void expire(struct association *association, enum capture_timelines line)
{
    switch (line) {
    case LINE_FAILED:
        forget(association);
        break;
    case LINE_CLOSING:
        give_up(association, "close was not answered");
        break;
    default:
        expire_idle(association);
    }
}

void capture_association_expire(struct capture *capture, uint32_t moment)
{
    for (int line = LINE_UDP; line < LINES; line++)
        for (struct timed *timed; (timed = timeline_expired(&capture->lines[line], moment));)
            expire(association_of(&timed->node), line);
}

void capture_association_reclaim(struct capture *capture)
{
    for (struct list *node; (node = list_pop_front(&capture->association_dead));) {
        quotes_fini(&association_of(node)->quotes);
        free(association_of(node));
    }
}

void capture_association_free_all(struct capture *capture)
{
    for (int line = LINE_UDP; line < LINES; line++)
        for (struct timed *timed; (timed = timeline_pop(&capture->lines[line]));)
            forget(association_of(&timed->node));
    capture_association_reclaim(capture);
    table_fini(&capture->associations);
}

static const char *state_of(const struct association *association)
{
    return association->flow.opening.session ? usher_session_state(association->flow.opening.session) : "failed";
}

static void each_on(const struct list *list, flow_visit *visit, void *arg, usec_t now)
{
    list_for_each(node, list) {
        const struct association *association = association_of(node);
        struct flow_info info = {
            .who = &association->flow.opening,
            .protocol = association->flow.protocol,
            .inside = association->inside,
            .outside = association->outside,
            .state = state_of(association),
            .bytes_out = association->bytes_out,
            .bytes_in = association->bytes_in,
            .age = capture_age(&association->flow, now),
        };
        visit(arg, &info);
    }
}

void capture_association_each(struct capture *capture, flow_visit *visit, void *arg, usec_t now)
{
    for (int line = LINE_UDP; line < LINES; line++) {
        each_on(&capture->lines[line].waiting, visit, arg, now);
    }
}
