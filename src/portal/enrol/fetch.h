// SPDX-License-Identifier: GPL-2.0-or-later
// A certificate from the authority, by one that there is already: an invitation's, or the one that runs out.
#ifndef PORTAL_ENROL_FETCH_H
#define PORTAL_ENROL_FETCH_H

#include "base/fault.h"
#include "libusher/usher.h"
#include "os/file/secret.h"

struct fetched {
    struct blob certificate; // PEM; empty when only the list was asked for
    struct blob list;        // PEM
};

// `at` is "host:port" behind the gate. PEM or DER texts; `new_key` is what the certificate is to be for. What comes is of the
// right form, and is yet to be judged.
bool fetch_certificate(struct fetched *out, usher_t *usher, const char *at, const struct blob *certificate,
                       const struct blob *key, const struct blob *new_key, struct fault *fault);
bool fetch_list(struct fetched *out, usher_t *usher, const char *at, struct fault *fault);
// Whether what came is for `key`, for the portal `name`, and by the authority `ca`, in date and not withdrawn.
bool fetched_judge(const struct fetched *fetched, const struct blob *ca, const struct blob *key, const char *name,
                   struct fault *fault);
// Key and certificate as one text: one file, which is replaced by one rename. A secret, and the caller's.
struct blob fetched_own(const struct fetched *fetched, const struct blob *key);
void fetched_wipe(struct fetched *fetched);

#endif
