// SPDX-License-Identifier: GPL-2.0-or-later
// The control session of one end, as far as it matters here: both agree to confirm, and say that the tunnel is to be left.
#ifndef SIM_TALK_H
#define SIM_TALK_H

#include "usher/control.h"
#include "usher/engine.h"

struct talk {
    struct usher_session *session; // NULL: none, or not any more
    struct control_reader reader;
    uint8_t out[64]; // to be said
    size_t out_len;
    bool asked; // the other end wants what is new to go elsewhere
    bool left;  // the other end opens nothing here any more
};

void talk_open(struct talk *talk, struct usher_engine *engine);
void talk_adopt(struct talk *talk, struct usher_session *session);
void talk_drain(struct talk *talk, bool left);

#endif
