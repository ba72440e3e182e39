// SPDX-License-Identifier: GPL-2.0-or-later
// A connection as a memory pump. wolfSSL reads from `input` and writes to `output` through two callbacks that never
// block and never give WANT_WRITE. Invariants: the library sees whole record headers that were judged first; within one
// call it takes a bounded number of bytes; what it is fed without ever yielding plaintext is bounded too.
#include "link/tls/internal.h"

#include "base/address.h"
#include "base/chunk.h"
#include "base/memory.h"
#include "link/tls/client_hello.h"
#include "link/tls/gcm.h"
#include "link/tls/loan.h"
#include "os/heap.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wolfssl/internal.h>

enum {
    RECORD_PROTECTED_MIN = 17, // a content type and a tag of 16 bytes
    CHANGE_CIPHER_SPEC = 20,
    INPUT_LIMIT = 256 * 1024,                          // one recv(2) of a fast link
    OUTPUT_LIMIT = TLS_BATCH_MAX + 4 * TLS_RECORD_MAX, // and what the library writes of its own accord
    LEND_MIN = 4096,                                   // bytes; less is copied as fast as it is lent
    TURN_MAX = 64 * 1024,                              // bytes that one call may take: about 3 ms of empty records
    BARREN_MAX = 1024 * 1024,   // bytes without plaintext: nobody honest sends 38,000 key updates in a row
    HANDSHAKE_MAX = 128 * 1024, // bytes: four certificates of the largest keys fit many times over
};

static const char protocol[] = "usher/1";

// Judges the header of the next record before the library may see it. A protected record without room for a content
// type makes some versions read far outside their buffer (CVE-2024-0901), before anybody is authenticated.
static bool open_record(struct tls *tls)
{
    size_t len;
    const uint8_t *head = cipher_buffer_bytes(&tls->input, &len);
    if (len < TLS_RECORD_HEADER)
        return false;
    size_t body = (size_t)head[3] << 8 | head[4];
    bool known = head[0] >= CHANGE_CIPHER_SPEC && head[0] <= TLS_APPLICATION_DATA && head[1] == 3;
    if (!known) {
        tls->untrusted = true;
        return tls_fail(tls, "the %s does not speak TLS", tls_peer_role(tls));
    }
    if (body > TLS_RECORD_MAX || body == 0 || (head[0] == TLS_APPLICATION_DATA && body < RECORD_PROTECTED_MIN))
        return tls_fail(tls, "the %s sent a TLS record of %zu bytes, which cannot be", tls_peer_role(tls), body);
    tls->record_left = TLS_RECORD_HEADER + body;
    return true;
}

static int give_input(WOLFSSL *ssl, char *room, int size, void *context)
{
    struct tls *tls = context;
    size_t len;
    (void)ssl;
    if (tls->record_left == 0 && !open_record(tls))
        return tls->failed ? WOLFSSL_CBIO_ERR_GENERAL : WOLFSSL_CBIO_ERR_WANT_READ;
    const uint8_t *bytes = cipher_buffer_bytes(&tls->input, &len);
    len = len < (size_t)size ? len : (size_t)size;
    len = len < tls->record_left ? len : tls->record_left;
    len = len < tls->turn_left ? len : tls->turn_left;
    if (len == 0)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    if (len < (size_t)size || !tls_in_place_input(tls, room, bytes, len))
        memcpy(room, bytes, len);
    cipher_buffer_taken(&tls->input, len);
    tls->record_left -= len;
    tls->turn_left -= len;
    tls->barren += len;
    return (int)len;
}

static int take_output(WOLFSSL *ssl, char *bytes, int size, void *context)
{
    struct tls *tls = context;
    (void)ssl;
    if (tls_in_place_output(tls, bytes, (size_t)size))
        return size;
    // Only answers to the peer can come to this (key updates): records of ours were given room before.
    tls_fail(tls, "the %s provokes answers and does not read them", tls_peer_role(tls));
    return WOLFSSL_CBIO_ERR_GENERAL;
}

struct tls *tls_open(WOLFSSL_CTX *ctx, enum tls_role role)
{
    struct tls *tls = memory_new(sizeof(*tls));
    tls->role = role;
    cipher_buffer_init(&tls->input, INPUT_LIMIT);
    cipher_buffer_init(&tls->output, OUTPUT_LIMIT);
    tls->ssl = wolfSSL_new(ctx);
    if (!tls->ssl) {
        tls_free(tls);
        return NULL;
    }
    wolfSSL_SSLSetIORecv(tls->ssl, give_input);
    wolfSSL_SSLSetIOSend(tls->ssl, take_output);
    wolfSSL_SetIOReadCtx(tls->ssl, tls);
    wolfSSL_SetIOWriteCtx(tls->ssl, tls);
    wolfSSL_SetCertCbCtx(tls->ssl, tls);
    return tls;
}

// The name goes out in clear for balancers on the way; addresses are no server names (RFC 6066 section 3).
static bool ask_for_name(struct tls *tls)
{
    struct address addr;
    return !tls->wanted[0] || tls->role != TLS_PORTAL || address_parse(&addr, tls->wanted) ||
           wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, tls->wanted, (unsigned short)strlen(tls->wanted)) ==
               WOLFSSL_SUCCESS;
}

struct tls *tls_new(struct tls_identity *identity, const char *peer_name, struct fault *fault)
{
    if (peer_name && (peer_name[0] == '\0' || strlen(peer_name) >= TLS_NAME_SIZE)) {
        fault_set(fault, "the name of a peer has 1 to %d bytes", TLS_NAME_SIZE - 1);
        return NULL;
    }
    struct tls *tls = tls_open(identity->ctx, identity->role);
    if (!tls) {
        fault_set(fault, "wolfSSL cannot make a connection (out of memory or randomness)");
        return NULL;
    }
    tls->identity = identity;
    identity->uses++;
    if (peer_name)
        strcpy(tls->wanted, peer_name);
    if (wolfSSL_UseALPN(tls->ssl, (char *)protocol, sizeof(protocol) - 1, WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
            WOLFSSL_SUCCESS &&
        ask_for_name(tls))
        return tls;
    fault_set(fault, "wolfSSL cannot ask for %s", tls->wanted[0] ? tls->wanted : protocol);
    tls_free(tls);
    return NULL;
}

// wolfSSL puts what it is told later before what it knows.
bool tls_set_ticket(struct tls *tls, const uint8_t number[TLS_TICKET_SIZE])
{
    char *at = tls->lane + sprintf(tls->lane, "%s", CLIENT_HELLO_LANE);
    for (size_t i = 0; i < TLS_TICKET_SIZE; i++)
        at += sprintf(at, "%02x", number[i]);
    return wolfSSL_UseALPN(tls->ssl, tls->lane, (unsigned)strlen(tls->lane), WOLFSSL_ALPN_FAILED_ON_MISMATCH) ==
           WOLFSSL_SUCCESS;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->ssl)
        wolfSSL_free(tls->ssl);
    tls_gcm_forget();
    cipher_buffer_fini(&tls->input);
    cipher_buffer_fini(&tls->output);
    blob_wipe(&tls->peer_chain);
    tls_identity_free(tls->identity);
    free(tls);
}

static bool version_is_allowed(const struct tls *tls)
{
    const char *version = wolfSSL_get_version(tls->ssl);
    return strcmp(version, "TLSv1.3") == 0 ||
           (tls->identity && tls->identity->allow_tls12 && strcmp(version, "TLSv1.2") == 0);
}

// What was agreed, asked of the library once more rather than trusted to its options.
static bool check_agreement(struct tls *tls)
{
    const char *cipher = wolfSSL_get_cipher(tls->ssl);
    if (!cipher || (!strstr(cipher, "GCM") && !strstr(cipher, "CHACHA20")))
        return tls_fail(tls, "the cipher %s was agreed, which is not accepted", cipher ? cipher : "(none)");
    if (!version_is_allowed(tls))
        return tls_fail(tls, "%s was agreed, which is not accepted", wolfSSL_get_version(tls->ssl));
    if (wolfSSL_session_reused(tls->ssl))
        return tls_fail(tls, "an earlier session was resumed, which is not accepted");
    if (tls->identity && !tls->peer_verified)
        return tls_fail(tls, "the %s's certificate was not checked", tls_peer_role(tls));
    char *name = NULL;
    unsigned short len = 0;
    bool agreed = wolfSSL_ALPN_GetProtocol(tls->ssl, &name, &len) == WOLFSSL_SUCCESS;
    tls->going_on = agreed && len == strlen(tls->lane) && memcmp(name, tls->lane, len) == 0;
    tls->alpn = tls->going_on || (agreed && len == sizeof(protocol) - 1 && memcmp(name, protocol, len) == 0);
    return true;
}

static enum tls_result settle(struct tls *tls, int error)
{
    if (tls->failed)
        return TLS_FAILED;
    if (error == WOLFSSL_ERROR_WANT_READ)
        return TLS_AGAIN;
    if (error == WOLFSSL_ERROR_ZERO_RETURN)
        return TLS_CLOSED;
    tls_reason_library(tls, error);
    return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls *tls)
{
    if (tls->failed)
        return TLS_FAILED;
    assert(!tls->established);
    tls->turn_left = TURN_MAX;
    int done = tls->role == TLS_GATE ? wolfSSL_accept(tls->ssl) : wolfSSL_connect(tls->ssl);
    tls->shaken += TURN_MAX - tls->turn_left;
    if (tls->shaken > HANDSHAKE_MAX)
        tls_fail(tls, "the %s's handshake is longer than %d bytes", tls_peer_role(tls), HANDSHAKE_MAX);
    if (done != WOLFSSL_SUCCESS || tls->failed)
        return settle(tls, wolfSSL_get_error(tls->ssl, done));
    if (!check_agreement(tls)) {
        tls->untrusted = true;
        return TLS_FAILED;
    }
    tls->established = true;
    tls->lends = tls_gcm_device() != INVALID_DEVID && strstr(wolfSSL_get_cipher(tls->ssl), "GCM") &&
                 strcmp(wolfSSL_get_version(tls->ssl), "TLSv1.3") == 0;
    // In TLS 1.2 the gate's Finished comes after it has judged us.
    tls->confirmed = strcmp(wolfSSL_get_version(tls->ssl), "TLSv1.3") != 0;
    tls->barren = 0;
    return TLS_OK;
}

enum tls_result tls_read(struct tls *tls, uint8_t *room, size_t size, size_t *len)
{
    *len = 0;
    if (tls->failed)
        return TLS_FAILED;
    assert(tls->established && size >= CHUNK_SIZE);
    tls->turn_left = TURN_MAX;
    int got = wolfSSL_read(tls->ssl, room, (int)size);
    tls_in_place_end_input(tls);
    if (got > 0) {
        tls->confirmed = true;
        tls->barren = 0;
        *len = (size_t)got;
        return TLS_OK;
    }
    if (tls->barren > BARREN_MAX)
        tls_fail(tls, "the %s sent %zu bytes of records without data", tls_peer_role(tls), tls->barren);
    enum tls_result result = settle(tls, wolfSSL_get_error(tls->ssl, got));
    if (result == TLS_AGAIN && tls->barren > 0 && tls->record_left == 0)
        tls->confirmed = true;
    return result;
}

static int write_record(struct tls *tls, const uint8_t *bytes, size_t len)
{
    tls_in_place_begin_output(tls);
    const uint8_t *place = tls->lends && len >= LEND_MIN ? tls_in_place_content(tls) : NULL;
    if (place)
        tls_loan_give(bytes, len);
    int put = wolfSSL_write(tls->ssl, place ? place : bytes, (int)len);
    tls_in_place_end_output(tls);
    bool waits = place && tls_loan_end();
    assert(!waits || put <= 0); // else what was sealed is what happened to lie there
    return put;
}

enum tls_result tls_write(struct tls *tls, const uint8_t *bytes, size_t len)
{
    assert(tls->failed || (tls->established && len <= TLS_BATCH_MAX));
    while (len > 0 && !tls->failed) {
        size_t piece = len < CHUNK_SIZE ? len : CHUNK_SIZE;
        int put = write_record(tls, bytes, piece);
        if (put != (int)piece && settle(tls, wolfSSL_get_error(tls->ssl, put)) != TLS_FAILED)
            tls_fail(tls, "wolfSSL wrote %d of %zu bytes", put, piece);
        bytes += piece;
        len -= piece;
    }
    return tls->failed ? TLS_FAILED : TLS_OK;
}

void tls_confirm(struct tls *tls)
{
    assert(tls->role == TLS_GATE && tls->established);
    if (strcmp(wolfSSL_get_version(tls->ssl), "TLSv1.3") != 0)
        return;
    int result = wolfSSL_update_keys(tls->ssl);
    if (result != WOLFSSL_SUCCESS)
        tls_reason_library(tls, wolfSSL_get_error(tls->ssl, result));
}

bool tls_is_confirmed(const struct tls *tls)
{
    return tls->confirmed;
}

void tls_close_notify(struct tls *tls)
{
    if (!tls->failed && tls->established && !tls->closing)
        wolfSSL_shutdown(tls->ssl);
    tls->closing = true;
}

uint8_t *tls_input_room(struct tls *tls, size_t *size)
{
    return cipher_buffer_room(&tls->input, INPUT_LIMIT, size);
}

void tls_input_added(struct tls *tls, size_t len)
{
    cipher_buffer_added(&tls->input, len);
}

bool tls_input_is_waiting(const struct tls *tls)
{
    size_t least = tls->record_left == 0 ? TLS_RECORD_HEADER : 1;
    return !tls->failed && cipher_buffer_len(&tls->input) >= least;
}

const uint8_t *tls_output(struct tls *tls, size_t *len)
{
    return cipher_buffer_bytes(&tls->output, len);
}

void tls_output_taken(struct tls *tls, size_t len)
{
    cipher_buffer_taken(&tls->output, len);
}

size_t tls_output_room(const struct tls *tls, size_t limit)
{
    assert(limit <= TLS_BATCH_MAX);
    size_t used = cipher_buffer_len(&tls->output);
    return used < limit ? (limit - used) / TLS_RECORD_MAX * CHUNK_SIZE : 0;
}

// Room for a whole record each, of which an idle connection needs none.
static void trim_library(WOLFSSL *ssl)
{
    bufferStatic *in = &ssl->buffers.inputBuffer, *out = &ssl->buffers.outputBuffer;
    if (in->idx == in->length && !in->dynamicFlag && ssl->buffers.clearOutputBuffer.length == 0)
        heap_pages_forget(in->staticBuffer, sizeof in->staticBuffer);
    if (out->length == 0 && !out->dynamicFlag)
        heap_pages_forget(out->staticBuffer, sizeof out->staticBuffer);
}

void tls_trim(struct tls *tls)
{
    if (tls->established)
        trim_library(tls->ssl);
    cipher_buffer_trim(&tls->input);
    cipher_buffer_trim(&tls->output);
}

void tls_retire(struct tls *tls)
{
    tls->failed = true;
    cipher_buffer_fini(&tls->input);
    cipher_buffer_fini(&tls->output);
}

const char *tls_reason(const struct tls *tls)
{
    return tls->reason;
}

bool tls_is_untrusted(const struct tls *tls)
{
    return tls->untrusted;
}

const char *tls_peer_name(const struct tls *tls)
{
    return tls->peer_name;
}

const char *tls_peer_serial(const struct tls *tls)
{
    return tls->peer_serial;
}

usec_t tls_peer_expires(const struct tls *tls)
{
    return tls->peer_expires;
}

const char *tls_cipher(const struct tls *tls)
{
    return wolfSSL_get_cipher(tls->ssl);
}

bool tls_alpn_agreed(const struct tls *tls)
{
    return tls->alpn;
}

bool tls_is_going_on(const struct tls *tls)
{
    return tls->going_on;
}
