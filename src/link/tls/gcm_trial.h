// SPDX-License-Identifier: GPL-2.0-or-later
// Before other code than wolfSSL's is trusted with records.
#ifndef LINK_TLS_GCM_TRIAL_H
#define LINK_TLS_GCM_TRIAL_H

#include <stdbool.h>

// Whether `device` seals and opens records of many sizes as wolfSSL itself does, in place and from elsewhere, and does not
// open what was touched.
bool tls_gcm_trial(int device);

#endif
