// SPDX-License-Identifier: GPL-2.0-or-later
// Framing only: what a record means is receive.c's. A session may go between any two pieces, so the target of an UsherSend
// is looked at afresh for every run of bytes.
#include "usher/intake.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void intake_init(struct intake *intake)
{
    *intake = (struct intake){.since = USEC_NEVER};
}

void intake_fini(struct intake *intake)
{
    free(intake->gathered);
}

void intake_aim(struct intake *intake, struct usher_session *session)
{
    intake->target = session;
}

void intake_forget(struct intake *intake, const struct usher_session *session)
{
    if (intake->target == session)
        intake->target = NULL;
}

void intake_begin_again(struct intake *intake)
{
    if (intake->in_body && intake->header.type == RECORD_SEND) {
        uint32_t len = intake->header.length - intake->left;
        memcpy(intake->again, intake->head, sizeof intake->again);
        // A link that broke within what was skipped brought less of it than the one before.
        intake->again_len = len > intake->again_len ? len : intake->again_len;
        intake->is_again = true;
    }
    intake->in_body = false;
    intake->head_len = 0;
    intake->since = USEC_NEVER;
}

usec_t intake_deadline(const struct intake *intake)
{
    return intake->since == USEC_NEVER ? USEC_NEVER : intake->since + INTAKE_RECORD_TIMEOUT;
}

void intake_trim(struct intake *intake)
{
    bool in_use = intake->in_body && intake->header.type != RECORD_SEND;
    if (in_use)
        return;
    free(intake->gathered);
    intake->gathered = NULL;
}

static uint32_t at_most(uint32_t len, uint32_t bound)
{
    return len < bound ? len : bound;
}

static void advance(struct slice *in, uint32_t len)
{
    in->bytes += len;
    in->len -= len;
}

static void record_done(struct intake *intake)
{
    intake->in_body = false;
    intake->head_len = 0;
    intake->target = NULL;
    intake->since = USEC_NEVER;
    intake->is_again = false;
    intake->again_len = 0;
    intake->taken++;
}

static enum intake_what take_head(struct intake *intake, struct slice *in, struct intake_piece *piece)
{
    uint32_t len = at_most(in->len, USHER_HEADER_SIZE - intake->head_len);
    memcpy(intake->head + intake->head_len, in->bytes, len);
    intake->head_len = (uint8_t)(intake->head_len + len);
    advance(in, len);
    if (intake->head_len < USHER_HEADER_SIZE)
        return INTAKE_NOTHING;
    if (!record_header_decode(&intake->header, intake->head))
        return INTAKE_BROKEN;
    if (intake->is_again && memcmp(intake->again, intake->head, sizeof intake->again))
        return INTAKE_BROKEN;
    intake->in_body = true;
    intake->left = intake->header.length;
    if (intake->is_again)
        return INTAKE_NOTHING; // whose it is was asked the first time
    if (intake->header.type != RECORD_SEND)
        return INTAKE_NOTHING;
    piece->header = intake->header;
    return INTAKE_SEND;
}

// What was handed over the first time.
static void skip_again(struct intake *intake, struct slice *in)
{
    uint32_t known = intake->header.length - intake->left;
    uint32_t len = known < intake->again_len ? at_most(in->len, intake->again_len - known) : 0;
    intake->left -= len;
    advance(in, len);
}

static enum intake_what take_data(struct intake *intake, struct slice *in, struct intake_piece *piece)
{
    skip_again(intake, in);
    piece->target = intake->target;
    piece->bytes = (struct slice){.chunk = in->chunk, .bytes = in->bytes, .len = at_most(in->len, intake->left)};
    intake->left -= piece->bytes.len;
    advance(in, piece->bytes.len);
    if (intake->left == 0)
        record_done(intake);
    return piece->target && piece->bytes.len > 0 ? INTAKE_BYTES : INTAKE_NOTHING;
}

static enum intake_what take_record(struct intake *intake, const uint8_t *body, struct intake_piece *piece)
{
    piece->header = intake->header;
    piece->body = body;
    record_done(intake);
    return INTAKE_RECORD;
}

static enum intake_what gather(struct intake *intake, struct slice *in, struct intake_piece *piece)
{
    uint32_t len = at_most(in->len, intake->left);
    if (!intake->gathered)
        intake->gathered = memory_new(USHER_BODY_MAX);
    memcpy(intake->gathered + (intake->header.length - intake->left), in->bytes, len);
    intake->left -= len;
    advance(in, len);
    return intake->left == 0 ? take_record(intake, intake->gathered, piece) : INTAKE_NOTHING;
}

static enum intake_what take_body(struct intake *intake, struct slice *in, struct intake_piece *piece)
{
    const uint8_t *body = in->bytes;
    if (intake->header.type == RECORD_SEND)
        return take_data(intake, in, piece);
    if (intake->left != intake->header.length || in->len < intake->left)
        return gather(intake, in, piece);
    advance(in, intake->left);
    return take_record(intake, body, piece);
}

// A record without a body is complete with its header, also when nothing follows.
static bool can_go_on(const struct intake *intake, const struct slice *in)
{
    return in->len > 0 || (intake->in_body && intake->left == 0);
}

enum intake_what intake_next(struct intake *intake, struct slice *in, struct intake_piece *piece, usec_t now)
{
    enum intake_what what = INTAKE_NOTHING;
    while (what == INTAKE_NOTHING && can_go_on(intake, in))
        what = intake->in_body ? take_body(intake, in, piece) : take_head(intake, in, piece);
    if (what == INTAKE_NOTHING && intake->since == USEC_NEVER && (intake->in_body || intake->head_len > 0))
        intake->since = now;
    return what;
}
