// SPDX-License-Identifier: GPL-2.0-or-later
// DNS messages (RFC 1035, EDNS by RFC 6891) as whoever answers questions needs them: a question is read and may be
// answered from what was read; a message of somebody else's is only held against the question that it answers.
#ifndef PACKET_DNS_H
#define PACKET_DNS_H

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_HEADER_SIZE = 12,
    DNS_NAME_MAX = 255,               // bytes of a name on the wire
    DNS_TEXT_SIZE = 4 * DNS_NAME_MAX, // of a name as text: a byte may become four
    DNS_UDP_SIZE = 512,               // of an answer by UDP where the question has no EDNS
    DNS_ANSWER_SIZE = 4096,           // of what is written here
    DNS_ADDRESSES_MAX = 16,           // in one such answer
    DNS_EDNS_ANNOUNCED = 1232,        // size that answers of our own announce: no packet of it is ever cut
};

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_IXFR = 251, DNS_AXFR = 252, DNS_ANY = 255 };

enum dns_class { DNS_IN = 1 };

enum dns_rcode {
    DNS_NOERROR,
    DNS_FORMERR,
    DNS_SERVFAIL,
    DNS_NXDOMAIN,
    DNS_NOTIMP,
    DNS_REFUSED,
    DNS_BADVERS = 16, // told in EDNS alone
};

struct dns_question {
    uint16_t id;
    uint16_t flags; // as they were sent
    uint16_t type;  // of all that may be asked for
    uint16_t class;
    uint8_t name[DNS_NAME_MAX]; // on the wire, as it was written
    uint8_t name_len;           // 0: there is none, nothing but an error can be said
    bool has_edns;
    uint8_t edns_version;
    uint16_t size; // an answer by UDP may have so many bytes
};

// What an answer of our own says, besides the question.
struct dns_answer {
    enum dns_rcode rcode;
    const struct address *addrs; // of the type that was asked for
    size_t count;                // at most DNS_ADDRESSES_MAX
    const char *pointer;         // a host name, for PTR; NULL: none
    uint32_t ttl;                // seconds
    bool truncated;              // nothing but that it is: ask by TCP
};

// False: nothing may be said to it, it is an answer itself or no message. Else `out` is good for dns_write, and `*wrong`
// is what to say, or DNS_NOERROR when it is a question like any other: one, in a class, with a name.
bool dns_question_read(struct dns_question *out, enum dns_rcode *wrong, const uint8_t *bytes, size_t len);
// The name as text: lower case, no dot at the end, and \DDD for what is not printable or might be taken for a dot.
const char *dns_name_text(const struct dns_question *question, char room[DNS_TEXT_SIZE]);
// Whether a message is an answer to this question, its id aside.
bool dns_answers(const uint8_t *bytes, size_t len, const struct dns_question *question);

// Writes an answer to `question`; returns its length.
size_t dns_write(uint8_t room[DNS_ANSWER_SIZE], const struct dns_question *question, const struct dns_answer *answer);

// Of a message of at least DNS_HEADER_SIZE bytes.
uint16_t dns_id(const uint8_t *bytes);
void dns_set_id(uint8_t *bytes, uint16_t id);

#endif
