// SPDX-License-Identifier: GPL-2.0-or-later
// errno to words of doc/PROTOCOL.md section 4. What is not in the table is `failed`.
#include "edge/relay/reason.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int error;
    enum usher_word word;
    const char *what; // is unreachable
} words[] = {
    {ECONNREFUSED, USHER_REFUSED, ""},
    {ENOPROTOOPT, USHER_REFUSED, ""}, // ICMP protocol unreachable
    {EHOSTUNREACH, USHER_UNREACHABLE, "host"},
    {EHOSTDOWN, USHER_UNREACHABLE, "host"},
    {ENETUNREACH, USHER_UNREACHABLE, "net"},
    {ENETDOWN, USHER_UNREACHABLE, "net"},
    {EAFNOSUPPORT, USHER_UNREACHABLE, "net"}, // this host speaks no IPv6, say
    {ETIMEDOUT, USHER_TIMEOUT, ""},
    {EACCES, USHER_DENIED, ""},
    {EPERM, USHER_DENIED, ""},
    {EMFILE, USHER_LIMIT, ""},
    {ENFILE, USHER_LIMIT, ""},
    {ENOBUFS, USHER_LIMIT, ""},
    {ENOMEM, USHER_LIMIT, ""},
    {EADDRNOTAVAIL, USHER_LIMIT, ""}, // no free local port: connect(2)
};

static size_t find(int error)
{
    size_t i = 0;
    while (i < sizeof words / sizeof words[0] && words[i].error != error)
        i++;
    return i;
}

enum usher_word reason_word(int error)
{
    size_t i = find(error);
    return i < sizeof words / sizeof words[0] ? words[i].word : USHER_FAILED;
}

int reason_errno(enum usher_word word, const char *text)
{
    static const int errors[USHER_WORDS] = {
        [USHER_FAILED] = EIO,
        [USHER_REFUSED] = ECONNREFUSED,
        [USHER_UNREACHABLE] = EHOSTUNREACH,
        [USHER_TIMEOUT] = ETIMEDOUT,
        [USHER_DENIED] = EACCES,
        [USHER_RESOLVE] = EHOSTUNREACH,
        [USHER_LIMIT] = ENOBUFS,
        [USHER_UNSUPPORTED] = EPROTONOSUPPORT,
    };
    return word == USHER_UNREACHABLE && strncmp(text, "net", 3) == 0 ? ENETUNREACH : errors[word];
}

const char *reason_what(int error)
{
    size_t i = find(error);
    return i < sizeof words / sizeof words[0] ? words[i].what : "";
}

const char *reason_text(char room[REASON_ROOM], int error, const struct endpoint *to)
{
    char text[ENDPOINT_TEXT_SIZE];
    const char *what = reason_what(error);
    snprintf(room, REASON_ROOM, "%s%s%s: %s", what, *what ? " " : "", endpoint_text(to, text), strerror(error));
    return room;
}
