// SPDX-License-Identifier: GPL-2.0-or-later
// What a connection tells of its peer, by what it offers everybody.

#include "link/tls/tls.h"

void tls_describe(const struct tls *tls, struct facts *facts)
{
    facts_text(facts, "name", "of the peer, by its certificate", tls_peer_name(tls));
    facts_text(facts, "serial", "of the peer's certificate", tls_peer_serial(tls));
    facts_text(facts, "cipher", "that was agreed", tls_cipher(tls));
    facts_gauge(facts, "expires", "when the peer's certificate is out of date", FACT_UNIX_SECONDS,
                tls_peer_expires(tls) / USEC_PER_SEC);
}
