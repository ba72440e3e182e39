// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/names/framed.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 2 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t names_framed_next(const struct names_framed *framed, const uint8_t *message, size_t len, uint8_t *room,
                         size_t size)
{
    size_t put = 0;
    const uint8_t length[LENGTH_SIZE] = {(uint8_t)(len >> 8), (uint8_t)len};
    for (; put < size && framed->sent + put < LENGTH_SIZE; put++)
        room[put] = length[framed->sent + put];
    size_t at = framed->sent + put - LENGTH_SIZE;
    if (put == size || framed->sent + put < LENGTH_SIZE)
        return put;
    size_t more = least(size - put, len - at);
    memcpy(room + put, message + at, more);
    return put + more;
}

size_t names_framed_len(const struct names_framed *framed)
{
    return (size_t)(framed->length[0] << 8 | framed->length[1]);
}

bool names_framed_take(struct names_framed *framed, const uint8_t *bytes, size_t len)
{
    for (; len > 0 && framed->got < LENGTH_SIZE; len--)
        framed->length[framed->got++] = *bytes++;
    if (framed->got < LENGTH_SIZE)
        return false;
    size_t whole = names_framed_len(framed), at = framed->got - LENGTH_SIZE;
    size_t more = least(len, whole - at);
    if (!framed->answer)
        framed->answer = memory_new(whole + 1);
    memcpy(framed->answer + at, bytes, more);
    framed->got += more;
    return at + more == whole;
}

void names_framed_fini(struct names_framed *framed)
{
    free(framed->answer);
}
