// SPDX-License-Identifier: GPL-2.0-or-later
// Framing only: what a record means is receive.c's. A callback may reset any session at any point in here, so the target
// of an UsherSend is looked at afresh for every run of bytes, and a body is never touched once the engine has stopped.
#include "usher/intake.h"

#include "base/memory.h"
#include "usher/engine_internal.h"
#include "usher/receive.h"

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

void intake_forget(struct intake *intake, const struct usher_session *session)
{
    if (intake->target == session)
        intake->target = NULL;
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
}

static void take_head(struct usher_engine *engine, struct slice *in)
{
    struct intake *intake = &engine->intake;
    uint32_t len = at_most(in->len, USHER_HEADER_SIZE - intake->head_len);
    memcpy(intake->head + intake->head_len, in->bytes, len);
    intake->head_len = (uint8_t)(intake->head_len + len);
    advance(in, len);
    if (intake->head_len < USHER_HEADER_SIZE)
        return;
    if (!record_header_decode(&intake->header, intake->head)) {
        engine_protocol_error(engine, "bad record header");
        return;
    }
    intake->in_body = true;
    intake->left = intake->header.length;
    if (intake->header.type == RECORD_SEND)
        intake->target = receive_send_header(engine, &intake->header);
}

static void take_data(struct usher_engine *engine, struct slice *in)
{
    struct intake *intake = &engine->intake;
    struct slice run = {.chunk = in->chunk, .bytes = in->bytes, .len = at_most(in->len, intake->left)};
    intake->left -= run.len;
    advance(in, run.len);
    if (intake->target && run.len > 0)
        receive_send_bytes(intake->target, &run);
    if (intake->left == 0)
        record_done(intake);
}

static void take_record(struct usher_engine *engine, const uint8_t *body)
{
    struct record_header header = engine->intake.header;
    record_done(&engine->intake);
    receive_record(engine, &header, body);
}

static void gather(struct usher_engine *engine, struct slice *in)
{
    struct intake *intake = &engine->intake;
    uint32_t len = at_most(in->len, intake->left);
    if (!intake->gathered)
        intake->gathered = memory_new(USHER_BODY_MAX);
    memcpy(intake->gathered + (intake->header.length - intake->left), in->bytes, len);
    intake->left -= len;
    advance(in, len);
    if (intake->left == 0)
        take_record(engine, intake->gathered);
}

static void take_body(struct usher_engine *engine, struct slice *in)
{
    struct intake *intake = &engine->intake;
    const uint8_t *body = in->bytes;
    if (intake->header.type == RECORD_SEND) {
        take_data(engine, in);
    } else if (intake->left == intake->header.length && in->len >= intake->left) {
        advance(in, intake->left);
        take_record(engine, body);
    } else {
        gather(engine, in);
    }
}

// A record without a body is complete with its header, also when nothing follows.
static bool can_go_on(const struct intake *intake, const struct slice *in)
{
    return in->len > 0 || (intake->in_body && intake->left == 0);
}

void intake_feed(struct usher_engine *engine, struct slice in)
{
    struct intake *intake = &engine->intake;
    while (engine->status == USHER_RUNNING && can_go_on(intake, &in)) {
        if (intake->in_body)
            take_body(engine, &in);
        else
            take_head(engine, &in);
    }
    if (intake->since == USEC_NEVER && (intake->in_body || intake->head_len > 0))
        intake->since = engine->now;
}
