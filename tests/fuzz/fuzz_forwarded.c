// SPDX-License-Identifier: GPL-2.0-or-later
// Arbitrary bytes as the first that a balancer sends. What is known of a part stays true of the whole, and what is asked for
// is bounded and more than there was.
#include "gate/channel/forwarded.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct forwarded_header whole, of_part;
    enum forwarded found = forwarded_read(bytes, len, &whole), part = forwarded_read(bytes, len / 2, &of_part);
    if (found == FORWARDED_PARTIAL)
        assert(whole.size > len && whole.size <= FORWARDED_MAX);
    else if (found == FORWARDED_PEER || found == FORWARDED_OWN)
        assert(whole.size <= len && forwarded_begins(bytes, len));
    else
        assert(forwarded_why(found));
    if (part != FORWARDED_PARTIAL)
        assert(found == part);
    if (part == FORWARDED_PEER)
        assert(endpoint_equal(&whole.peer, &of_part.peer) && whole.size == of_part.size);
    return 0;
}
