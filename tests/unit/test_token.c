// SPDX-License-Identifier: GPL-2.0-or-later
// What usher-pki invite prints, as usher-tun join reads it.
#include "unit.h"

#include "certs.h"
#include "token_text.h"

#include <time.h>

static char *printed(const char *command)
{
    static char room[TOKEN_TEXT_MAX];
    char line[1024];
    snprintf(line, sizeof line, "PKI=scripts/usher-pki D=%s/pki; %s 2>/dev/null", certs_dir, command);
    FILE *pipe = popen(line, "r");
    size_t len = fread(room, 1, sizeof room - 1, pipe);
    room[len] = '\0';
    assert_int_equal(pclose(pipe), 0);
    room[strcspn(room, "\n")] = '\0';
    return room;
}

static const char invite[] =
    "$PKI invite $D new --gate gate.example.net --route 10.73.0.0/24 --route fd73::/64 --for 1h "
    "--name g --dns 10.73.0.53 --domains corp.example --socks 127.0.0.1:1080 --serve '[fd00::1]'";

static void test_invitation(void **state)
{
    struct token token;
    struct fault fault;
    const usec_t before = (usec_t)time(NULL) * USEC_PER_SEC;
    (void)state;
    if (!token_read(&token, printed(invite), &fault))
        fail_msg("%s", fault.text);
    assert_string_equal(token.name, "new");
    assert_string_equal(token.gate, "gate.example.net:4433");
    assert_string_equal(token.gate_name, "g");
    assert_string_equal(token.serve, "[fd00::1]:4434");
    assert_string_equal(token.routes, "10.73.0.0/24,fd73::/64");
    assert_string_equal(token.dns, "10.73.0.53");
    assert_string_equal(token.domains, "corp.example");
    assert_string_equal(token.socks, "127.0.0.1:1080");
    struct blob ca = certs_read("pki/ca.crt");
    assert_true(blob_equal(&token.ca, &ca));
    const usec_t after = (usec_t)time(NULL) * USEC_PER_SEC;
    assert_true(token.begins < before && token.expires >= before + 3600 * USEC_PER_SEC &&
                token.expires <= after + 3600 * USEC_PER_SEC);
    blob_wipe(&ca);
    token_wipe(&token);
}

// A slip anywhere is told from a token of somebody else's.
static void test_damage(void **state)
{
    static char text[TOKEN_TEXT_MAX];
    struct token token;
    struct fault fault;
    (void)state;
    strcpy(text, printed(invite));
    const size_t len = strlen(text);
    for (size_t i = strlen(TOKEN_PREFIX); i < len; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(token_read(&token, text, &fault));
        assert_non_null(strstr(fault.text, "damaged"));
        text[i] = was;
    }
    for (size_t i = 0; i < len; i += 7) {
        char was = text[i];
        text[i] = '\0';
        assert_false(token_read(&token, text, &fault));
        assert_non_null(strstr(fault.text, i < strlen(TOKEN_PREFIX) ? "no token" : "damaged"));
        text[i] = was;
    }
    assert_true(token_read(&token, text, &fault));
    token_wipe(&token);
}

// With lines of our own in front of structures that are good.
static void test_lines(void **state)
{
    static const struct {
        const char *lines, *says; // NULL: taken
    } rows[] = {
        {"g=gate:4433\ne=a:1\n\n", NULL},
        {"g=[fd00::1]:4433\ne=a:1\nr=10.0.0.0/8, fd00::/8\nD=~10.in-addr.arpa\n\n", NULL},
        {"e=a:1\n\n", "damaged"},
        {"g=gate:4433\n\n", "damaged"},
        {"g=gate:4433\ne=a:1\nr=\n\n", "cannot be"},
        {"g=gate:4433\ng=other:4433\ne=a:1\n\n", "more than"},
        {"g=gate:4433\ne=a:1\nX=1\n\n", "more than"},
        {"g=gate:4433\ne=a:1\nr=1;2\n\n", "cannot be"},
        {"g=gate:4433\ne=a:1\nr=1\rKey = x\n\n", "cannot be"},
        {"g=gate:4433\ne=a:1\nr=<Key>\n\n", "cannot be"},
        {"g=gate:4433\ne=a:1\nr#1\n\n", "cannot be"},
    };
    struct blob ca = certs_read("pki/ca.crt");
    struct token token;
    struct fault fault;
    (void)state;
    // The structures behind the empty line of a real one.
    const char *text = printed(invite) + strlen(TOKEN_PREFIX);
    static uint8_t bytes[TOKEN_TEXT_MAX], made[TOKEN_TEXT_MAX];
    size_t len;
    assert_true(base64url_decode(bytes, &len, text, strlen(text)));
    const uint8_t *rest = memmem(bytes, len, "\n\n", 2);
    rest += 2;
    size_t rest_len = (size_t)(bytes + len - 4 - rest);
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t head = strlen(rows[i].lines);
        memcpy(made, rows[i].lines, head);
        memcpy(made + head, rest, rest_len);
        char *again = token_text(made, head + rest_len);
        bool good = token_read(&token, again, &fault);
        if (good != !rows[i].says || (!good && !strstr(fault.text, rows[i].says)))
            fail_msg("%s: %s", rows[i].lines, good ? "taken" : fault.text);
        if (good)
            token_wipe(&token);
        free(again);
    }
    blob_wipe(&ca);
}

// A certificate that is none of an invitation would have the rights of a portal.
static void test_other_certificate(void **state)
{
    char *text = printed("printf usher1-; { printf 'g=g:1\\ne=a:1\\n\\n'; openssl x509 -in $D/ca.crt -outform DER; "
                         "openssl x509 -in $D/branch.crt -outform DER; openssl ec -in $D/branch.key -outform DER; } "
                         ">$D/t; { cat $D/t; openssl dgst -sha256 -binary $D/t | head -c 4; } | openssl base64 -A | "
                         "tr '+/' '-_' | tr -d =");
    struct token token;
    struct fault fault;
    (void)state;
    assert_false(token_read(&token, text, &fault));
    assert_non_null(strstr(fault.text, "is not one of an invitation"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invitation),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_other_certificate),
    };
    return cmocka_run_group_tests(tests, certs_make, certs_remove);
}
