// SPDX-License-Identifier: GPL-2.0-or-later
// A portal's next certificate and list, asked for through its own tunnel and put in the place of the ones that run out.
#ifndef PORTAL_ENROL_RENEW_H
#define PORTAL_ENROL_RENEW_H

#include "base/fault.h"
#include "config/portal_conf.h"

// What is to be done now, by the dates of what there is.
struct renewal_due {
    bool certificate;
    bool list;
    usec_t wait; // until something will be; of both the first
};

// `wall` is Unix time. False when the files cannot be read.
bool renewal_judge(struct renewal_due *out, const struct portal_conf *conf, usec_t wall, struct fault *fault);
// The portal must be running. The new files are there, or the old ones as they were.
bool renewal_do(const struct portal_conf *conf, const struct renewal_due *due, struct fault *fault);

#endif
