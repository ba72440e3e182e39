// SPDX-License-Identifier: GPL-2.0-or-later
// Capture: what is routed into the TUN device becomes sessions that we open. TCP goes through the stack, UDP and ICMP
// echo are handled packet by packet; fragments of UDP are put together first.
#ifndef EDGE_CAPTURE_CAPTURE_H
#define EDGE_CAPTURE_CAPTURE_H

#include "base/facts.h"
#include "base/fault.h"
#include "edge/capture/config.h"
#include "edge/edge.h"
#include "os/tun/tun.h"

#include <uv.h>

struct capture;

// `tun` is borrowed for the life of the capture.
struct capture *capture_new(uv_loop_t *loop, const struct tun *tun, const struct capture_config *config,
                            struct fault *fault);
// The entrance that it is; frees it when it is stopped.
struct edge *capture_edge(struct capture *capture);

// The device was deleted under us: nothing is captured until it is back. A turn is asked for when it is. Flows stay: what
// the device does not take in the meantime is lost as on any network.
bool capture_is_gone(const struct capture *capture);
// It is there again, behind the same descriptor (tun_make_again).
void capture_device_back(struct capture *capture);
// Less is routed here than before: TCP flows to what `covers` denies are reset.
// What has no connections ends by itself.
void capture_withdraw(struct capture *capture, capture_covers *covers, void *owner);
const struct capture_counters *capture_counters(const struct capture *capture);

#endif
