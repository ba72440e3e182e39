// SPDX-License-Identifier: GPL-2.0-or-later
// An engine and a hostile peer. The input is a list of steps: bytes for the engine as they are, records that are well
// formed but meant badly, and things that the edge does in between. Whatever comes, the engine keeps its contract: every
// session has its last word once, no more is held than was granted, and nothing is left in memory.
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t room[CHUNK_SIZE];

// A record with a header that is right: the fuzzer need not find lengths by itself. Ids are few, so that they meet.
static void feed_record(struct model *model, uint8_t type, uint8_t id, const uint8_t *body, size_t len)
{
    uint8_t head[USHER_HEADER_SIZE];
    struct writer w = writer_over(head, sizeof head);
    writer_u32(&w, (uint32_t)len);
    writer_u16(&w, (uint16_t)(type % 8 == 0 ? RECORD_OPEN_REPLY : type % 8));
    writer_u16(&w, id % 16);
    model_feed(model, head, sizeof head);
    model_feed(model, body, len);
}

// Data of a length that the input need not contain.
static void feed_much_data(struct model *model, uint8_t id, uint8_t how)
{
    static const uint8_t bytes[USHER_BODY_MAX];
    feed_record(model, RECORD_SEND, id, bytes, 1 + (size_t)how * 256);
}

static void pass_time(struct model *model, uint8_t how)
{
    model->now += (usec_t)how * how * USEC_PER_MSEC;
    if (model->now >= usher_engine_deadline(model->engine))
        usher_engine_tick(model->engine, model->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(data, size);
    struct model model;
    uint8_t config = reader_u8(&r);
    model_init(&model, config & 64, config);
    while (reader_left(&r) >= 4) {
        uint8_t step = reader_u8(&r);
        uint8_t a = reader_u8(&r);
        uint8_t b = reader_u8(&r);
        size_t len = b < reader_left(&r) ? b : reader_left(&r);
        switch (step % 8) {
        case 0:
            model_feed(&model, reader_bytes(&r, len), len);
            break;
        case 1:
        case 2:
            feed_record(&model, step / 8, a, reader_bytes(&r, len), len);
            break;
        case 3:
            feed_much_data(&model, a, b);
            break;
        case 4:
            model_pull(&model, room, a & 1 ? sizeof room : (size_t)USHER_PULL_MIN + b);
            break;
        case 5:
            pass_time(&model, b);
            break;
        default:
            model_act(&model, step / 8, a, b);
        }
    }
    model_fini(&model);
    return 0;
}
