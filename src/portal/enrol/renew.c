// SPDX-License-Identifier: GPL-2.0-or-later
// A certificate is renewed when a third of its life is left: who has a long one is in no hurry, and who has a short one has two
// thirds of it in quiet. A list is fetched once a day, however long it is good: that is how a withdrawal comes around.
#include "portal/enrol/renew.h"

#include "base/host_name.h"
#include "link/tls/certificate.h"
#include "link/tls/material.h"
#include "link/tls/request.h"
#include "os/file/new_file.h"
#include "portal/enrol/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 4 * 1024 * 1024,
    ATTACH_MS = 10000,
    LIST_LIFE_S = 86400,
};

struct present {
    struct blob ca, own, list; // own: certificate and key
};

static void present_wipe(struct present *present)
{
    blob_wipe(&present->ca);
    blob_wipe(&present->own);
    blob_wipe(&present->list);
}

static bool read_present(struct present *out, const struct portal_conf *conf, struct fault *fault)
{
    const struct credential_keys *keys = &conf->credentials;
    *out = (struct present){0};
    if (blob_read(&out->ca, keys->ca, FILE_MAX, fault) && blob_read_private(&out->own, keys->key, FILE_MAX, fault) &&
        (!keys->crl || blob_read(&out->list, keys->crl, FILE_MAX, fault)))
        return true;
    present_wipe(out);
    return false;
}

// The spans of `certificate` are within `der`, which is the caller's.
static bool read_own(struct certificate *certificate, struct blob *der, const struct blob *text, struct fault *fault)
{
    struct der_element first;
    if (!material_certificates(der, "Certificate", text->bytes, text->len, fault))
        return false;
    struct span in = {der->bytes, der->len};
    if (der_take(&in, DER_SEQUENCE, &first) && certificate_parse(certificate, first.whole.bytes, first.whole.len))
        return true;
    blob_wipe(der);
    return fault_set(fault, "Certificate: cannot be parsed");
}

static usec_t left_until(usec_t at, usec_t now)
{
    return at > now ? at - now : 0;
}

static usec_t list_left(const char *path, usec_t wall)
{
    struct stat st;
    if (!path)
        return USEC_NEVER;
    return stat(path, &st) < 0 ? 0 : left_until(((usec_t)st.st_mtime + LIST_LIFE_S) * USEC_PER_SEC, wall);
}

bool renewal_judge(struct renewal_due *out, const struct portal_conf *conf, usec_t wall, struct fault *fault)
{
    struct present present;
    struct certificate own;
    struct blob der;
    if (!read_present(&present, conf, fault))
        return false;
    bool good = read_own(&own, &der, &present.own, fault);
    present_wipe(&present);
    if (!good)
        return false;
    usec_t certificate_left = left_until(own.not_after - (own.not_after - own.not_before) / 3, wall);
    blob_wipe(&der);
    usec_t left = list_left(conf->credentials.crl, wall);
    *out = (struct renewal_due){
        .certificate = !certificate_left, .list = !left, .wait = certificate_left < left ? certificate_left : left};
    return true;
}

static bool take_list(const struct portal_conf *conf, const struct present *present, const struct fetched *fetched,
                      struct fault *fault)
{
    const char *path = conf->credentials.crl;
    struct fault why;
    if (!path || !fetched->list.len)
        return true;
    if (!tls_list_may_follow(&present->list, &fetched->list, &why))
        return fault_set(fault, "the authority's list is not taken: %.400s", why.text);
    return new_file_write(path, 0644, &fetched->list, fault);
}

// The list alone is judged as it would be at a start.
static bool judge_list(const struct present *present, const struct fetched *fetched, struct fault *fault)
{
    const struct tls_material material = {.ca = present->ca.bytes,
                                          .ca_len = present->ca.len,
                                          .crl = fetched->list.bytes,
                                          .crl_len = fetched->list.len,
                                          .role = TLS_PORTAL};
    enum tls_credential at_fault;
    struct tls_identity *identity = tls_identity_new(&material, &at_fault, fault);
    tls_identity_free(identity);
    return identity;
}

static bool renew_certificate(const struct portal_conf *conf, const struct present *present, usher_t *usher,
                              const char *at, struct fault *fault)
{
    struct blob der = {0}, new_key = {0}, own_der = {0};
    struct certificate own;
    struct fetched fetched = {0};
    char name[CERTIFICATE_NAME_SIZE];
    bool good = read_own(&own, &own_der, &present->own, fault) && tls_key_make(&der, fault);
    if (good) {
        new_key = pem_text("EC PRIVATE KEY", &(struct span){der.bytes, der.len});
        good = certificate_name(&own, name) || fault_set(fault, "Certificate: carries no name");
    }
    good = good && fetch_certificate(&fetched, usher, at, &present->own, &present->own, &new_key, fault) &&
           fetched_judge(&fetched, &present->ca, &new_key, name, fault) && take_list(conf, present, &fetched, fault);
    if (good) {
        struct blob text = fetched_own(&fetched, &new_key);
        good = new_file_write(conf->credentials.key, 0600, &text, fault);
        blob_wipe(&text);
    }
    fetched_wipe(&fetched);
    blob_wipe(&new_key);
    blob_wipe(&own_der);
    blob_wipe(&der);
    return good;
}

static bool renew_list(const struct portal_conf *conf, const struct present *present, usher_t *usher, const char *at,
                       struct fault *fault)
{
    struct fetched fetched;
    bool good = fetch_list(&fetched, usher, at, fault) && judge_list(present, &fetched, fault) &&
                take_list(conf, present, &fetched, fault);
    fetched_wipe(&fetched);
    return good;
}

bool renewal_do(const struct portal_conf *conf, const struct renewal_due *due, struct fault *fault)
{
    const struct value_target *to = conf->renew.items;
    char at[HOST_PORT_TEXT_SIZE], why[USHER_WHY_SIZE];
    struct present present;
    usher_t *usher = usher_attach(conf->name, ATTACH_MS, why, sizeof why);
    if (!usher)
        return fault_set(fault, "%.400s: it renews through its own tunnel", why);
    host_port_text(at, sizeof at, to->host, to->port);
    bool good = read_present(&present, conf, fault);
    if (good) {
        good = due->certificate ? renew_certificate(conf, &present, usher, at, fault)
                                : renew_list(conf, &present, usher, at, fault);
        present_wipe(&present);
    }
    usher_close(usher);
    return good;
}
