// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/names/reverse.h"

#include <string.h>

// A label of decimal digits and its dot, 0 to 255 without leading zeros; NULL when it is none.
static const char *take_octet(const char *at, uint8_t *out)
{
    unsigned value = 0, digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 3; at++, digits++)
        value = 10 * value + (unsigned)(*at - '0');
    *out = (uint8_t)value;
    bool padded = digits > 1 && at[-(int)digits] == '0';
    return digits > 0 && !padded && value <= 255 && *at == '.' ? at + 1 : NULL;
}

static const char *take_nibble(const char *at, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = *at ? strchr(digits, *at) : NULL;
    if (!digit || at[1] != '.')
        return NULL;
    *out = (uint8_t)(digit - digits);
    return at + 2;
}

static bool parse_v4(struct address *out, const char *at)
{
    *out = (struct address){.version = 4};
    for (int i = 3; i >= 0 && at; i--)
        at = take_octet(at, &out->bytes[i]);
    return at && !strcmp(at, "in-addr.arpa");
}

static bool parse_v6(struct address *out, const char *at)
{
    *out = (struct address){.version = 6};
    for (int i = 31; i >= 0 && at; i--) {
        uint8_t nibble = 0;
        at = take_nibble(at, &nibble);
        out->bytes[i / 2] |= (uint8_t)(i % 2 ? nibble : nibble << 4);
    }
    return at && !strcmp(at, "ip6.arpa");
}

bool reverse_parse(struct address *out, const char *name)
{
    return parse_v4(out, name) || parse_v6(out, name);
}
