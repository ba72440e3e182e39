// SPDX-License-Identifier: GPL-2.0-or-later
// Chance that a seed repeats exactly (splitmix64), and the keyed byte streams that flows carry: every byte is known from
// its flow, direction and offset, so a byte that is lost, doubled, moved or delivered to a wrong flow shows at once.
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

// 0 .. bound - 1
static inline uint64_t below(struct chance *chance, uint64_t bound)
{
    chance->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(chance->state) % bound;
}

static inline bool percent(struct chance *chance, unsigned of_hundred)
{
    return below(chance, 100) < of_hundred;
}

static inline uint8_t stream_byte(uint64_t key, uint64_t offset)
{
    return (uint8_t)(mix(key * UINT64_C(0x9e3779b97f4a7c15) + offset / 8) >> offset % 8 * 8);
}

static inline void stream_write(uint8_t *room, size_t len, uint64_t key, uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        room[i] = stream_byte(key, offset + i);
}

static inline bool stream_is(const uint8_t *bytes, size_t len, uint64_t key, uint64_t offset)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != stream_byte(key, offset + i))
            return false;
    return true;
}

#endif
