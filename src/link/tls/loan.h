// SPDX-License-Identifier: GPL-2.0-or-later
// Content that a record is sealed from where it lies, without being copied into the record first. wolfSSL gets the place
// in the record as its input, which holds anything; the device (gcm.c) takes what was lent instead. Only with that device
// and TLS 1.3, where the type of a record stands behind its content.
#ifndef LINK_TLS_LOAN_H
#define LINK_TLS_LOAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// For the next record of application data.
void tls_loan_give(const uint8_t *content, size_t len);
bool tls_loan_waits(void);
// For a record of so many bytes; NULL, and it waits on, when it has another length.
const uint8_t *tls_loan_take(size_t len);
// True: nobody has taken it, so no record was sealed from it.
bool tls_loan_end(void);

#endif
