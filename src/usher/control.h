// SPDX-License-Identifier: GPL-2.0-or-later
// What is said in the control session (doc/PROTOCOL.md section 10): messages of four bytes and a body, and for each kind a
// pair of encode and decode. Decoders allocate nothing and change no state; bodies and texts point into the reader, and are
// valid until it is asked for the next message. A body may be longer than what is known of it: later versions add at its end.
#ifndef USHER_CONTROL_H
#define USHER_CONTROL_H

#include "base/cursor.h"
#include "usher/session_ops.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_HOST "control.1" // the HOSTNAME that it is opened by

enum {
    CONTROL_HEADER_SIZE = 4,
    CONTROL_BODY_MAX = 4096,
    CONTROL_MESSAGE_MAX = CONTROL_HEADER_SIZE + CONTROL_BODY_MAX,
    CONTROL_CRITICAL = 1,     // FLAGS: who does not know this type cannot go on
    CONTROL_VERSION_MAX = 63, // bytes of the version, without its NUL
    CONTROL_NAME_MAX = 255,   // bytes of a name, without its NUL
    CONTROL_TICKET_SIZE = 16, // bytes of a ticket's number
};

enum control_type {
    CONTROL_HELLO = 1,
    CONTROL_PROBE = 2,
    CONTROL_ANSWER = 3,
    CONTROL_ORIGIN = 4,
    CONTROL_DRAIN = 5,
    CONTROL_TICKET = 6,
    CONTROL_UNREACHABLE = 7,
};

struct control_message {
    uint8_t type;
    uint8_t flags;
    uint16_t length; // of the body
    const uint8_t *body;
};

// Messages out of a stream that comes in pieces of any length. Zeroed to begin with.
struct control_reader {
    uint32_t len; // bytes that are there
    uint8_t bytes[CONTROL_MESSAGE_MAX];
};

enum control_read {
    CONTROL_PARTIAL, // all of `in` is taken, and more is needed
    CONTROL_WHOLE,
    CONTROL_TOO_LONG, // nothing behind it can be read
};

// The next message; `in` is advanced behind what was taken.
enum control_read control_read(struct control_reader *reader, struct reader *in, struct control_message *out);

// What each side can do.
enum control_can {
    CONTROL_CAN_PROBE = 1,       // it answers probes
    CONTROL_CAN_UNREACHABLE = 2, // it heeds `unreachable`
    CONTROL_CAN_CONFIRM = 4,     // it confirms what it takes, and keeps what is not confirmed
    CONTROL_CAN_DRAIN = 8,       // it heeds `drain`
    CONTROL_CAN_ORIGIN = 16,     // it keeps who asked for a session
};

struct control_hello {
    uint32_t can;      // enum control_can; bits that are not known are of later versions
    uint32_t sessions; // how many it has room for, opened by either side
    const char *version;
    bool continues; // it is said on a link that takes the place of a lost one:
    uint64_t taken; // records of the other end that were taken
};

struct control_probe {
    uint32_t id;
    const char *name;
};

enum control_status {
    CONTROL_EXISTS,
    CONTROL_NO_NAME,
    CONTROL_NAME_FAILED, // nobody can tell at the moment
    CONTROL_NAME_DENIED,
    CONTROL_STATUSES // how many
};

enum control_families { CONTROL_IPV4 = 1, CONTROL_IPV6 = 2 };

struct control_answer {
    uint32_t id;
    enum control_status status;
    uint8_t families; // enum control_families; of a name that exists, also 0
    uint32_t ttl;     // seconds for which it may be believed
};

// A datagram has not arrived.
struct control_unreachable {
    uint16_t session; // the receiver's own identifier
    struct usher_unreachable what;
};

// Who asked for the session that will be opened next by that identifier, which is the sender's.
struct control_origin {
    uint16_t session;
    struct endpoint who; // behind an entrance; version 0: of a kind that is not known here
};

// What another connection shows that is to carry this tunnel on.
struct control_ticket {
    uint8_t number[CONTROL_TICKET_SIZE];
    uint32_t seconds; // for which its sender keeps a tunnel whose connection is lost
};

// The tunnel is to end with its last session.
struct control_drain {
    bool left; // its sender opens nothing in it any more; else: what is new should go elsewhere
};

// Encoders write header and body; on too little room `w->failed` is set. Texts are cut at their bounds.
void control_hello_encode(struct writer *w, const struct control_hello *hello);
void control_probe_encode(struct writer *w, const struct control_probe *probe);
void control_answer_encode(struct writer *w, const struct control_answer *answer);
void control_drain_encode(struct writer *w, const struct control_drain *drain);
void control_origin_encode(struct writer *w, const struct control_origin *origin);
void control_ticket_encode(struct writer *w, const struct control_ticket *ticket);
void control_unreachable_encode(struct writer *w, const struct control_unreachable *unreachable);

// False means a protocol error.
bool control_hello_decode(struct control_hello *out, const struct control_message *message);
bool control_probe_decode(struct control_probe *out, const struct control_message *message);
bool control_answer_decode(struct control_answer *out, const struct control_message *message);
bool control_drain_decode(struct control_drain *out, const struct control_message *message);
bool control_origin_decode(struct control_origin *out, const struct control_message *message);
bool control_ticket_decode(struct control_ticket *out, const struct control_message *message);
bool control_unreachable_decode(struct control_unreachable *out, const struct control_message *message);

#endif
