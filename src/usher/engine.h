// SPDX-License-Identifier: GPL-2.0-or-later
// The protocol as a machine without I/O: bytes and `now` go in, bytes and events come out. Both programs, the unit
// tests, the simulator and the fuzzers drive this one face:
//
//     feed      bytes from the peer
//     pull      bytes for the peer, into the caller's room; back-pressure is the absence of a call
//     deadline  when `tick` must be called next
//     tick      time passed
//
// Order on the wire: control records (UsherOpen, UsherOpenReply, UsherAck, UsherClose, UsherRST) before data; data by
// deficit round robin, new and sparse sessions first. Every queue inside is bounded: control by one pending record of
// a kind per session, data by the callers' own buffers, datagrams by USHER_DATAGRAM_QUEUE.
#ifndef USHER_ENGINE_H
#define USHER_ENGINE_H

#include "base/chunk.h"
#include "base/clock.h"
#include "usher/config.h"
#include "usher/counters.h"
#include "usher/session.h"

// NULL only when the configuration is out of its bounds. Time starts at `now`.
struct usher_engine *usher_engine_new(const struct usher_engine_config *config, const struct usher_engine_ops *ops,
                                      void *owner, usec_t now);
// Every session left gets `ended(USHER_ENDED_LOST)` first.
void usher_engine_free(struct usher_engine *engine);

// Takes all of `in` (borrowed; sessions keep what they need by reference). A protocol error queues UsherEnd and yields
// USHER_ENDING; what follows it is not read.
enum usher_status usher_engine_feed(struct usher_engine *engine, const struct slice *in, usec_t now);
// Writes records into `room`, as many as fit, and returns the bytes written; 0 when there is nothing to send. Only a
// datagram may be cut where the room ends: the next pull begins with its rest. `size` is at least USHER_PULL_MIN; data comes
// in records as long as it allows, so each read of a socket is.
size_t usher_engine_pull(struct usher_engine *engine, uint8_t *room, size_t size, usec_t now);
// Whether a pull would give anything.
bool usher_engine_has_work(const struct usher_engine *engine);
// Whether a session that is new or sparse has data waiting or had within the last few milliseconds: the tunnel keeps
// its batches small then.
bool usher_engine_is_interactive(const struct usher_engine *engine, usec_t now);

usec_t usher_engine_deadline(const struct usher_engine *engine);
// Heartbeat, the peer's silence (USHER_ENDING with a reason), and trimming.
enum usher_status usher_engine_tick(struct usher_engine *engine, usec_t now);

// Another link carries it on: what is fed goes on with the first record that was not taken (doc/PROTOCOL.md section 10),
// and what waits for the peer waits anew.
void usher_engine_resumed(struct usher_engine *engine, usec_t now);
// Records of the peer that were taken.
uint64_t usher_engine_taken(const struct usher_engine *engine);
// Where not even room for all that waits is left: the rest of a datagram that was cut, and confirmations. As pull else.
size_t usher_engine_pull_confirmation(struct usher_engine *engine, uint8_t *room, size_t size, usec_t now);
// Whether a confirmation is due.
bool usher_engine_has_confirmation(const struct usher_engine *engine);

// Ends the tunnel in order: every session ends as LOST, UsherEnd with `reason` goes out.
void usher_engine_end(struct usher_engine *engine, const char *reason);
// Sessions may be opened.
bool usher_engine_is_running(const struct usher_engine *engine);
// As it was configured.
bool usher_engine_is_extended(const struct usher_engine *engine);
// Why the tunnel ended, by whom; "" while it runs. Peer text in it is unescaped.
const char *usher_engine_reason(const struct usher_engine *engine);

const struct usher_counters *usher_engine_counters(const struct usher_engine *engine);
uint32_t usher_engine_sessions(const struct usher_engine *engine);
// Bytes of credit that all sessions were given beyond USHER_WINDOW_START.
uint64_t usher_engine_window_used(const struct usher_engine *engine);

#endif
