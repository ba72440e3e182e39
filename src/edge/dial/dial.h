// SPDX-License-Identifier: GPL-2.0-or-later
// Dial: sessions that the peer opens become real connections. Every open and every datagram is judged, after
// resolution, and the very address that was judged is the one connected to.
#ifndef EDGE_DIAL_DIAL_H
#define EDGE_DIAL_DIAL_H

#include "edge/dial/config.h"
#include "edge/edge.h"

#include <uv.h>

struct dial;

struct dial *dial_new(uv_loop_t *loop, const struct dial_config *config);
// The exit that it is; frees it when it is stopped. Its time is CLOCK_MONOTONIC, as libuv's own.
struct edge *dial_edge(struct dial *dial);

// The judge has other rules: each flow is judged anew, by what was asked for and by where it goes, and reset if it would be
// refused now. Returns how many were.
uint32_t dial_judge_again(struct dial *dial);

const struct dial_counters *dial_counters(const struct dial *dial);

#endif
