// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker has to say for the audit file, as it travels to the supervisor: sessions that are over, and what became of
// its tunnel. Decoding trusts nobody.
#ifndef GATE_AUDIT_RECORD_H
#define GATE_AUDIT_RECORD_H

#include "base/cursor.h"
#include "exchange/accounts.h"

enum {
    AUDIT_TEXT_MAX = 511,    // bytes of each text in a record
    AUDIT_RECORD_MAX = 2560, // bytes of the longest record
};

enum audit_kind {
    AUDIT_SESSION,
    AUDIT_PAUSED, // the tunnel has lost its connection, and waits for another
    AUDIT_DOWN,   // it is over
    AUDIT_KINDS
};

enum audit_end {
    AUDIT_CLOSED,
    AUDIT_REFUSED,
    AUDIT_RESET,
    AUDIT_LOST,    // with its tunnel
    AUDIT_REVOKED, // the same, because of a certificate or a list
    AUDIT_DRAINED, // and because nobody waits any longer
    AUDIT_ENDED,   // and because the supervisor wanted it
    AUDIT_ENDS
};

struct audit_record {
    enum audit_kind kind;
    uint64_t at; // when it was, Unix time in ms
    enum audit_end end;
    const char *text; // why
    // Of a session, and its `how` counts for nothing but `by_us` and `word`.
    struct account account;
};

// Sets w->failed when it does not fit. Texts are cut.
void audit_record_write(struct writer *w, const struct audit_record *record);
// Texts stay in the bytes that are read. False, and r->failed, when it is none.
bool audit_record_read(struct reader *r, struct audit_record *out);

#endif
