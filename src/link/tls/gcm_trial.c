// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/tls/gcm_trial.h"

#include "base/memory.h"
#include "link/tls/internal.h"
#include "link/tls/loan.h"
#include "os/random.h"

#include <stdlib.h>
#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>

enum {
    NONCE_SIZE = 12, // RFC 8446 section 5.3
    TAG_SIZE = 16,
    KEY_MAX = 32,
    PROBE_SIZE = CHUNK_SIZE + 1, // what a full record holds: data and its type
};

// The same record by wolfSSL itself (INVALID_DEVID) and by the device.
static bool seal_probe(int device, word32 key_len, const uint8_t *random, const uint8_t *in, uint8_t *out, size_t len)
{
    Aes aes;
    bool good = wc_AesInit(&aes, NULL, device) == 0 && wc_AesGcmSetKey(&aes, random, key_len) == 0 &&
                wc_AesGcmEncrypt(&aes, out, in, (word32)len, random + KEY_MAX, NONCE_SIZE, out + len, TAG_SIZE, random,
                                 TLS_RECORD_HEADER) == 0;
    wc_AesFree(&aes);
    return good;
}

// A record with nothing in it but its type.
static bool seal_lent_probe(int device, word32 key_len, const uint8_t *random, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    out[len - 1] = random[len - 1];
    tls_loan_give(random, len - 1);
    return seal_probe(device, key_len, random, out, out, len) && !tls_loan_end();
}

static bool open_probe(int device, word32 key_len, const uint8_t *random, uint8_t *sealed, size_t len)
{
    Aes aes;
    bool good = wc_AesInit(&aes, NULL, device) == 0 && wc_AesGcmSetKey(&aes, random, key_len) == 0 &&
                wc_AesGcmDecrypt(&aes, sealed, sealed, (word32)len, random + KEY_MAX, NONCE_SIZE, sealed + len,
                                 TAG_SIZE, random, TLS_RECORD_HEADER) == 0;
    wc_AesFree(&aes);
    return good;
}

// What all make of random records; on the heap, since a worker lives on after this and every page counts.
struct trial {
    uint8_t random[PROBE_SIZE], theirs[PROBE_SIZE + TAG_SIZE], ours[PROBE_SIZE + TAG_SIZE];
};

static bool agrees_on(struct trial *trial, int device, word32 key_len, size_t len)
{
    trial->random[len - 1] = TLS_APPLICATION_DATA;
    if (!seal_probe(INVALID_DEVID, key_len, trial->random, trial->random, trial->theirs, len) ||
        !seal_lent_probe(device, key_len, trial->random, trial->ours, len) ||
        memcmp(trial->theirs, trial->ours, len + TAG_SIZE) != 0 ||
        !seal_probe(device, key_len, trial->random, trial->random, trial->ours, len) ||
        memcmp(trial->theirs, trial->ours, len + TAG_SIZE) != 0 ||
        !open_probe(device, key_len, trial->random, trial->ours, len) || memcmp(trial->ours, trial->random, len) != 0)
        return false;
    trial->theirs[len] ^= 1;
    return !open_probe(device, key_len, trial->random, trial->theirs, len);
}

bool tls_gcm_trial(int device)
{
    static const size_t lens[] = {2, 15, 16, 17, 255, 1024, 4097, PROBE_SIZE};
    struct trial *trial = memory_new(sizeof *trial);
    bool good = true;
    random_fill(trial->random, sizeof trial->random);
    for (size_t i = 0; good && i < 2 * sizeof lens / sizeof lens[0]; i++)
        good = agrees_on(trial, device, i % 2 ? KEY_MAX : 16, lens[i / 2]);
    free(trial);
    return good;
}
