// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of the resolver share, and nobody else includes. Each calls only those further down:
//
//     names.c                        life, what is adopted, the list of flows
//     client_udp.c  client_tcp.c     who asks
//     question.c                     where a question goes, and what becomes of it
//     far_udp.c  far_tcp.c  near.c   the ways to a server: through the tunnel, or by sockets of ours
//     wait.c                         time
//
// A question lives from names_ask to its answer, and is told of by its way: once it has been heard, it is gone. A way has
// let go of the question before it tells.
#ifndef EDGE_NAMES_INTERNAL_H
#define EDGE_NAMES_INTERNAL_H

#include "base/table.h"
#include "edge/edge.h"
#include "edge/names/config.h"
#include "edge/names/source.h"
#include "os/alarm.h"

enum {
    NAMES_MESSAGE_MAX = 65535,
    NAMES_QUESTION_MAX = 4096, // bytes of what is asked: a name, and options of EDNS
};

// What is waited for.
enum names_wait {
    NAMES_WAIT_TRY,    // a question: the server that it was passed to
    NAMES_WAIT_ENDING, // a client: the end of its session
    NAMES_WAIT_CLIENT, // the same: its next question
    NAMES_WAIT_CLOSED, // an association with a server: the end of its session
    NAMES_WAIT_SPARE,  // the same: another question
    NAMES_WAIT_STREAM, // a connection with a server: its end
    NAMES_WAITS
};

struct names;

// Who asked, of UDP.
struct names_asker {
    struct endpoint from, to;
};

struct names_client;

struct names_client_ops {
    void (*send)(struct names_client *client, const struct names_asker *asker, const uint8_t *bytes, size_t len);
    // One of its questions is gone, answered or not.
    void (*settled)(struct names_client *client);
};

struct names_client {
    const struct names_client_ops *ops;
    struct names *names;
    struct list questions;
    unsigned under_way; // of them
    bool tcp;
};

struct names_way {
    bool near, tcp;
    // Passes it to the server; `asking` is the way's from now on. False: it cannot be passed there.
    bool (*ask)(struct names_question *question, size_t server);
    // Gives up what it was asking.
    void (*drop)(struct names_question *question);
    // It is not under way yet: there is no tunnel.
    bool (*is_held)(const struct names_question *question);
};

struct names_question {
    struct timed timed;    // NAMES_WAIT_TRY
    struct list in_client; // names_client.questions
    struct list in_age;    // names.questions
    struct names_client *client;
    struct names_asker asker;
    struct dns_question question;
    const struct names_way *way; // NULL: the source's
    void *asking;                // what the way asks by; NULL: nothing at the moment
    unsigned tries;
    size_t server; // that was asked last
    uint16_t id;   // by which it was asked
    // Of an association with a server.
    struct table_node by_id;
    struct list in_line;
    uint16_t len;
    uint8_t bytes[]; // the message as it came, with the id of the last try
};

// Which of several servers is asked first: the first of them, or for a while the one that has answered in its stead.
struct names_favourite {
    size_t server;
    uint64_t until; // ms of the loop's clock
};

struct names_flow;

struct names_flow_kind {
    uint16_t protocol;
    const struct usher_session_ops *ops;
    // There will be no session.
    void (*refused)(struct names_flow *flow);
    // Frees it; its session is gone, and its questions are.
    void (*release)(struct names_flow *flow);
};

// A session with a server, yet to be opened or open.
struct names_flow {
    struct opening opening; // first; the `own` of `timed` is when it began, in seconds
    const struct names_flow_kind *kind;
    struct names *names;
    size_t server;
    struct list node; // names.flows
};

// A server behind the tunnel. What it has refused is not asked again for a moment, so that a flood of questions is no flood
// of UsherOpen.
struct names_far {
    struct names_line *line;       // the association with it; NULL: none
    uint64_t udp_until, tcp_until; // ms of the loop's clock
};

struct names {
    struct edge edge; // first
    struct names_config config;
    struct endpoint rest[NAMES_REST_MAX];
    size_t rest_count;
    struct names_favourite best_far, best_near;
    struct list questions; // the oldest first
    uint32_t pending, pending_near, pending_tcp;
    struct names_far *servers; // as many as in the configuration
    struct list flows;
    struct list clients;
    struct list askers; // sessions of datagrams, the oldest first
    uint32_t asker_count;
    uint32_t tcp_clients;
    struct timeline waits[NAMES_WAITS];
    struct alarm alarm; // for the first of them
    struct names_counters counters;
    // What ways tell (question.c). heard: false when it is no answer to this question, which then waits on.
    bool (*heard)(struct names_question *question, const uint8_t *bytes, size_t len);
    void (*failed)(struct names_question *question, bool for_good);
    uint8_t answer[DNS_ANSWER_SIZE];
    uint8_t message[NAMES_MESSAGE_MAX]; // on its way to a client, or from a socket
};

enum { NAMES_REFUSED_MS = 1000 };

static inline const struct endpoint *names_server(const struct names_flow *flow)
{
    return &flow->names->config.servers[flow->server];
}

static inline struct names *names_of(struct edge *edge)
{
    return container_of(edge, struct names, edge);
}

// client_udp.c, client_tcp.c
void names_udp_adopt(struct names *names, struct usher_session *session, const struct usher_open *open);
void names_echo_adopt(struct names *names, struct usher_session *session, const struct usher_open *open);
void names_tcp_adopt(struct names *names, struct usher_session *session, const struct usher_open *open);
void names_tcp_idle(struct names *names, struct timed *timed);
void names_tcp_ending(struct names *names, struct timed *timed);

// question.c
void names_question_init(struct names *names);
// What a client says; false when it is no question at all, so that nothing will be said to it.
bool names_ask(struct names_client *client, const struct names_asker *asker, const uint8_t *bytes, size_t len);
// The client is gone.
void names_forget(struct names_client *client);
void names_question_expired(struct names *names, struct timed *timed);

// far_udp.c, far_tcp.c, near.c
extern const struct names_way names_far_udp, names_far_tcp, names_near_udp, names_near_tcp;
void names_line_spare(struct names *names, struct timed *timed);
void names_line_closed(struct names *names, struct timed *timed);
void names_stream_over(struct names *names, struct timed *timed);

// wait.c
typedef void names_expired(struct names *names, struct timed *timed);
void names_wait_init(struct names *names);
// Begins to wait, from now; whatever it waited for before is forgotten.
void names_wait(struct names *names, struct timed *timed, enum names_wait wait);
void names_wait_expire(struct names *names, names_expired *const expired[NAMES_WAITS], usec_t now);

#endif
