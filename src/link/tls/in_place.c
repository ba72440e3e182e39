// SPDX-License-Identifier: GPL-2.0-or-later
// Records are built where they are sent from and opened where they came to lie. wolfSSL has a buffer for either, into and
// out of which every byte would be copied once more; for as long as a call lasts, these point into ours. Between calls
// they are its own again, since ours move, and it never sees one of them as a buffer that it has to free.
#include "link/tls/internal.h"

#include <string.h>
#include <wolfssl/internal.h>

enum { WORTH_MIN = 1024 }; // bytes: less is copied as fast

static void set(bufferStatic *buffer, uint8_t *bytes, size_t size)
{
    buffer->buffer = bytes;
    buffer->bufferSize = (word32)size;
}

static bool is_lent(const bufferStatic *buffer)
{
    return buffer->buffer != buffer->staticBuffer && !buffer->dynamicFlag;
}

static void lend_room(struct tls *tls)
{
    size_t size;
    uint8_t *room = cipher_buffer_room(&tls->output, TLS_RECORD_MAX, &size);
    set(&tls->ssl->buffers.outputBuffer, room, size);
}

void tls_in_place_begin_output(struct tls *tls)
{
    const bufferStatic *out = &tls->ssl->buffers.outputBuffer;
    if (out->length == 0 && !out->dynamicFlag)
        lend_room(tls);
}

bool tls_in_place_output(struct tls *tls, const void *bytes, size_t len)
{
    bool lent = is_lent(&tls->ssl->buffers.outputBuffer);
    if (!cipher_buffer_append(&tls->output, bytes, len))
        return false;
    if (lent)
        lend_room(tls); // for the record after it
    return true;
}

void tls_in_place_end_output(struct tls *tls)
{
    bufferStatic *out = &tls->ssl->buffers.outputBuffer;
    if (is_lent(out))
        set(out, out->staticBuffer, sizeof out->staticBuffer);
}

const uint8_t *tls_in_place_content(const struct tls *tls)
{
    const bufferStatic *out = &tls->ssl->buffers.outputBuffer;
    return is_lent(out) && out->length == 0 ? out->buffer + TLS_RECORD_HEADER : NULL;
}

bool tls_in_place_input(struct tls *tls, const void *room, const uint8_t *bytes, size_t len)
{
    bufferStatic *in = &tls->ssl->buffers.inputBuffer;
    if (!tls->established || len < WORTH_MIN || len > sizeof in->staticBuffer)
        return false;
    if (in->length > 0 || in->dynamicFlag || room != in->buffer)
        return false;
    set(in, (uint8_t *)bytes, len);
    return true;
}

// What is left of a record stays at its place, which the library has noted.
void tls_in_place_end_input(struct tls *tls)
{
    bufferStatic *in = &tls->ssl->buffers.inputBuffer;
    if (!is_lent(in))
        return;
    if (in->idx < in->length)
        memcpy(in->staticBuffer, in->buffer, in->length);
    set(in, in->staticBuffer, sizeof in->staticBuffer);
}
