// SPDX-License-Identifier: GPL-2.0-or-later
// Two engines that talk to one another while the input says what their edges do and how the bytes are cut. Neither may
// ever find fault with the other.
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIPE_SIZE = 1 << 20 };

struct pipe {
    uint8_t bytes[PIPE_SIZE];
    size_t from;
    size_t to;
};

static struct pipe pipes[2]; // [i]: what model i has said

static void pull(struct model *model, struct pipe *pipe, size_t size)
{
    if (pipe->from == pipe->to)
        pipe->from = pipe->to = 0;
    if (pipe->to + size <= PIPE_SIZE)
        pipe->to += model_pull(model, pipe->bytes + pipe->to, size);
}

static void push(struct model *model, struct pipe *pipe, size_t len)
{
    if (len > pipe->to - pipe->from)
        len = pipe->to - pipe->from;
    require(model_feed(model, pipe->bytes + pipe->from, len) == USHER_RUNNING);
    pipe->from += len;
}

static void step(struct model models[2], uint8_t what, uint8_t a, uint8_t b)
{
    int i = what & 1;
    switch (what / 2 % 4) {
    case 0:
        pull(&models[i], &pipes[i], a & 1 ? CHUNK_SIZE : USHER_PULL_MIN + (size_t)b * 16);
        break;
    case 1:
        push(&models[i], &pipes[1 - i], 1 + (size_t)a * b);
        break;
    default:
        model_act(&models[i], what / 8, a, b);
    }
}

// All that is under way arrives, and the answers to it.
static void settle(struct model models[2])
{
    while (usher_engine_has_work(models[0].engine) || usher_engine_has_work(models[1].engine) ||
           pipes[0].from < pipes[0].to || pipes[1].from < pipes[1].to)
        for (int i = 0; i < 2; i++) {
            pull(&models[i], &pipes[i], CHUNK_SIZE);
            push(&models[1 - i], &pipes[i], PIPE_SIZE);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_over(data, size);
    struct model models[2];
    uint8_t config = reader_u8(&r);
    pipes[0].from = pipes[0].to = pipes[1].from = pipes[1].to = 0;
    for (int i = 0; i < 2; i++)
        model_init(&models[i], i == 1, config);
    while (reader_left(&r) >= 3) {
        uint8_t what = reader_u8(&r);
        uint8_t a = reader_u8(&r);
        step(models, what, a, reader_u8(&r));
    }
    settle(models);
    for (int i = 0; i < 2; i++)
        model_fini(&models[i]);
    return 0;
}
