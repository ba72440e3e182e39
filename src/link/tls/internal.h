// SPDX-License-Identifier: GPL-2.0-or-later
// What the files of link/tls/ share. Nothing else includes this: it is where wolfSSL begins.
#ifndef LINK_TLS_INTERNAL_H
#define LINK_TLS_INTERNAL_H

#include "base/chunk.h"
#include "link/tls/certificate.h"
#include "link/tls/cipher_buffer.h"
#include "link/tls/tls.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#if !defined(WOLFSSL_TLS13) || !defined(HAVE_CRL) || !defined(HAVE_ALPN) || !defined(HAVE_SNI)
#error "wolfSSL lacks TLS 1.3, CRL, ALPN or SNI: build it with src/link/tls/wolfssl/user_settings.h"
#endif
#ifndef WOLFSSL_ALWAYS_VERIFY_CB
#error "wolfSSL must be built with WOLFSSL_ALWAYS_VERIFY_CB, or the peer's chain never reaches our own checks"
#endif
#if defined(OPENSSL_EXTRA) || defined(OPENSSL_COMPATIBLE_DEFAULTS)
#error "wolfSSL's OpenSSL compatibility changes what is verified and how; build it without"
#endif

enum {
    TLS_RECORD_HEADER = 5,     // RFC 8446 section 5.1
    TLS_APPLICATION_DATA = 23, // the same
    TLS_REASON_SIZE = 512,
    TLS_CHAIN_MAX = 4,                 // certificates a peer may send: its own and three authorities above it
    TLS_RECORD_MAX = CHUNK_SIZE + 256, // bytes of a record: data and what protection may add (RFC 8446 section 5.2)
};

struct tls_identity {
    unsigned uses; // by its owner, and by connections
    WOLFSSL_CTX *ctx;
    enum tls_role role;
    bool allow_tls12;
    struct blob ca;                  // one behind another in DER, kept for the clean stores of the second check
    struct blob crl;                 // the same; empty when there is none
    char *files[TLS_CREDENTIALS];    // NULL: not known
    usec_t expires[TLS_CREDENTIALS]; // the first of several; USEC_NEVER when there is none
    usec_t earliest;                 // it is later by now: an authority signed then, or we were built
};

struct tls {
    WOLFSSL *ssl;
    struct tls_identity *identity; // NULL for the attacker of the self-test
    enum tls_role role;
    bool is_set;                // the peer's certificate has this digest, or is refused:
    uint8_t peer_digest[32];    // SHA-256
    char wanted[TLS_NAME_SIZE]; // what the peer's certificate must carry; "" when any name will do
    struct cipher_buffer input;
    struct cipher_buffer output;
    size_t record_left;   // bytes of the record being handed to the library
    size_t turn_left;     // bytes it may still take within the current call
    size_t barren;        // bytes it has taken since it last gave plaintext
    size_t shaken;        // bytes it has taken for the handshake
    bool established;     // the handshake is done and the peer has passed every check
    bool confirmed;       // portal: the gate has accepted us
    bool lends;           // content of records is sealed from where it lies
    bool alpn;            // usher/1 was agreed, or `lane`
    bool going_on;        // `lane`
    char lane[48];        // what a connection that goes on is called; "": this one does not
    bool closing;         // close_notify is sent
    bool failed;          // `reason` says why
    bool untrusted;       // and it would again
    bool library_content; // with the peer's chain
    bool peer_verified;   // by the second check; without it no handshake is done
    int verify_error;     // what the library found wrong with the peer's chain, or 0
    char reason[TLS_REASON_SIZE];
    char peer_name[TLS_NAME_SIZE];
    char peer_serial[TLS_SERIAL_SIZE];
    usec_t peer_expires;
    struct blob peer_chain; // in DER, its own certificate first; for tls_peer_is_trusted
};

// "gate" or "portal", as seen from `tls`.
const char *tls_peer_role(const struct tls *tls);
// Marks it as failed with one sentence; the first one stays. Always false.
bool tls_fail(struct tls *tls, const char *format, ...) __attribute__((format(printf, 2, 3)));

// in_place.c. Around each call that writes records, and what take_output does with one; false when it does not fit.
void tls_in_place_begin_output(struct tls *tls);
bool tls_in_place_output(struct tls *tls, const void *bytes, size_t len);
void tls_in_place_end_output(struct tls *tls);
// Where the content of the next record will lie. What the library is given there it copies nowhere. NULL: it has no such place.
const uint8_t *tls_in_place_content(const struct tls *tls);
// Whether `len` bytes of the input, all that was asked for, need not be copied to `room`; then, after the call that reads.
bool tls_in_place_input(struct tls *tls, const void *room, const uint8_t *bytes, size_t len);
void tls_in_place_end_input(struct tls *tls);

// connection.c: a connection in `ctx`, for tls_new and the self-test.
struct tls *tls_open(WOLFSSL_CTX *ctx, enum tls_role role);

// store.c: fills a certificate manager with the authorities and the revocation lists of `identity`, and nothing
// else. `at_fault` is TLS_CA or TLS_CRL when that fails.
bool tls_store_fill(WOLFSSL_CERT_MANAGER *store, const struct tls_identity *identity, enum tls_credential *at_fault,
                    struct fault *fault);

// The same for the store of `ctx`, whatever the dates of the authorities: for a clock that was never set. Nobody is let in
// by that one alone: peer.c fills its own.
bool tls_store_fill_undated(WOLFSSL_CTX *ctx, const struct tls_identity *identity, enum tls_credential *at_fault,
                            struct fault *fault);

// peer.c: the verify callback of every context.
int tls_peer_verify(int preverify, WOLFSSL_X509_STORE_CTX *store);

// reason.c: sentences for what the library found.
void tls_reason_chain(struct tls *tls, int error, const struct certificate *certificate);
bool tls_reason_library(struct tls *tls, int error);
// For the end of such a sentence: "has expired"; what a certificate lacks that is not for the peer's role. The first lasts
// until it is called again.
const char *tls_reason_word(int error);
#define TLS_KINDS "ECDSA on P-256, P-384 or P-521, RSA of 2048 to 4096 bits, Ed25519 and Ed448"
// " FILE", or nothing.
#define TLS_FILE_SIZE 260
const char *tls_reason_file(const struct tls_identity *identity, enum tls_credential which, char room[TLS_FILE_SIZE]);
#define TLS_DATE_SIZE 32
const char *tls_reason_date(usec_t at, char room[TLS_DATE_SIZE]);
const char *tls_reason_purpose(const struct tls *tls);

// clone.c: a certificate that looks like the authority `ca` (subject, key id and signature bytes are its own) but
// holds a fresh key, and that key. Both DER, of the caller's.
struct tls_clone {
    uint8_t *certificate;
    size_t certificate_len;
    uint8_t *key;
    size_t key_len;
};
bool tls_clone_forge(struct tls_clone *out, const struct certificate *ca);
void tls_clone_free(struct tls_clone *clone);

// selftest.c: a handshake in memory with a clone of each authority; all must be refused for their signature.
bool tls_selftest(struct tls_identity *identity, struct fault *fault);

#endif
