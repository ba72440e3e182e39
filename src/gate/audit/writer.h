// SPDX-License-Identifier: GPL-2.0-or-later
// The process that writes the audit file: a disk that is slow, full or broken stops it and nobody else. It has nothing but the
// file and a socket, from which whole lines come, some in each packet; what became of each packet goes back. When the other
// end has gone it writes what there still is, and ends.
#ifndef GATE_AUDIT_WRITER_H
#define GATE_AUDIT_WRITER_H

#include <stdint.h>

#define AUDIT_WRITER_COMMAND "audit-writer"

enum {
    AUDIT_WRITER_FD = 3, // the socket, SOCK_SEQPACKET
    AUDIT_PACKET_MAX = 65536,
};

struct audit_written {
    uint32_t lines, lost; // of the packet
    int32_t error;        // errno of what is wrong; 0: nothing
};

// `gate` is its name, for lines that the writer makes itself.
int audit_writer_main(const char *path, const char *gate);

#endif
