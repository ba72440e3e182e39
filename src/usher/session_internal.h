// SPDX-License-Identifier: GPL-2.0-or-later
// A session as the engine sees it. 10,000 of them are held at once: every field is there once and as small as it can be.
//
// States (doc/PROTOCOL.md section 7). session_set_state is the one setter and knows the legal steps:
//
//     PENDING         opened by us and not answered, or by the peer and not yet accepted or refused
//     ACTIVE          both directions open
//     SESSION_ACTIVE  the peer's Close(READ) has come; we still send
//     WRITE_ACTIVE    our Close(READ) has gone; the peer still sends
//     INACTIVE        over. The edge knows or caused it. While a last record (UsherRST, negative UsherOpenReply) waits to
//                     be pulled the id stays bound, because the peer does not know yet.
//
// One life: session_new binds the id; session_release unbinds it and puts the structure on the engine's list of the dead,
// which is freed when no callback can be on the stack. `owner` is called only while ATTACHED.
#ifndef USHER_SESSION_INTERNAL_H
#define USHER_SESSION_INTERNAL_H

#include "base/list.h"
#include "usher/credit.h"
#include "usher/session.h"

enum session_state {
    SESSION_PENDING,
    SESSION_ACTIVE,
    SESSION_SESSION_ACTIVE,
    SESSION_WRITE_ACTIVE,
    SESSION_INACTIVE,
    SESSION_STATES // how many
};

enum session_flag {
    SESSION_INCOMING = 1 << 0,      // the peer opened it
    SESSION_ATTACHED = 1 << 1,      // `ops` and `owner` may be called
    SESSION_STREAM = 1 << 2,        // TCP: data and credit; else datagrams
    SESSION_BY_NAME = 1 << 3,       // opened by HOSTNAME: datagrams carry no addresses
    SESSION_ECHO = 1 << 4,          // ICMP: ports are identifier and sequence number, also by name
    SESSION_ABANDONED = 1 << 5,     // we gave up while pending; the id waits for the answer
    SESSION_ANSWERED = 1 << 6,      // our positive UsherOpenReply has been pulled
    SESSION_BOUND = 1 << 7,         // `peer_id` is bound in the peer's id space
    SESSION_READY = 1 << 8,         // the edge said that it has bytes
    SESSION_FINISHING = 1 << 9,     // local end-of-file: Close(READ) follows the last byte
    SESSION_CLOSE_BOTH = 1 << 10,   // that Close is a Close(BOTH)
    SESSION_PEER_STOPPED = 1 << 11, // the peer takes no more: nothing is asked from the edge
    SESSION_DISCARDING = 1 << 12,   // we said that we take no more: what still comes is credited and forgotten
    SESSION_REFUSED = 1 << 13,      // refused before any edge saw it: counts as a refusal, not as a session
    SESSION_BULK = 1 << 14,         // its place is on the scheduler's bulk list
    SESSION_CLOSED = 1 << 15,       // our Close has been pulled
};

// What a session has to tell, in the order in which it is pulled.
enum session_due {
    SESSION_DUE_RECORD = 1 << 0, // `outbox`
    SESSION_DUE_ACK = 1 << 1,
    SESSION_DUE_CLOSE = 1 << 2,
};

// The one encoded record that may wait: UsherOpen, UsherOpenReply or UsherRST exclude each other.
struct session_outbox {
    int16_t type; // enum record_type
    bool last;    // the id is released when it has been pulled
    uint16_t len;
    uint8_t record[];
};

// The longest of them: UsherOpen with a name, or UsherRST with a reason, of 255 bytes.
enum { SESSION_RECORD_MAX = USHER_HEADER_SIZE + 3 * 2 + USHER_HOST_MAX + 1 };

struct usher_session {
    struct usher_engine *engine;
    const struct usher_session_ops *ops;
    void *owner;
    struct list control; // on scheduler.control while something is due; on engine.dead at the end
    struct list ready;   // on scheduler.sparse or scheduler.bulk while it may send
    struct session_outbox *outbox;
    union {
        struct credit credit;  // SESSION_STREAM
        struct list datagrams; // else
    };
    int32_t deficit;   // bytes it may still send in this turn on the bulk list
    uint16_t burst;    // bytes sent within the present SCHEDULER_SPARSE_WINDOW, 65,535 for more
    uint16_t burst_ms; // when that began, in milliseconds modulo 2^16
    uint16_t id;       // ours
    uint16_t peer_id;
    uint16_t flags; // enum session_flag
    uint8_t state;  // enum session_state
    uint8_t due;    // enum session_due
};

// A new pending session with the id that the peer proposed, where that is free, else (also for 0) one of our own parity.
// NULL when there is none.
struct usher_session *session_new(struct usher_engine *engine, const struct usher_open *open, uint16_t flags,
                                  uint16_t proposed);
void session_set_state(struct usher_session *session, enum session_state state);
// The last word to the edge, if there is one. The session is INACTIVE afterwards.
void session_end(struct usher_session *session, enum usher_ending ending, enum usher_word word, const char *text);
// Unbinds the ids; the structure goes when no callback can be on the stack.
void session_release(struct usher_session *session);
void session_free(struct usher_session *session);

// The peer cannot have seen our positive answer yet, so it still waits for exactly one.
bool session_is_unanswered(const struct usher_session *session);
// Whether bytes or datagrams may still be sent, credit aside.
bool session_may_send(const struct usher_session *session);
// Has credit and something to send: its place is on a ready list.
bool session_wants_turn(const struct usher_session *session);

// Queue records. An UsherRST or a refusal is the last of a session, which is INACTIVE already; while the peer still
// waits for an answer, an UsherRST becomes a refusal.
void session_put_rst(struct usher_session *session, const char *reason);
void session_put_refusal(struct usher_session *session, const char *reason);
void session_put_record(struct usher_session *session, enum record_type type, bool last, const struct writer *w,
                        const uint8_t *bytes);
void session_put_close(struct usher_session *session);
void session_put_ack_if_due(struct usher_session *session);
// The peer has ended its data: it has no use for credit.
void session_forget_ack(struct usher_session *session);

// Nothing is left to send: if the edge has finished, the Close follows.
void session_drained(struct usher_session *session);
// Ends it here and there.
void session_abort(struct usher_session *session, enum usher_word word, const char *why);
// The peer broke a rule of this session: it ends here and there, and the tunnel remembers.
void session_violate(struct usher_session *session, const char *what);
// A datagram with the addresses that this kind of session carries, whoever sent it.
struct usher_datagram session_dress(const struct usher_session *session, const struct usher_datagram *datagram);
// Takes `len` bytes as consumed.
void session_consume(struct usher_session *session, uint64_t len);

#endif
