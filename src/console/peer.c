// SPDX-License-Identifier: GPL-2.0-or-later
// The console's TLS is libmicrohttpd's, which is GnuTLS: a browser is another kind of peer than a portal, this process holds
// none of their keys, and our own TLS speaks one protocol only. What a certificate means is judged here all the same, since
// the library takes any.

#include "console/peer.h"

#include "base/memory.h"

#include <ctype.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct peer_judge {
    gnutls_x509_trust_list_t trusted;
    char *authorities;
    time_t list_ends; // -1: there is none, or it does not say
};

// The library looks at signatures of lists and not at their dates: the first that ends ends them all.
static time_t first_end(const gnutls_datum_t *lists)
{
    gnutls_x509_crl_t *all;
    unsigned count = 0;
    time_t first = -1;
    if (gnutls_x509_crl_list_import2(&all, &count, lists, GNUTLS_X509_FMT_PEM, 0) < 0)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        time_t end = gnutls_x509_crl_get_next_update(all[i]);
        first = first < 0 || (end >= 0 && end < first) ? end : first;
        gnutls_x509_crl_deinit(all[i]);
    }
    gnutls_free(all);
    return first;
}

struct peer_judge *peer_judge_new(const char *authorities, const char *withdrawn, struct fault *fault)
{
    struct peer_judge *judge = memory_new(sizeof *judge);
    const gnutls_datum_t cas = {(unsigned char *)authorities, (unsigned)strlen(authorities)};
    judge->authorities = memory_text(authorities);
    judge->list_ends = -1;
    gnutls_x509_trust_list_init(&judge->trusted, 0);
    if (gnutls_x509_trust_list_add_trust_mem(judge->trusted, &cas, NULL, GNUTLS_X509_FMT_PEM, 0, 0) < 1) {
        fault_set(fault, "has no certificate in PEM in it");
        peer_judge_free(judge);
        return NULL;
    }
    if (withdrawn) {
        const gnutls_datum_t list = {(unsigned char *)withdrawn, (unsigned)strlen(withdrawn)};
        if (gnutls_x509_trust_list_add_trust_mem(judge->trusted, NULL, &list, GNUTLS_X509_FMT_PEM, 0,
                                                 GNUTLS_TL_VERIFY_CRL) < 1) {
            fault_set(fault, "is no revocation list in PEM of that CA");
            peer_judge_free(judge);
            return NULL;
        }
        judge->list_ends = first_end(&list);
    }
    return judge;
}

void peer_judge_free(struct peer_judge *judge)
{
    if (!judge)
        return;
    gnutls_x509_trust_list_deinit(judge->trusted, 1);
    free(judge->authorities);
    free(judge);
}

const char *peer_judge_authorities(const struct peer_judge *judge)
{
    return judge->authorities;
}

static bool is_plain(const char *name)
{
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.@ ", *at))
            return false;
    return *name;
}

static bool read_name(gnutls_x509_crt_t crt, char name[PEER_NAME_SIZE])
{
    size_t size = PEER_NAME_SIZE;
    memset(name, 0, PEER_NAME_SIZE);
    int kind = gnutls_x509_crt_get_subject_alt_name(crt, 0, name, &size, NULL);
    if (kind != GNUTLS_SAN_DNSNAME) {
        size = PEER_NAME_SIZE;
        memset(name, 0, PEER_NAME_SIZE);
        if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) < 0)
            return false;
    }
    return size < PEER_NAME_SIZE && strlen(name) == size && is_plain(name);
}

// For what a certificate without a list of purposes is good, nobody has said.
static bool is_client(gnutls_x509_crt_t crt)
{
    char oid[64];
    unsigned critical;
    for (unsigned i = 0;; i++) {
        size_t size = sizeof oid;
        if (gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &size, &critical) < 0)
            return false;
        if (!strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT))
            return true;
    }
}

static void fini(gnutls_x509_crt_t *chain, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
}

bool peer_judge(const struct peer_judge *judge, void *session, char name[PEER_NAME_SIZE], struct fault *why)
{
    enum { CHAIN_MAX = 8 };
    gnutls_x509_crt_t chain[CHAIN_MAX];
    unsigned sent = 0, count = 0, status = 0;
    const gnutls_datum_t *certificates = gnutls_certificate_get_peers(session, &sent);
    *name = '\0';
    if (!certificates || !sent)
        return fault_set(why, "no certificate was shown");
    if (judge->list_ends >= 0 && time(NULL) >= judge->list_ends)
        return fault_set(why, "the revocation list is out of date, and nobody knows who else is withdrawn");
    for (; count < sent && count < CHAIN_MAX; count++) {
        gnutls_x509_crt_init(&chain[count]);
        if (gnutls_x509_crt_import(chain[count], &certificates[count], GNUTLS_X509_FMT_DER) < 0) {
            fini(chain, count + 1);
            return fault_set(why, "the certificate is none");
        }
    }
    bool ok = gnutls_x509_trust_list_verify_crt(judge->trusted, chain, count, 0, &status, NULL) == 0 && !status;
    if (!ok)
        fault_set(why, status & GNUTLS_CERT_REVOKED   ? "the certificate is revoked"
                       : status & GNUTLS_CERT_EXPIRED ? "the certificate is out of date"
                                                      : "the certificate is not of this console's CA");
    else if (!is_client(chain[0]))
        ok = fault_set(why, "the certificate is not for clients");
    else if (!read_name(chain[0], name))
        ok = fault_set(why, "the certificate has no usable name");
    fini(chain, count);
    if (!ok)
        *name = '\0';
    return ok;
}
