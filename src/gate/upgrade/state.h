// SPDX-License-Identifier: GPL-2.0-or-later
// What a supervisor hands to the program that takes its place in the same process: a memory file that says what the inherited
// descriptors are. It is read defensively, as it may be another version's, and some of it workers have said.
#ifndef GATE_UPGRADE_STATE_H
#define GATE_UPGRADE_STATE_H

#include "base/address.h"
#include "config/instance.h"
#include "link/tls/tls.h"
#include "os/file/secret.h"
#include "os/tun/tun.h"

enum {
    // Of the format. A program reads its own version alone: the one on disk is tried before it takes over, and with
    // another the gate has to be started again.
    STATE_VERSION = 1,
    STATE_FDS_MAX = 65536,
    STATE_TICKETS_MAX = 2,
    STATE_TEXT_SIZE = 4096,
};

struct state_child {
    uint32_t pid;
    int channel;
    int socket; // its connection, until its portal has authenticated; -1 then
    struct endpoint peer;
    uint64_t since; // seconds of the clock
    bool up, ending, draining, wants_to_leave, listens, captures;
    bool stranger; // speaks another version of the channel than the program that leaves it
    uint32_t replacements;
    char name[TLS_NAME_SIZE], serial[TLS_SERIAL_SIZE], cipher[TLS_SERIAL_SIZE];
    usec_t expires;
    uint32_t ticket_count;
    uint8_t tickets[STATE_TICKETS_MAX][TLS_TICKET_SIZE]; // of its tunnel
};

// What is kept for a portal of the configuration.
struct state_held {
    uint32_t index; // of access->portals
    uint32_t count; // sockets of its forwards; 0: none
    int *sockets;
    struct tun tun; // index 0: none
};

struct gate_state {
    char version[64];                   // of the program
    uint32_t channel_version;           // that its workers speak (gate/channel/channel.h)
    char name_or_file[STATE_TEXT_SIZE]; // as it was started with
    uint64_t since;
    bool retiring;
    uint32_t slot; // as in struct runtime
    int lock, slots, control, handover;
    int previous; // the program itself, to go back to
    int asker;    // a connection to the control socket that waits for an answer; -1: none
    uint32_t listener_count, child_count, held_count;
    int *listeners;
    struct state_child *children;
    struct state_held *held;
    struct blob admission; // gate/supervisor/admission.h
};

void state_fini(struct gate_state *state);

// All descriptors that it names are open: whether they are to stay so when another program takes over. False: one is not.
bool state_keep_open(const struct gate_state *state, bool kept);

#endif
