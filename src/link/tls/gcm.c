// SPDX-License-Identifier: GPL-2.0-or-later
// AES-GCM for records on processors with VAES in 512 bits. wolfSSL's assembly takes one block per instruction, that of
// libIPSec_MB four: 27 GB/s against 6.6, where AES was a quarter of all a busy tunnel does. Only sealing and opening
// records goes this way. Nonces, keys, and what a record that does not open means stay with wolfSSL, whose own code does
// it wherever this one cannot; and it must have been seen to do the same. Only this one seals what lies elsewhere than in
// the record: it takes the content in pieces, and the type behind it is one.
#include "link/tls/gcm.h"

#include "link/tls/gcm_trial.h"
#include "link/tls/internal.h"
#include "link/tls/loan.h"

#ifdef USHER_IPSEC_MB

#include <intel-ipsec-mb.h>
#include <string.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/cryptocb.h>

enum {
    DEVICE = 0x75736872, // any number: wolfSSL knows its devices by one
    SCHEDULES = 4,       // keys of two connections, one of which may be on its way out
    NONCE_SIZE = 12,     // RFC 8446 section 5.3
    TAG_SIZE = 16,
    KEY_MAX = 32,
    SWEEP_USES = 1 << 16, // records between two looks for keys that are not used any more
};

// A key made ready. wolfSSL tells nobody when a key goes, so they are found by what they are, and wiped when they have not
// been used for a while (after a key update, RFC 8446 section 7.2) or any connection has ended: making one ready again
// takes a fraction of a microsecond.
struct schedule {
    _Alignas(64) struct gcm_key_data data; // the library's header leaves this to its user
    uint8_t key[KEY_MAX];
    word32 len; // of the key; 0: none
    uint32_t used;
};

// What is used of the library. Its manager holds queues for 200 KiB besides, so that goes as soon as it has named them.
static struct functions {
    aes_gcm_pre_t make_ready_128, make_ready_256;
    aes_gcm_enc_dec_t seal_128, seal_256, open_128, open_256;
    aes_gcm_init_t begin_128, begin_256;
    aes_gcm_enc_dec_update_t piece_128, piece_256;
    aes_gcm_enc_dec_finalize_t end_128, end_256;
} functions;
static bool is_in_use;
static struct schedule schedules[SCHEDULES];
static uint32_t uses;

// Takes equally long wherever they differ.
static bool is_equal(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

static void make_ready(struct schedule *schedule, const void *key, word32 len)
{
    memcpy(schedule->key, key, len);
    schedule->len = len;
    if (len == 16)
        functions.make_ready_128(schedule->key, &schedule->data);
    else
        functions.make_ready_256(schedule->key, &schedule->data);
}

static void sweep(void)
{
    for (int i = 0; i < SCHEDULES; i++) {
        if (uses - schedules[i].used > SWEEP_USES)
            explicit_bzero(&schedules[i], sizeof schedules[i]);
    }
}

// NULL for a key of another length.
static const struct schedule *schedule_of(Aes *aes)
{
    word32 len = 0;
    struct schedule *oldest = &schedules[0];
    if (wc_AesGetKeySize(aes, &len) != 0 || (len != 16 && len != KEY_MAX))
        return NULL;
    if (++uses % SWEEP_USES == 0)
        sweep();
    for (int i = 0; i < SCHEDULES; i++) {
        struct schedule *schedule = &schedules[i];
        if (schedule->len == len && is_equal(schedule->key, aes->devKey, len)) {
            schedule->used = uses;
            return schedule;
        }
        if (schedule->used < oldest->used)
            oldest = schedule;
    }
    make_ready(oldest, aes->devKey, len);
    oldest->used = uses;
    return oldest;
}

// What both directions have in common, which wolfSSL gives two types with the same names.
struct record {
    Aes *aes;
    byte *out;
    const byte *in;
    word32 len;
    const byte *nonce;
    word32 nonce_len;
    const byte *added;
    word32 added_len;
    word32 tag_len;
};

#define RECORD(request)                                                                                                \
    {                                                                                                                  \
        .aes = (request).aes, .out = (request).out, .in = (request).in, .len = (request).sz, .nonce = (request).iv,    \
        .nonce_len = (request).ivSz, .added = (request).authIn, .added_len = (request).authInSz,                       \
        .tag_len = (request).authTagSz                                                                                 \
    }

// `tag` is what it must be. CRYPTOCB_UNAVAILABLE sends wolfSSL to its own code.
static int run(const struct record *record, bool seal, uint8_t tag[TAG_SIZE])
{
    _Alignas(64) struct gcm_context_data context;
    const struct schedule *schedule = schedule_of(record->aes);
    if (!schedule || record->len == 0 || record->nonce_len != NONCE_SIZE || record->tag_len != TAG_SIZE)
        return CRYPTOCB_UNAVAILABLE;
    aes_gcm_enc_dec_t step = schedule->len == 16 ? (seal ? functions.seal_128 : functions.open_128)
                                                 : (seal ? functions.seal_256 : functions.open_256);
    step(&schedule->data, &context, record->out, record->in, record->len, record->nonce, record->added,
         record->added_len, tag, TAG_SIZE);
    explicit_bzero(&context, sizeof context);
    return 0;
}

static bool is_application_data(const struct record *record)
{
    return record->len > 0 && record->in[record->len - 1] == TLS_APPLICATION_DATA;
}

// The content comes from where it was lent, its type from the record. Never CRYPTOCB_UNAVAILABLE: wolfSSL would seal what
// happens to lie in the record.
static int seal_lent(const struct record *record, uint8_t tag[TAG_SIZE])
{
    _Alignas(64) struct gcm_context_data context;
    const struct schedule *schedule = schedule_of(record->aes);
    bool fits = schedule && record->nonce_len == NONCE_SIZE && record->tag_len == TAG_SIZE;
    word32 len = record->len - 1;
    const uint8_t *content = fits ? tls_loan_take(len) : NULL;
    if (!content)
        return WC_HW_E;
    bool is_128 = schedule->len == 16;
    (is_128 ? functions.begin_128 : functions.begin_256)(&schedule->data, &context, record->nonce, record->added,
                                                         record->added_len);
    aes_gcm_enc_dec_update_t piece = is_128 ? functions.piece_128 : functions.piece_256;
    uint8_t type = record->in[len];
    piece(&schedule->data, &context, record->out, content, len);
    piece(&schedule->data, &context, record->out + len, &type, 1);
    (is_128 ? functions.end_128 : functions.end_256)(&schedule->data, &context, tag, TAG_SIZE);
    explicit_bzero(&context, sizeof context);
    return 0;
}

static int encrypt(wc_CryptoInfo *info)
{
    const struct record record = RECORD(info->cipher.aesgcm_enc);
    uint8_t *tag = info->cipher.aesgcm_enc.authTag;
    return tls_loan_waits() && is_application_data(&record) ? seal_lent(&record, tag) : run(&record, true, tag);
}

static int decrypt(wc_CryptoInfo *info)
{
    const struct record record = RECORD(info->cipher.aesgcm_dec);
    uint8_t tag[TAG_SIZE];
    int result = run(&record, false, tag);
    if (result != 0 || is_equal(tag, info->cipher.aesgcm_dec.authTag, TAG_SIZE))
        return result;
    explicit_bzero(record.out, record.len); // nobody may see what nobody vouches for
    return AES_GCM_AUTH_E;
}

static int on_request(int device, wc_CryptoInfo *info, void *context)
{
    (void)device;
    (void)context;
    if (info->algo_type != WC_ALGO_TYPE_CIPHER || info->cipher.type != WC_CIPHER_AES_GCM)
        return CRYPTOCB_UNAVAILABLE;
    return info->cipher.enc ? encrypt(info) : decrypt(info);
}

// Whether this processor has what makes it worth while; then `functions` are set.
static bool find_functions(void)
{
    const uint64_t wanted = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_CPUFLAGS_AVX512;
    IMB_MGR *manager = alloc_mb_mgr(0);
    bool found = manager && (manager->features & wanted) == wanted;
    if (found) {
        init_mb_mgr_avx512(manager);
        found = imb_get_errno(manager) == 0;
        functions = (struct functions){
            .make_ready_128 = manager->gcm128_pre,
            .make_ready_256 = manager->gcm256_pre,
            .seal_128 = manager->gcm128_enc,
            .seal_256 = manager->gcm256_enc,
            .open_128 = manager->gcm128_dec,
            .open_256 = manager->gcm256_dec,
            .begin_128 = manager->gcm128_init,
            .begin_256 = manager->gcm256_init,
            .piece_128 = manager->gcm128_enc_update,
            .piece_256 = manager->gcm256_enc_update,
            .end_128 = manager->gcm128_enc_finalize,
            .end_256 = manager->gcm256_enc_finalize,
        };
    }
    if (manager)
        free_mb_mgr(manager);
    return found;
}

void tls_gcm_start(void)
{
    if (is_in_use || !find_functions())
        return;
    is_in_use = wc_CryptoCb_RegisterDevice(DEVICE, on_request, NULL) == 0 && tls_gcm_trial(DEVICE);
    tls_gcm_forget();
    if (!is_in_use)
        wc_CryptoCb_UnRegisterDevice(DEVICE);
}

int tls_gcm_device(void)
{
    return is_in_use ? DEVICE : INVALID_DEVID;
}

void tls_gcm_forget(void)
{
    explicit_bzero(schedules, sizeof schedules);
}

const char *tls_gcm_name(void)
{
    return is_in_use ? "libIPSec_MB" : "wolfSSL";
}

#else

void tls_gcm_start(void)
{
}

int tls_gcm_device(void)
{
    return INVALID_DEVID;
}

void tls_gcm_forget(void)
{
}

const char *tls_gcm_name(void)
{
    return "wolfSSL";
}

#endif
