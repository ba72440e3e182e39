// SPDX-License-Identifier: GPL-2.0-or-later
// TLS by wolfSSL as a memory pump: ciphertext in and out of our own bounded buffers, no descriptor, no WANT_WRITE. What
// the library needs to be kept safe (doc/DESIGN.md, security floor) is done here and nowhere else.
#ifndef LINK_TLS_TLS_H
#define LINK_TLS_TLS_H

#include "base/clock.h"
#include "base/facts.h"
#include "base/fault.h"
#include "os/file/secret.h"

#include <stddef.h>
#include <stdint.h>

struct tls_identity; // CA, certificate, key, CRL: what both ends of a configuration hold
struct tls;          // one connection

enum tls_role { TLS_PORTAL, TLS_GATE };

enum {
    TLS_NAME_SIZE = 256,
    TLS_SERIAL_SIZE = 64,
    TLS_TICKET_SIZE = 16,       // bytes
    TLS_BATCH_MAX = 256 * 1024, // bytes of ciphertext that may be gathered for one send
};

// The texts that make an identity, to say which of them is at fault.
enum tls_credential { TLS_CA, TLS_CERTIFICATE, TLS_KEY, TLS_CRL, TLS_CREDENTIALS };

// PEM texts, or DER; `crl` may be NULL. Without `key`, which a judge may not have, or without `certificate` as well, the rest is
// judged, and the identity is of no use for a connection. Borrowed during the call only.
struct tls_material {
    const uint8_t *ca, *certificate, *key, *crl;
    size_t ca_len, certificate_len, key_len, crl_len;
    const char *files[TLS_CREDENTIALS]; // for sentences; NULL: not known, or none
    enum tls_role role;
    bool allow_tls12;
};

// Whether the text of a key wants a passphrase, by what stands around it.
bool tls_key_is_locked(const uint8_t *text, size_t len);
enum tls_unlocked { TLS_UNLOCKED, TLS_WRONG_PASSPHRASE, TLS_NOT_UNLOCKED };
// `out` is what a tls_material takes in its place, and a secret. The fault says why it is none: "Key: ".
typedef enum tls_unlocked tls_key_opener(struct blob *out, const struct blob *text, const struct blob *passphrase,
                                         struct fault *fault);
tls_key_opener tls_key_unlock;

// Once per process, before anything else and before fork. False when the library is older than the floor or was built
// in a way we refuse.
bool tls_library_start(struct fault *fault);
const char *tls_library_version(void);
const char *tls_library_aes(void); // the library that encrypts records on this processor

// Parses and checks everything (key matches certificate, certificate carries our own EKU, CRL is by the CA and in date)
// and proves that a forged clone of the CA is refused. NULL with a fault when not; `at_fault` then says which of the texts
// is wrong, or TLS_CERTIFICATE when it is none of them.
struct tls_identity *tls_identity_new(const struct tls_material *material, enum tls_credential *at_fault,
                                      struct fault *fault);
// One more owner; each frees it.
struct tls_identity *tls_identity_keep(struct tls_identity *identity);
// The last one wipes it. Connections that it was used for are owners, too.
void tls_identity_free(struct tls_identity *identity);
// When each of TLS_CREDENTIALS is out of date, and of several in one text the first: Unix time, microseconds; USEC_NEVER of
// what is not there, and of the key.
const usec_t *tls_identity_expires(const struct tls_identity *identity);

// False when the clock shows less than what has been signed by others already: it was never set, and nobody's dates can be
// judged. `why` then says so, in words that stay the same while the clock goes on.
bool tls_identity_may_judge(const struct tls_identity *identity, usec_t wall, struct fault *why);

// Whether a revocation list may take the place of the one `before`: of no authority does it hold an older one, by number or
// by date. What cannot be parsed may; making an identity of it tells. Texts as in struct tls_material.
bool tls_list_may_follow(const struct blob *before, const struct blob *list, struct fault *why);

// `peer_name`: what the peer's certificate must carry (portals); NULL for gates, which learn the name.
struct tls *tls_new(struct tls_identity *identity, const char *peer_name, struct fault *fault);
void tls_free(struct tls *tls);
// Before the handshake: this connection is to carry on the tunnel that a peer knows by this number (doc/PROTOCOL.md section
// 11). A portal offers that, and a new tunnel as well; a gate agrees to nothing else. False when the library cannot.
bool tls_set_ticket(struct tls *tls, const uint8_t number[TLS_TICKET_SIZE]);
// Before the handshake: nobody else is let in than who was at the other end of that established connection, by the hash of
// his certificate.
void tls_set_peer(struct tls *tls, const struct tls *before);

enum tls_result {
    TLS_OK,     // made progress; for tls_read: plaintext was written
    TLS_AGAIN,  // needs more ciphertext from the peer
    TLS_CLOSED, // the peer sent close_notify
    TLS_FAILED, // see tls_reason
};

// Drives the handshake with what is in the input buffer; TLS_OK once it is done and the peer has passed every check of
// ours (chain on a clean store, CRL, EKU, names, TLS version, cipher).
enum tls_result tls_handshake(struct tls *tls);
// Decrypts into `room` (of at least CHUNK_SIZE); at most one record's plaintext a call.
enum tls_result tls_read(struct tls *tls, uint8_t *room, size_t size, size_t *len);
// Encrypts all of `bytes` into the output buffer, which must have tls_output_room for it.
enum tls_result tls_write(struct tls *tls, const uint8_t *bytes, size_t len);
void tls_close_notify(struct tls *tls);

// In TLS 1.3 the portal is done before the gate has judged its certificate. So a gate says that it is content, by a key
// update, which any peer understands; a portal hears it in whatever comes first and is no alert.
void tls_confirm(struct tls *tls);
bool tls_is_confirmed(const struct tls *tls);

// Ciphertext. Input: room to receive into, then how much was received. Output: what to send, then how much was sent.
uint8_t *tls_input_room(struct tls *tls, size_t *size);
void tls_input_added(struct tls *tls, size_t len);
// After TLS_AGAIN: whether it has enough input to go on by itself (a call takes a bounded number of bytes).
bool tls_input_is_waiting(const struct tls *tls);
const uint8_t *tls_output(struct tls *tls, size_t *len);
void tls_output_taken(struct tls *tls, size_t len);
// Bytes of plaintext that fit within `limit` bytes of ciphertext (at most TLS_BATCH_MAX), in whole records of CHUNK_SIZE.
size_t tls_output_room(const struct tls *tls, size_t limit);
// Gives buffer memory back while idle.
void tls_trim(struct tls *tls);
// Nothing comes or goes any more; who the peer was stays known.
void tls_retire(struct tls *tls);

const char *tls_reason(const struct tls *tls); // why it failed: one sentence, peer text escaped
// Whether it failed for what one of the ends is or has (certificate, version, cipher), and not by a mishap on the way:
// another attempt would end the same.
bool tls_is_untrusted(const struct tls *tls);
const char *tls_peer_name(const struct tls *tls); // first DNS SAN, else CN
const char *tls_peer_serial(const struct tls *tls);
usec_t tls_peer_expires(const struct tls *tls); // Unix time, microseconds
// Whether the peer of an established connection would be let in now, by `identity`, which may be one without a key.
bool tls_peer_is_trusted(const struct tls *tls, struct tls_identity *identity, struct fault *why);
// Whether the holder of a certificate (DER) would be let in by a gate with this `identity`, which may be one without a key. The
// name that it would be known by, and its serial number.
bool tls_certificate_is_trusted(struct tls_identity *identity, const uint8_t *der, size_t len, char name[TLS_NAME_SIZE],
                                char serial[TLS_SERIAL_SIZE], struct fault *why);
const char *tls_cipher(const struct tls *tls);
void tls_describe(const struct tls *tls, struct facts *facts); // who the peer is
bool tls_alpn_agreed(const struct tls *tls);                   // usher/1, or to go on with a tunnel
bool tls_is_going_on(const struct tls *tls);                   // that one

#endif
