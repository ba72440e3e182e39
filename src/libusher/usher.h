// SPDX-License-Identifier: GPL-2.0-or-later
// libusher: connections through an Usher gate for programs, without a TUN device and without privilege. See libusher(3).
//
//     char why[USHER_WHY_SIZE];
//     usher_t *usher = usher_connect("branch", 10000, why, sizeof why);
//     int fd = usher_open_tcp(usher, "db.corp.example", 5432, -1);
//     ... read, write, poll, shutdown and close it like any socket ...
//     usher_close(usher);
//
// Every function may be called from any thread. The library writes to no file, changes no signal's action, raises none and
// ends no process; it has one thread of its own while something is connected.
#ifndef USHER_H
#define USHER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct usher usher_t;

#define USHER_WHY_SIZE 512 // bytes of any sentence that says why, with its NUL

// A tunnel of one's own to the gate of a portal's configuration: NAME of /etc/usher/NAME.conf, or a file. Waits for the gate
// as long as `timeout_ms`, or for ever if that is negative. A connection that is lost later is a pause for what is open, and a
// tunnel that is lost comes back by itself. NULL when there is none: errno is EINVAL for a configuration with mistakes, EACCES
// when one end has refused the other, ETIMEDOUT, or what else went wrong, and `why` (which may be NULL) has the sentence.
usher_t *usher_connect(const char *name_or_file, int timeout_ms, char *why, size_t why_size);
// The tunnel of a portal that is running on this host: NAME or its file, as in usher-tun(8). Only root and the user who
// started it may. NULL with errno and `why`.
usher_t *usher_attach(const char *name_or_file, int timeout_ms, char *why, size_t why_size);

// Opens a connection, or an association, to an address or to a name, which the gate resolves; waits as usher_connect does.
// Returns a descriptor, the caller's to close; -1 with errno as connect(2) has it (ECONNREFUSED, EHOSTUNREACH, ENETUNREACH,
// ETIMEDOUT; EACCES when the gate's rules deny it; ENETDOWN when the tunnel of usher_connect was lost and is not back in time,
// for the reason that usher_why has; EINVAL when it is no host and port; ECANCELED by usher_close).
// That of UDP takes and gives one datagram a call and, other than one of the kernel's, ends when the far side does.
int usher_open_tcp(usher_t *usher, const char *host, uint16_t port, int timeout_ms);
int usher_open_udp(usher_t *usher, const char *host, uint16_t port, int timeout_ms);

// Why the last call of this thread that failed did; "" when none has.
const char *usher_why(void);

// Ends it: what is being opened fails, the tunnel of usher_connect goes, and what was opened through that reads as reset.
// The descriptors stay the caller's to close. NULL is fine; no other call may be made with `usher` from here on.
void usher_close(usher_t *usher);

const char *usher_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
