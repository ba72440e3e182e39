// SPDX-License-Identifier: GPL-2.0-or-later
// Walking DER (X.690): definite, minimal lengths and one-byte tags, which is all that certificates need. Spans point
// into the bytes that were walked; nothing is copied or allocated.
#ifndef LINK_TLS_DER_H
#define LINK_TLS_DER_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_BIT_STRING = 0x03,
    DER_OCTET_STRING = 0x04,
    DER_OID = 0x06,
    DER_UTF8_STRING = 0x0c,
    DER_PRINTABLE_STRING = 0x13,
    DER_IA5_STRING = 0x16,
    DER_UTC_TIME = 0x17,
    DER_GENERALIZED_TIME = 0x18,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
};

// Context-specific tag `n`, primitive or constructed.
#define DER_CONTEXT(n)             (0x80 | (n))
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

struct span {
    const uint8_t *bytes;
    size_t len;
};

// One element: what is inside it, and the whole of it with tag and length.
struct der_element {
    uint8_t tag;
    struct span content;
    struct span whole;
};

// Takes the first element off `in`. False, with `in` as it was, when there is none or it is malformed.
bool der_next(struct span *in, struct der_element *out);
// The same when its tag is `tag`.
bool der_take(struct span *in, uint8_t tag, struct der_element *out);
// A UTCTime or GeneralizedTime in the forms of RFC 5280 section 4.1.2.5, as Unix time.
bool der_take_time(struct span *in, usec_t *out);

bool span_equal(const struct span *a, const struct span *b);
bool span_is(const struct span *a, const void *bytes, size_t len);

#endif
