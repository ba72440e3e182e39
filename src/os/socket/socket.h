// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets: non-blocking, close-on-exec, with the options we use set in one place.
#ifndef OS_SOCKET_SOCKET_H
#define OS_SOCKET_SOCKET_H

#include "base/address.h"
#include "base/fault.h"

#include <stdint.h>

// Each returns a descriptor, or -1 with errno (the faulting forms leave a sentence).
// These two also at an address that this host does not have yet, which the log then says.
int socket_listen(const struct endpoint *at, int backlog, struct fault *fault); // v6 sockets are v6 only
int socket_bound_datagram(const struct endpoint *at, struct fault *fault);      // the same, for UDP
int socket_stream(uint8_t version);                                             // TCP
int socket_datagram(uint8_t version);                                           // UDP, with error queue reporting on
int socket_raw_icmp(uint8_t version); // echo replies and errors only (ICMP_FILTER / ICMP6_FILTER); needs CAP_NET_RAW

// Where sockets go from: an address of this host for each IP version; version 0: as the kernel chooses.
struct socket_source {
    struct address v4, v6;
};

// That for sockets of an IP version; NULL: as the kernel chooses.
const struct address *socket_source_of(const struct socket_source *source, uint8_t version);
// Takes the address, at a port that the kernel chooses. False with errno.
bool socket_bind(int fd, const struct address *from);
// The same for a TCP socket that is to connect, which takes its port only then: so each far end has all ports to itself.
bool socket_bind_stream(int fd, const struct address *from);

// Begins to connect: 0 done, 1 in progress, -1 with errno.
int socket_connect(int fd, const struct endpoint *to);
int socket_error(int fd); // SO_ERROR, cleared

void socket_set_nodelay(int fd);
void socket_set_notsent_lowat(int fd, uint32_t bytes); // TCP_NOTSENT_LOWAT
// Room for all that may be on its way, of which the kernel's own bound (tcp_wmem, 4 MiB) is a part only: a socket is told to
// be writable when a third of it is free, so a sender whose flight fills two thirds would run dry each time, which bbr
// takes for a lack of data: it never ends its start-up, and holds the path's queue full. Takes memory only as it is used.
// Without CAP_NET_ADMIN nothing changes.
void socket_set_send_buffer(int fd);
// TCP_CONGESTION by name; false when the kernel lacks it. "auto", for a connected socket, goes by its path: cubic on a near
// one, where bbr's pacing costs up to a third of the rate; bbr on a far one, where cubic comes down to a thirtieth at a
// loss of half a percent (doc/PERFORMANCE.md).
bool socket_set_congestion(int fd, const char *name);
// What a connection gets that asks for none, by what the system is set to.
enum { SOCKET_CONGESTION_SIZE = 17 }; // 16 bytes at most (TCP_CA_NAME_MAX), and their end
bool socket_usual_congestion(char name[SOCKET_CONGESTION_SIZE]);
// Whether the kernel has it, loading its module if root asks; nobody else can know. "auto" it always has.
bool socket_has_congestion(const char *name);
bool socket_set_mark(int fd, uint32_t mark); // SO_MARK
// Whatever the routes prefer, it goes by that interface; where it has no way there, nowhere. Anybody may (Linux 5.7).
bool socket_bind_to_device(int fd, unsigned ifindex);
// TCP_USER_TIMEOUT, with keep-alives well inside it, and with pauses between retransmissions that stay short, so that a
// path that is back is found at once (where the kernel can: Linux 6.15).
void socket_set_user_timeout(int fd, uint32_t ms);
// From now on a close is a RST instead of a FIN (SO_LINGER 0), also the kernel's own when this process dies: what was cut
// off never looks like an end.
void socket_set_reset_on_close(int fd);
void socket_close_reset(int fd);    // with RST
void socket_close_in_order(int fd); // with FIN
bool socket_local(int fd, struct endpoint *out);
bool socket_peer(int fd, struct endpoint *out);
// The address of this host by which a packet with that mark would leave for `to` now. False when there is no way.
bool socket_source_to(const struct endpoint *to, uint32_t mark, struct address *out);
// Whether the kernel would let a socket have that address now; true also when it cannot be asked.
bool socket_may_bind(const struct address *addr);
bool socket_is_unacknowledged(int fd); // some of what a TCP socket has sent is (TCP_INFO)
uint32_t socket_rtt_usec(int fd);      // smoothed round trip of a TCP socket (TCP_INFO), 0 when unknown

#endif
