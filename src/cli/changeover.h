// SPDX-License-Identifier: GPL-2.0-or-later
// When a tunnel is to be left for one that is made with a newer certificate of ours, before the one that it was made with is out
// of date and the other end cuts it.
#ifndef CLI_CHANGEOVER_H
#define CLI_CHANGEOVER_H

#include "base/clock.h"

#include <uv.h>

struct changeover;

// `due` is called once for each tunnel.
struct changeover *changeover_new(uv_loop_t *loop, void (*due)(void *owner), void *owner);
void changeover_free(struct changeover *changeover);
// The tunnel that is up has shown a certificate of ours that is good until then.
void changeover_tunnel(struct changeover *changeover, usec_t until);
// The one that is shown from now on is good until then.
void changeover_certificate(struct changeover *changeover, usec_t until);

#endif
