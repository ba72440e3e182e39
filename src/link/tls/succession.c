// SPDX-License-Identifier: GPL-2.0-or-later
// An older revocation list is as well signed as the newer one, and whoever can put it in its place lets back in whom the
// newer one has shut out. Of two lists of an authority the newer has the greater number (RFC 5280 section 5.2.3), where
// they have one, and the later date in any case.
#include "link/tls/material.h"
#include "link/tls/revocation.h"
#include "link/tls/tls.h"

#include <string.h>

// Numbers are positive: leading zeros count for nothing.
static struct span significant(struct span number)
{
    while (number.len > 0 && !*number.bytes) {
        number.bytes++;
        number.len--;
    }
    return number;
}

static bool is_less(struct span a, struct span b)
{
    a = significant(a);
    b = significant(b);
    return a.len != b.len ? a.len < b.len : memcmp(a.bytes, b.bytes, a.len) < 0;
}

static bool is_older(const struct revocation_list *list, const struct revocation_list *than)
{
    bool numbered = list->number.len && than->number.len;
    return list->this_update < than->this_update || (numbered && is_less(list->number, than->number));
}

// Whether none of `lists` is older than that one.
static bool may_follow(const struct revocation_list *before, struct span lists)
{
    struct der_element element;
    struct revocation_list list;
    while (der_take(&lists, DER_SEQUENCE, &element))
        if (revocation_list_parse(&list, element.whole.bytes, element.whole.len) &&
            span_equal(&list.issuer, &before->issuer) && is_older(&list, before))
            return false;
    return true;
}

static bool all_may_follow(struct span before, struct span lists)
{
    struct der_element element;
    struct revocation_list list;
    while (der_take(&before, DER_SEQUENCE, &element))
        if (revocation_list_parse(&list, element.whole.bytes, element.whole.len) && !may_follow(&list, lists))
            return false;
    return true;
}

bool tls_list_may_follow(const struct blob *before, const struct blob *list, struct fault *why)
{
    struct blob a = {0}, b = {0};
    struct fault ignored;
    bool both = before->len && list->len && material_lists(&a, "CRL", before->bytes, before->len, &ignored) &&
                material_lists(&b, "CRL", list->bytes, list->len, &ignored);
    bool may = !both || all_may_follow((struct span){a.bytes, a.len}, (struct span){b.bytes, b.len});
    blob_wipe(&a);
    blob_wipe(&b);
    return may || fault_set(why, "CRL: is older than the list that is in use");
}
