// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/relay/reason.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void errors_have_words(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum usher_word word;
        const char *text;
    } cases[] = {
        {ECONNREFUSED, USHER_REFUSED, "10.73.0.9:80: Connection refused"},
        {EHOSTUNREACH, USHER_UNREACHABLE, "host 10.73.0.9:80: No route to host"},
        {ENETUNREACH, USHER_UNREACHABLE, "net 10.73.0.9:80: Network is unreachable"},
        {EAFNOSUPPORT, USHER_UNREACHABLE, "net 10.73.0.9:80: "},
        {ETIMEDOUT, USHER_TIMEOUT, "10.73.0.9:80: Connection timed out"},
        {EACCES, USHER_DENIED, "10.73.0.9:80: Permission denied"},
        {EPERM, USHER_DENIED, "10.73.0.9:80: "},
        {EMFILE, USHER_LIMIT, "10.73.0.9:80: Too many open files"},
        {ENFILE, USHER_LIMIT, "10.73.0.9:80: "},
        {ENOBUFS, USHER_LIMIT, "10.73.0.9:80: "},
        {EADDRNOTAVAIL, USHER_LIMIT, "10.73.0.9:80: "},
        {ECONNRESET, USHER_FAILED, "10.73.0.9:80: Connection reset by peer"},
        {EINVAL, USHER_FAILED, "10.73.0.9:80: "},
    };
    const struct endpoint to = {.addr = {.version = 4, .bytes = {10, 73, 0, 9}}, .port = 80};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char room[REASON_ROOM];
        CASE(cases[i].text, reason_word(cases[i].error) == cases[i].word);
        CASE(cases[i].text, strncmp(reason_text(room, cases[i].error, &to), cases[i].text, strlen(cases[i].text)) == 0);
    }
}

static void words_have_errors(void **state)
{
    (void)state;
    static const struct {
        enum usher_word word;
        const char *text;
        int error;
    } cases[] = {
        {USHER_REFUSED, "10.73.0.9:80: Connection refused", ECONNREFUSED},
        {USHER_UNREACHABLE, "net 10.73.0.9:80: Network is unreachable", ENETUNREACH},
        {USHER_UNREACHABLE, "host 10.73.0.9:80: No route to host", EHOSTUNREACH},
        {USHER_UNREACHABLE, "", EHOSTUNREACH},
        {USHER_TIMEOUT, "", ETIMEDOUT},
        {USHER_DENIED, "", EACCES},
        {USHER_RESOLVE, "net is no name", EHOSTUNREACH},
        {USHER_LIMIT, "", ENOBUFS},
        {USHER_UNSUPPORTED, "", EPROTONOSUPPORT},
        {USHER_FAILED, "", EIO},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].text, reason_errno(cases[i].word, cases[i].text) == cases[i].error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_have_words), cmocka_unit_test(words_have_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
