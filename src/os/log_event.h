// SPDX-License-Identifier: GPL-2.0-or-later
// What a line of the log is about, beside its text: for journals, which people filter by it.
#ifndef OS_LOG_EVENT_H
#define OS_LOG_EVENT_H

enum log_field {
    LOG_PORTAL,      // whose line it is: its instance, or at a gate the name in its certificate
    LOG_GATE,        // the same of a gate
    LOG_PEER,        // address and port of the other end
    LOG_CERT_SERIAL, // of the other end's certificate
    LOG_FIELDS
};

// The few that are looked for; each has a MESSAGE_ID for good (usher-tun(8), usher-gate(8)).
enum log_event {
    LOG_EVENT_NONE,
    LOG_EVENT_UP,      // a portal has its tunnel
    LOG_EVENT_LOST,    // and has it no more
    LOG_EVENT_LOGIN,   // a portal has come to a gate
    LOG_EVENT_LOGOUT,  // and has gone
    LOG_EVENT_REFUSED, // a connection was refused by a gate
    LOG_EVENT_DENIED,  // rules have refused flows
    LOG_EVENTS
};

#endif
