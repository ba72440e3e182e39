// SPDX-License-Identifier: GPL-2.0-or-later
// The lines of the audit file (usher-gate(8)): one JSON object each, with the same names as `usher-gate denials` and
// `status`. What came from a peer or a worker is escaped.
#ifndef GATE_AUDIT_LINE_H
#define GATE_AUDIT_LINE_H

#include "gate/audit/record.h"

enum { AUDIT_LINE_MAX = 40960 }; // with texts that are escaped whole

// Whose tunnel it is, as the supervisor knows it. Texts unescaped.
struct audit_tunnel {
    const char *portal, *serial;
    struct endpoint peer; // where the portal comes from
    uint64_t since;       // of its login, Unix time; with `pid` this names the tunnel
    uint32_t pid;         // of its worker
};

// Where it is written: the name of the gate, and the file of its rules.
struct audit_place {
    const char *gate, *file;
};

uint64_t audit_now(void); // Unix time, ms

// Each writes one line into room of AUDIT_LINE_MAX and returns its length.
size_t audit_line_record(char *room, const struct audit_place *place, const struct audit_tunnel *tunnel,
                         const struct audit_record *record);
// What the supervisor itself knows of a tunnel: "up" or "resumed"; `cipher` NULL: nothing to say of it.
size_t audit_line_tunnel(char *room, const struct audit_place *place, const struct audit_tunnel *tunnel,
                         const char *event, const char *cipher);
// What an operator has asked for, and of which portal; NULL: of none.
size_t audit_line_act(char *room, const struct audit_place *place, const char *act, uint32_t uid, const char *portal);
// So many lines are not there. `portal` NULL: of whom is not known.
size_t audit_line_lost(char *room, const char *gate, const char *portal, uint64_t lines, const char *why);

#endif
