// SPDX-License-Identifier: GPL-2.0-or-later
// What supervisor and worker tell each other. Every size is checked, and the supervisor believes a worker no more than it
// would a stranger.
#ifndef GATE_CHANNEL_MESSAGE_H
#define GATE_CHANNEL_MESSAGE_H

#include "base/address.h"
#include "exchange/policy/policy.h"
#include "gate/audit/record.h"
#include "gate/channel/facts_wire.h"
#include "gate/channel/forwarded.h"
#include "link/tls/tls.h"

#include <net/if.h>

enum {
    // Of all that a worker is told, with what gate/channel/handover.h describes: another number for any change of it, and then workers
    // of the version before are told CHANNEL_END, CHANNEL_DRAIN and CHANNEL_FORWARDS_OVER, which stay as they are, and nothing
    // else.
    CHANNEL_VERSION = 3,
    CHANNEL_LOCALS_MAX = 2048, // addresses and prefixes of the gate's host
    CHANNEL_TEXT_SIZE = 512,   // a sentence of base/fault.h
    CHANNEL_HOST_SIZE = 256,   // a host name of USHER_HOST_MAX
    CHANNEL_FDS_MAX = 250,     // of one message; what the kernel takes is 253 (SCM_MAX_FD)
    CHANNEL_DENIALS_MAX = 16,  // of one message
    CHANNEL_AUDIT_MAX = 32768, // bytes of records in one message
    CHANNEL_EXPORT_MTU = 1500, // bytes, of an export's device: as others have; segments come whole all the same (TSO)
};

enum channel_type {
    // To the worker.
    CHANNEL_LOCALS = 1, // the gate's own addresses; the first message, and again when they change
    CHANNEL_POLL,       // answer with CHANNEL_FACTS
    CHANNEL_END,        // end the tunnel in order; `text` is the reason
    // To the supervisor.
    CHANNEL_UP,      // authenticated
    CHANNEL_REFUSED, // the handshake failed; `text` says why. The last message
    CHANNEL_FACTS,
    // To the worker, with sockets: ports of its portal's forwards, from the one at `first` on (value_forwards_port).
    CHANNEL_FORWARDS,
    // To the worker, with a TUN device: what is routed into it lies behind the portal.
    CHANNEL_EXPORT,
    CHANNEL_EXPORT_BACK, // it was deleted, and is there again behind the same descriptor
    // To the worker, with a file as gate/channel/handover.h describes it: what it holds is true from now on.
    CHANNEL_NEWS,
    // To the supervisor: what was refused by rules since it heard of that last, before CHANNEL_FACTS and unasked.
    CHANNEL_DENIALS,
    // To the supervisor. What shows the worker's own tunnel to a connection that is to carry it on: of two, both are good.
    CHANNEL_TICKET,
    // That is what the worker's connection has shown. Answered by CHANNEL_SERVE, or the worker is not needed any more.
    CHANNEL_SHOWN,
    // To the worker: the tunnel is a new one, whatever it has shown.
    CHANNEL_SERVE,
    // To the worker, with a connection that has shown its ticket; nobody has read from it yet.
    CHANNEL_LANE,
    // To the supervisor: that one carries the tunnel now. Those from before it do not, nor will they.
    CHANNEL_CARRIED,
    // To the worker: its tunnel is to end with its last session (gate/worker/departure.h).
    CHANNEL_DRAIN,
    CHANNEL_FORWARDS_OVER, // another worker has the sockets of its portal's forwards now
    // To the supervisor: the portal wants the tunnel to end with its last session.
    CHANNEL_LEAVING,
    CHANNEL_PEER, // to the worker, the second message: whose connection it has
    // To a herald (gate/herald/herald.h), with a connection, and its answer.
    CHANNEL_CAME,
    CHANNEL_WHOSE,
    // To the supervisor: what is to be written to the audit file, and how much could not be kept for it.
    CHANNEL_AUDIT,
    CHANNEL_LIST,  // to the worker: answer with CHANNEL_FLOWS, those behind `list`
    CHANNEL_FLOWS, // to the supervisor
};

// A place among the flows of a worker, which stand by when they began; all zero: before the first.
struct channel_place {
    uint64_t began; // seconds on the worker's clock
    uint64_t mark;  // which of those that began then
};

// As in exchange/denials.h, whose portal it is is known.
struct channel_denial {
    uint8_t protocol;
    struct address from;
    struct endpoint to;
    uint32_t line;
    uint64_t count, first, last;
    char host[CHANNEL_HOST_SIZE];
    char rule[POLICY_REASON_SIZE];
};

struct channel_message {
    enum channel_type type;
    union {
        struct {
            size_t count;
            struct prefix prefixes[CHANNEL_LOCALS_MAX];
        } locals;
        char text[CHANNEL_TEXT_SIZE];
        struct {
            char name[TLS_NAME_SIZE];
            char serial[TLS_SERIAL_SIZE];
            char cipher[TLS_SERIAL_SIZE];
            usec_t expires;
        } up;
        struct {
            uint32_t sessions;
            uint64_t bytes_in, bytes_out;
            size_t len;
            uint8_t bytes[FACTS_WIRE_MAX]; // of its parts, as gate/channel/facts_wire.h writes them
        } facts;
        struct {
            uint32_t first;
        } forwards;
        struct {
            char device[IFNAMSIZ];
            uint32_t index;
            bool offload, uso; // as in struct tun
        } export;
        struct {
            uint32_t size; // of the file, bytes
        } news;
        struct {
            size_t count;
            struct channel_denial items[CHANNEL_DENIALS_MAX];
        } denials;
        uint8_t ticket[TLS_TICKET_SIZE];
        struct {
            uint32_t id;                     // of the connection, the supervisor's
            uint8_t ticket[TLS_TICKET_SIZE]; // that it has shown
            struct endpoint peer;            // whose it is
        } lane;
        uint32_t carried; // id
        struct {
            uint32_t lost; // records
            size_t len;
            uint8_t bytes[CHANNEL_AUDIT_MAX]; // records, as gate/audit/record.h writes them
        } audit;
        struct channel_place list;
        struct {
            bool more;                 // there are, behind `last`
            struct channel_place last; // of these
            size_t len;
            uint8_t bytes[CHANNEL_AUDIT_MAX]; // each an AUDIT_SESSION that is not over, with its state as text
        } flows;
        struct {
            uint64_t timeout_ms; // after which its sessions are cut off
        } drain;
        struct endpoint peer;
        struct {
            uint32_t id, timeout_ms; // that its header has
        } came;
        struct {
            uint32_t id;
            enum forwarded found;
            struct endpoint peer; // of FORWARDED_PEER
        } whose;
    };
};

// Bytes of the longest message.
enum { CHANNEL_BYTES_MAX = 8 + CHANNEL_LOCALS_MAX * sizeof(struct prefix) };

// 0 when it does not fit.
size_t channel_encode(const struct channel_message *message, uint8_t *room, size_t size);
// False when the bytes are no message; text is never left without its NUL.
bool channel_decode(struct channel_message *out, const uint8_t *bytes, size_t len);

#endif
