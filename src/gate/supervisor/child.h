// SPDX-License-Identifier: GPL-2.0-or-later
// A worker as the supervisor sees it: a process, a channel, and what it last told of itself.
#ifndef GATE_SUPERVISOR_CHILD_H
#define GATE_SUPERVISOR_CHILD_H

#include "base/bucket.h"
#include "base/list.h"
#include "gate/channel/channel.h"
#include "gate/supervisor/admission.h"
#include "gate/supervisor/template.h"
#include "gate/supervisor/tickets.h"
#include "gate/upgrade/state.h"
#include "os/process/process_watch.h"

#include <time.h>
#include <uv.h>

struct child;

struct child_ops {
    void (*up)(void *owner, struct child *child);                       // its portal has authenticated
    void (*refused)(void *owner, struct child *child, const char *why); // `why` is printable
    void (*told)(void *owner, struct child *child);                     // it answered child_poll
    void (*denied)(void *owner, const struct child *child, const struct channel_denial *denial);
    // Each of these: false when no worker would say so. It has a ticket for its tunnel; its connection has shown one; a
    // connection that it was handed carries its tunnel.
    bool (*ticket)(void *owner, struct child *child, const uint8_t *number);
    bool (*shown)(void *owner, struct child *child, const uint8_t *number);
    bool (*carried)(void *owner, struct child *child, uint32_t id);
    void (*audited)(void *owner, struct child *child, const struct channel_message *message); // a CHANNEL_AUDIT
    void (*listed)(void *owner, struct child *child, const struct channel_message *message);  // a CHANNEL_FLOWS
    void (*leaving)(void *owner, struct child *child); // its portal wants the tunnel to end with its last session
    // The process has ended; `signal` is what killed it, 0 for an exit of its own. The child is freed after this.
    void (*ended)(void *owner, struct child *child, int code, int signal);
};

// A connection that it was handed, to carry its tunnel on.
struct child_adopted {
    uint32_t id; // 0: none
    struct endpoint peer;
};

enum { CHILD_ADOPTED_MAX = 8 }; // that may still be told of: twice what a worker has at a time

struct child {
    struct list node; // the supervisor's
    struct endpoint peer;
    time_t since;
    bool up;
    bool polled;                      // owes an answer to child_poll
    bool asked_flows;                 // owes one to child_ask_flows,
    struct channel_place asked_place; // about those behind this
    bool owes_facts, owes_flows;      // perhaps: the program before may have asked
    bool ending;                      // was told to end
    bool wants_to_leave;              // its portal has said so
    bool drain_due;                   // is to be told to drain (gate/supervisor/drainage.h)
    bool draining;                    // its tunnel ends with its last session: what is new goes to another one
    bool listens;                     // has the sockets of its portal's forwards
    bool captures;                    // has the device of its portal's exports
    bool gave_way;                    // was killed for want of places
    int socket_fd;                    // its connection, until its portal has authenticated; -1 then
    bool has_shown;
    struct ticket_holder holder; // of its tunnel's tickets
    struct child_adopted adopted[CHILD_ADOPTED_MAX];
    unsigned next_adopted;
    struct ticket *ticket;
    unsigned replacements; // of logins of its name by each other, one soon after another, up to this one
    char name[TLS_NAME_SIZE];
    char serial[TLS_SERIAL_SIZE];
    char cipher[TLS_SERIAL_SIZE];
    usec_t expires;
    uint32_t sessions;
    uint64_t bytes_in, bytes_out;
    bool told_down;        // for the audit file: it has said that its tunnel is over
    struct bucket audit;   // how many messages for that file it may send
    struct bucket denials; // how many messages of them it may send
    uint8_t *facts;        // of its parts, as gate/channel/facts_wire.h reads them
    size_t facts_len;

    pid_t pid;
    bool gone;      // has ended
    bool inherited; // an earlier program in this process has started it
    bool stranger;  // another version of this program has started it
    struct process_watch *watch;
    uv_poll_t channel;
    uv_timer_t patience; // runs while it is to end
    int channel_fd;      // -1 once it is closed
    unsigned handles;
    const struct child_ops *ops;
    void *owner;
};

// Starts a worker for the accepted `fd`, which is taken over; it stays open here too until the portal is in, for who it may be
// handed on to. `locals` is its first message, and that it is `peer`'s its second.
struct child *child_new(uv_loop_t *loop, struct template *template, int fd, int handover_fd,
                        const struct endpoint *peer, const struct channel_message *locals, const struct child_ops *ops,
                        void *owner, struct fault *fault);
// One that an earlier program in this process has started. NULL with a fault.
struct child *child_adopt(uv_loop_t *loop, const struct state_child *was, bool stranger, const struct child_ops *ops,
                          void *owner, struct fault *fault);
void child_save(const struct child *child, struct state_child *out);
// Tells it something; one that cannot hear it is killed, since it might go by what is no longer true.
void child_tell(struct child *child, const struct channel_message *message);
// The same with descriptors, which stay the caller's.
void child_hand(struct child *child, const struct channel_message *message, const int *fds, size_t count);
void child_poll(struct child *child);
// False when it owes an answer still, or cannot hear it.
bool child_ask_flows(struct child *child, const struct channel_place *behind);
// Hears what it has said already.
void child_catch_up(struct child *child);
// Its tunnel is to end with its last session, or after that time.
void child_drain(struct child *child, uint64_t timeout_ms);
// One that has not gone after some seconds is killed.
void child_end(struct child *child, const char *reason);
void child_kill(struct child *child);
// Closes the supervisor's own copy of the connection.
void child_close_socket(struct child *child);
void child_describe(const struct child *child, struct facts *facts);

// claims.c, for child.c alone. False when no worker would say so.
void claims_init(struct child *child);
bool claims_take(struct child *child, const struct channel_message *message);

#endif
