// SPDX-License-Identifier: GPL-2.0-or-later
// One element at a time off the front of a span. Invariant: no byte outside the given span is read, and what cannot
// be read in the one DER way is refused.
#include "link/tls/der.h"

#include <string.h>
#include <time.h>

// The length octets behind a tag (X.690 section 10.1: as few as possible). Four bytes of length are more than any
// file we read.
static bool take_length(struct span *in, size_t *out)
{
    if (in->len == 0)
        return false;
    uint8_t first = in->bytes[0];
    in->bytes++, in->len--;
    if (first < 0x80) {
        *out = first;
        return true;
    }
    size_t octets = first & 0x7f;
    if (octets == 0 || octets > 4 || octets > in->len || in->bytes[0] == 0)
        return false;
    size_t length = 0;
    for (size_t i = 0; i < octets; i++)
        length = length << 8 | in->bytes[i];
    if (length < 0x80)
        return false;
    in->bytes += octets, in->len -= octets;
    *out = length;
    return true;
}

bool der_next(struct span *in, struct der_element *out)
{
    struct span rest = *in;
    if (rest.len == 0 || (rest.bytes[0] & 0x1f) == 0x1f)
        return false;
    uint8_t tag = rest.bytes[0];
    rest.bytes++, rest.len--;
    size_t length;
    if (!take_length(&rest, &length) || length > rest.len)
        return false;
    out->tag = tag;
    out->content = (struct span){rest.bytes, length};
    rest.bytes += length, rest.len -= length;
    out->whole = (struct span){in->bytes, in->len - rest.len};
    *in = rest;
    return true;
}

bool der_take(struct span *in, uint8_t tag, struct der_element *out)
{
    return in->len > 0 && in->bytes[0] == tag && der_next(in, out);
}

static int two_digits(const uint8_t *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    return (at[0] - '0') * 10 + (at[1] - '0');
}

// YYMMDDHHMMSSZ, where years below 50 are of this century, or YYYYMMDDHHMMSSZ.
static bool parse_time(const struct der_element *element, usec_t *out)
{
    const uint8_t *at = element->content.bytes;
    int century = 0;
    if (element->tag == DER_GENERALIZED_TIME && element->content.len == 15) {
        century = two_digits(at);
        at += 2;
    } else if (element->tag == DER_UTC_TIME && element->content.len == 13) {
        century = two_digits(at) < 50 ? 20 : 19;
    } else {
        return false;
    }
    int field[6];
    for (int i = 0; i < 6; i++)
        field[i] = two_digits(at + 2 * i);
    if (century < 0 || field[0] < 0 || field[1] < 1 || field[1] > 12 || field[2] < 1 || field[2] > 31 || field[3] < 0 ||
        field[3] > 23 || field[4] < 0 || field[4] > 59 || field[5] < 0 || field[5] > 59 || at[12] != 'Z')
        return false;
    struct tm tm = {
        .tm_year = century * 100 + field[0] - 1900,
        .tm_mon = field[1] - 1,
        .tm_mday = field[2],
        .tm_hour = field[3],
        .tm_min = field[4],
        .tm_sec = field[5],
    };
    time_t seconds = timegm(&tm);
    // Before 1970 is all the same to us: it has long begun, or long ended.
    *out = seconds < 0 ? 0 : (usec_t)seconds * USEC_PER_SEC;
    return true;
}

bool der_take_time(struct span *in, usec_t *out)
{
    struct span rest = *in;
    struct der_element element;
    if (!der_next(&rest, &element) || !parse_time(&element, out))
        return false;
    *in = rest;
    return true;
}

bool span_equal(const struct span *a, const struct span *b)
{
    return span_is(a, b->bytes, b->len);
}

bool span_is(const struct span *a, const void *bytes, size_t len)
{
    return a->len == len && (len == 0 || memcmp(a->bytes, bytes, len) == 0);
}
