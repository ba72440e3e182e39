// SPDX-License-Identifier: GPL-2.0-or-later
// Sentences an operator can act on, for what wolfSSL and the peer say in numbers.
#include "link/tls/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *tls_peer_role(const struct tls *tls)
{
    return tls->role == TLS_PORTAL ? "gate" : "portal";
}

bool tls_fail(struct tls *tls, const char *format, ...)
{
    if (!tls->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(tls->reason, sizeof(tls->reason), format, args);
        va_end(args);
        tls->failed = true;
    }
    return false;
}

struct word {
    int code;
    const char *text;
};

static const char *look_up(const struct word *words, size_t count, int code)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].code == code)
            return words[i].text;
    }
    return NULL;
}
#define LOOK_UP(words, code) look_up(words, sizeof(words) / sizeof(words[0]), code)

static const struct word findings[] = {
    {ASN_BEFORE_DATE_E, "is not yet valid"},
    {ASN_AFTER_DATE_E, "has expired"},
    {ASN_NO_SIGNER_E, "is issued by an unknown CA"},
    {ASN_SELF_SIGNED_E, "is issued by an unknown CA (it is self-signed)"},
    {ASN_SIG_CONFIRM_E, "is forged: the CA that it names did not sign it"},
    {ASN_SIG_OID_E, "is signed with an algorithm that is not accepted"},
    {ASN_SIG_HASH_E, "is signed with a hash that is not accepted"},
    {HASH_TYPE_E, "is signed with a hash that is not accepted"},
    {ASN_PATHLEN_SIZE_E, "is issued by a CA that may not issue it (path length)"},
    {ASN_PATHLEN_INV_E, "is issued by a CA that may not issue it (path length)"},
    {ASN_CRIT_EXT_E, "has a critical extension that is not understood"},
    {ASN_PARSE_E, "cannot be parsed"},
    {ASN_VERSION_E, "is not of X.509 version 3"},
    {ASN_CRL_CONFIRM_E, "its signature is wrong"},
    {ASN_CRL_NO_SIGNER_E, "its issuer is unknown"},
    {CRL_CERT_REVOKED, "is revoked"},
    {CRL_MISSING, "cannot be judged: no revocation list of its CA is loaded"},
    {CRL_CERT_DATE_ERR, "cannot be judged: the revocation list of its CA is out of date"},
    {KEYUSE_SIGNATURE_E, "lacks the digitalSignature key usage"},
    {MAX_CHAIN_ERROR, "comes with too many CAs"},
    {RSA_KEY_SIZE_E, "has an RSA key shorter than 2048 bits"},
    {ECC_KEY_SIZE_E, "has an elliptic curve key shorter than 256 bits"},
    {ECC_CURVE_OID_E, "has a key on a curve that is not supported; " TLS_KINDS " are"},
    {ALGO_ID_E, "has a key of a kind that is not supported; " TLS_KINDS " are"},
    {ASN_UNKNOWN_OID_E, "has a key of a kind that is not supported; " TLS_KINDS " are"},
    {WOLFSSL_BAD_FILE, "is damaged, or has a key of a kind that is not supported; " TLS_KINDS " are"},
};

// What the library calls an error, or its number alone: of many it knows no more than that they are unknown.
static const char *name_error(char room[96], int error)
{
    const char *text = wolfSSL_ERR_reason_error_string((unsigned long)error);
    bool known = text && !strstr(text, "unknown");
    snprintf(room, 96, "%.60s%sTLS library's error %d%s", known ? text : "", known ? " (" : "", error,
             known ? ")" : "");
    return room;
}

const char *tls_reason_word(int error)
{
    static char room[128];
    char name[96];
    const char *text = LOOK_UP(findings, error);
    if (text)
        return text;
    snprintf(room, sizeof room, "is not accepted: %s", name_error(name, error));
    return room;
}

const char *tls_reason_file(const struct tls_identity *identity, enum tls_credential which, char room[TLS_FILE_SIZE])
{
    const char *file = identity->files[which];
    snprintf(room, TLS_FILE_SIZE, "%s%s", file ? " " : "", file ? file : "");
    return room;
}

const char *tls_reason_date(usec_t at, char room[TLS_DATE_SIZE])
{
    time_t seconds = (time_t)(at / USEC_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(room, TLS_DATE_SIZE, "%FT%TZ", &tm);
    return room;
}

const char *tls_reason_purpose(const struct tls *tls)
{
    return tls->role == TLS_PORTAL ? "lacks the serverAuth extended key usage, so it is no gate's"
                                   : "lacks the clientAuth extended key usage, so it is no portal's";
}

// ", it did on 2026-11-24T07:00:00Z", where the date is what is wrong, and what helps; of a date to come, what the clock
// says: that may be what is wrong.
static void write_date(char *room, size_t size, const struct tls *tls, int error, const struct certificate *certificate)
{
    char date[TLS_DATE_SIZE], now[TLS_DATE_SIZE];
    if (error == ASN_AFTER_DATE_E)
        snprintf(room, size, ", it did on %s: issue it anew (usher-pki issue DIR %s NAME)",
                 tls_reason_date(certificate->not_after, date), tls_peer_role(tls));
    else if (error == ASN_BEFORE_DATE_E)
        snprintf(room, size, ", but from %s on; the clock here says %.10s",
                 tls_reason_date(certificate->not_before, date),
                 tls_reason_date((usec_t)time(NULL) * USEC_PER_SEC, now));
}

void tls_reason_chain(struct tls *tls, int error, const struct certificate *certificate)
{
    char names[CERTIFICATE_NAMES_SIZE], serial[CERTIFICATE_SERIAL_SIZE], date[128] = "";
    if (!certificate) {
        tls_fail(tls, "the %s's certificate %s", tls_peer_role(tls), tls_reason_word(error));
        return;
    }
    write_date(date, sizeof date, tls, error, certificate);
    tls_fail(tls, "the %s's certificate (%.200s, serial %s) %s%s", tls_peer_role(tls),
             certificate_names_text(certificate, names), certificate_serial_text(certificate, serial),
             error == EXTKEYUSE_AUTH_E ? tls_reason_purpose(tls) : tls_reason_word(error), date);
}

// What the peer's alert says about us or the connection (RFC 8446 section 6.2).
static const struct word alerts[] = {
    {handshake_failure, "found no common cipher or parameter"},
    {illegal_parameter, "found no key exchange in common (X25519 or P-256), or an illegal parameter"},
    {bad_certificate, "refused our certificate as bad: revoked, for another name or another use (its log says why)"},
    {unsupported_certificate, "refused our certificate as unsupported: not meant for this use"},
    {certificate_revoked, "refused our certificate: it is revoked"},
    {certificate_expired, "refused our certificate: it has expired or is not yet valid"},
    {certificate_unknown, "refused our certificate (its log says why)"},
    {unknown_ca, "refused our certificate: it is issued by a CA unknown there"},
    {access_denied, "denied access to our certificate"},
    {protocol_version, "and we have no TLS version in common"},
    {insufficient_security, "found our ciphers too weak"},
    {unrecognized_name, "does not serve the name that we asked for"},
    {certificate_required, "wants a certificate and got none"},
    {no_application_protocol, "does not speak usher/1"},
    {decrypt_error, "refused our certificate: the signature of the handshake is wrong"},
};

static const struct word mishap_alerts[] = {
    {bad_record_mac, "got a record that was altered on the way"},
    {internal_error, "failed inside"},
};

// Our own date tells what the peer's alert leaves open.
static bool fail_as_expired(struct tls *tls)
{
    char file[TLS_FILE_SIZE], date[TLS_DATE_SIZE];
    const usec_t end = tls->identity->expires[TLS_CERTIFICATE];
    bool ours = end <= (usec_t)time(NULL) * USEC_PER_SEC;
    tls_reason_file(tls->identity, TLS_CERTIFICATE, file);
    tls_reason_date(end, date);
    if (ours)
        return tls_fail(
            tls, "the %s refused our certificate%s: it has expired, it did on %s: issue it anew (usher-pki issue)",
            tls_peer_role(tls), file, date);
    return tls_fail(
        tls,
        "the %s refused our certificate%s: it has expired or is not yet valid; it is valid until %s, so its "
        "CA may not be, or the clock there is wrong",
        tls_peer_role(tls), file, date);
}

static bool fail_by_alert(struct tls *tls)
{
    WOLFSSL_ALERT_HISTORY history;
    if (wolfSSL_get_alert_history(tls->ssl, &history) != WOLFSSL_SUCCESS || history.last_rx.code < 0)
        return tls_fail(tls, "the %s gave up without a reason", tls_peer_role(tls));
    const char *text = LOOK_UP(alerts, history.last_rx.code);
    tls->untrusted = text;
    if (history.last_rx.code == certificate_expired && tls->identity)
        return fail_as_expired(tls);
    if (!text)
        text = LOOK_UP(mishap_alerts, history.last_rx.code);
    if (!text)
        return tls_fail(tls, "the %s gave up with TLS alert %d", tls_peer_role(tls), history.last_rx.code);
    return tls_fail(tls, "the %s %s", tls_peer_role(tls), text);
}

static const struct word faults_of_peer[] = {
    {VERSION_ERROR, "speaks no TLS 1.3, only TLS 1.2 or older"},
    {NO_PEER_CERT, "presented no certificate"},
    {MATCH_SUITE_ERROR, "offers no common cipher"},
    {UNSUPPORTED_SUITE, "chose a cipher that we did not offer"},
    {INVALID_PARAMETER, "sent a parameter that TLS forbids"},
    {UNKNOWN_ALPN_PROTOCOL_NAME_E, "offers only application protocols that are not usher/1"},
    {UNKNOWN_RECORD_TYPE, "does not speak TLS"},
    {EXT_MISSING, "left out an extension that TLS 1.3 demands"},
    {BAD_KEY_SHARE_DATA, "offers no key exchange in common (X25519 or P-256)"},
    {VERIFY_SIGN_ERROR, "does not hold the key of its certificate"},
    {SIG_VERIFY_E, "does not hold the key of its certificate"},
    {BAD_CERTIFICATE_STATUS_ERROR, "sent a bad certificate status"},
};

// What may befall any connection, as the faults above do not.
static const struct word mishaps[] = {
    {VERIFY_MAC_ERROR, "sent a record that was altered on the way"},
    {DECRYPT_ERROR, "sent a record that was altered on the way"},
    {AES_GCM_AUTH_E, "sent a record that was altered on the way"},
    {MAC_CMP_FAILED_E, "sent a record that was altered on the way"},
    {UNKNOWN_HANDSHAKE_TYPE, "sent a handshake message that TLS does not know"},
    {OUT_OF_ORDER_E, "sent handshake messages out of order"},
    {SANITY_MSG_E, "sent handshake messages out of order"},
    {BUFFER_ERROR, "sent a malformed handshake message"},
    {INCOMPLETE_DATA, "sent a malformed handshake message"},
};

bool tls_reason_library(struct tls *tls, int error)
{
    if (error == FATAL_ERROR)
        return fail_by_alert(tls);
    const char *fault = LOOK_UP(faults_of_peer, error), *finding = LOOK_UP(findings, error);
    tls->untrusted = fault || finding;
    if (finding)
        return tls_fail(tls, "the %s's certificate %s", tls_peer_role(tls), finding);
    if (!fault)
        fault = LOOK_UP(mishaps, error);
    if (fault)
        return tls_fail(tls, "the %s %s", tls_peer_role(tls), fault);
    char name[96];
    return tls_fail(tls, "TLS with the %s failed: %s", tls_peer_role(tls), name_error(name, error));
}
