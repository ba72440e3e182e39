// SPDX-License-Identifier: GPL-2.0-or-later
// What a link tells of itself, by what its parts offer everybody.

#include "link/tunnel.h"

void tls_describe(const struct tls *tls, struct facts *facts)
{
    facts_text(facts, "name", "of the peer, by its certificate", tls_peer_name(tls));
    facts_text(facts, "serial", "of the peer's certificate", tls_peer_serial(tls));
    facts_text(facts, "cipher", "that was agreed", tls_cipher(tls));
    facts_gauge(facts, "expires", "when the peer's certificate is out of date", FACT_UNIX_SECONDS,
                tls_peer_expires(tls) / USEC_PER_SEC);
}

void tunnel_describe(const struct tunnel *tunnel, struct facts *facts)
{
    facts_gauge(facts, "rtt_us", "round trip to the peer, as the kernel measures it", FACT_MICROSECONDS,
                tunnel_rtt_usec(tunnel));
}
