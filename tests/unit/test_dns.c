// SPDX-License-Identifier: GPL-2.0-or-later
// DNS messages as they come from anybody, and those that are written.
#include "packet/dns.h"
#include "unit.h"

#include <string.h>

#define HEAD(id, flags, counts) id flags counts
#define ONE                     "\0\1\0\0\0\0\0\0" // a question, and nothing behind it
#define ONE_AND_EDNS            "\0\1\0\0\0\0\0\1"
#define NAME                    "\3Web\4corp\7EXAMPLE\0"
#define IN_A                    "\0\1\0\1"
#define EDNS(size, version)     "\0\0\x29" size "\0" version "\0\0\0\0"

// Of a literal, without its NUL.
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static const uint8_t QUERY[] = HEAD("\x12\x34", "\1\0", ONE) NAME IN_A;
enum { QUERY_LEN = sizeof QUERY - 1 };

static void test_questions(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const uint8_t *bytes;
        size_t len;
        enum dns_rcode wrong;
        uint16_t size;
    } cases[] = {
        {"plain", BYTES(HEAD("\x12\x34", "\1\0", ONE) NAME IN_A), DNS_NOERROR, 512},
        {"root", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\0" IN_A), DNS_NOERROR, 512},
        {"edns", BYTES(HEAD("\x12\x34", "\1\0", ONE_AND_EDNS) NAME IN_A EDNS("\x10\0", "\0")), DNS_NOERROR, 4096},
        {"small edns", BYTES(HEAD("\x12\x34", "\1\0", ONE_AND_EDNS) NAME IN_A EDNS("\0\1", "\0")), DNS_NOERROR, 512},
        {"edns of the future", BYTES(HEAD("\x12\x34", "\1\0", ONE_AND_EDNS) NAME IN_A EDNS("\x10\0", "\1")),
         DNS_BADVERS, 4096},
        {"edns behind a compressed record",
         BYTES(HEAD("\x12\x34", "\1\0", "\0\1\0\0\0\1\0\1") NAME IN_A
               "\xc0\x0c\0\6\0\1\0\0\0\0\0\2xx" EDNS("\4\0", "\0")),
         DNS_NOERROR, 1024},
        {"two edns",
         BYTES(HEAD("\x12\x34", "\1\0", "\0\1\0\0\0\0\0\2") NAME IN_A EDNS("\4\0", "\0") EDNS("\4\0", "\0")),
         DNS_FORMERR, 1024},
        {"edns with a name", BYTES(HEAD("\x12\x34", "\1\0", ONE_AND_EDNS) NAME IN_A "\1a" EDNS("\4\0", "\0")),
         DNS_FORMERR, 512},
        {"edns cut", BYTES(HEAD("\x12\x34", "\1\0", ONE_AND_EDNS) NAME IN_A "\0\0\x29\4\0\0\0\0\0\0"), DNS_FORMERR,
         512},
        {"an update", BYTES(HEAD("\x12\x34", "\x29\0", ONE) NAME IN_A), DNS_NOTIMP, 512},
        {"no question", BYTES(HEAD("\x12\x34", "\1\0", "\0\0\0\0\0\0\0\0")), DNS_FORMERR, 512},
        {"two questions", BYTES(HEAD("\x12\x34", "\1\0", "\0\2\0\0\0\0\0\0") NAME IN_A NAME IN_A), DNS_FORMERR, 512},
        {"a name to itself", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\xc0\x0c" IN_A), DNS_FORMERR, 512},
        {"a name into the header", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\3web\xc0\4" IN_A), DNS_FORMERR, 512},
        {"a label of the future", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\x41web\0" IN_A), DNS_FORMERR, 512},
        {"a name without end", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\3web"), DNS_FORMERR, 512},
        {"a name without type", BYTES(HEAD("\x12\x34", "\1\0", ONE) "\3web\0\0\1\0"), DNS_FORMERR, 512},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dns_question question;
        enum dns_rcode wrong;
        CASE(cases[i].what, dns_question_read(&question, &wrong, cases[i].bytes, cases[i].len));
        CASE(cases[i].what, wrong == cases[i].wrong && question.size == cases[i].size && question.id == 0x1234);
        CASE(cases[i].what, wrong != DNS_NOERROR || (question.type == DNS_A && question.class == DNS_IN));
    }
}

static void test_what_is_not_answered(void **state)
{
    (void)state;
    struct dns_question question;
    enum dns_rcode wrong;
    for (size_t len = 0; len < DNS_HEADER_SIZE; len++)
        assert_false(dns_question_read(&question, &wrong, QUERY, len));
    assert_false(dns_question_read(&question, &wrong, BYTES(HEAD("\x12\x34", "\x81\0", ONE) NAME IN_A)));
}

// 255 bytes are a name, 256 none.
static void test_longest_name(void **state)
{
    (void)state;
    uint8_t bytes[DNS_HEADER_SIZE + 300] = {0x12, 0x34, 1, 0, 0, 1};
    struct dns_question question;
    enum dns_rcode wrong;
    char text[DNS_TEXT_SIZE];
    for (unsigned last = 61; last <= 62; last++) {
        uint8_t *at = bytes + DNS_HEADER_SIZE;
        for (unsigned label = 0; label < 4; label++) {
            *at = (uint8_t)(label < 3 ? 63 : last);
            memset(at + 1, 0xff, *at); // takes the most room as text
            at += *at + 1;
        }
        memcpy(at, "\0\0\1\0\1", 5);
        size_t len = (size_t)(at + 5 - bytes);
        assert_true(dns_question_read(&question, &wrong, bytes, len));
        assert_int_equal(wrong, last == 61 ? DNS_NOERROR : DNS_FORMERR);
        if (last == 61)
            assert_int_equal(strlen(dns_name_text(&question, text)), 4 * (3 * 63 + 61) + 3);
    }
}

static struct dns_question read_query(const uint8_t *bytes, size_t len)
{
    struct dns_question question;
    enum dns_rcode wrong;
    assert_true(dns_question_read(&question, &wrong, bytes, len));
    assert_int_equal(wrong, DNS_NOERROR);
    return question;
}

static void test_text(void **state)
{
    (void)state;
    char text[DNS_TEXT_SIZE];
    struct dns_question question = read_query(QUERY, QUERY_LEN);
    assert_string_equal(dns_name_text(&question, text), "web.corp.example");
    question = read_query(BYTES(HEAD("\x12\x34", "\1\0", ONE) "\7a.b\\c d\2\xc3\xbc\0" IN_A));
    assert_string_equal(dns_name_text(&question, text), "a\\046b\\092c\\032d.\\195\\188");
    question = read_query(BYTES(HEAD("\x12\x34", "\1\0", ONE) "\0" IN_A));
    assert_string_equal(dns_name_text(&question, text), "");
}

static void test_whose_answer(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const uint8_t *bytes;
        size_t len;
        bool is;
    } cases[] = {
        {"the answer", BYTES(HEAD("\0\0", "\x81\x80", "\0\1\0\1\0\0\0\0") NAME IN_A "whatever"), true},
        {"in small letters", BYTES(HEAD("\0\0", "\x81\x80", ONE) "\3web\4corp\7example\0" IN_A), true},
        {"of another name", BYTES(HEAD("\0\0", "\x81\x80", ONE) "\3wfb\4corp\7example\0" IN_A), false},
        {"of a name in it", BYTES(HEAD("\0\0", "\x81\x80", ONE) "\4corp\7example\0" IN_A), false},
        {"of another type", BYTES(HEAD("\0\0", "\x81\x80", ONE) NAME "\0\x1c\0\1"), false},
        {"of another class", BYTES(HEAD("\0\0", "\x81\x80", ONE) NAME "\0\1\0\3"), false},
        {"a question", BYTES(HEAD("\0\0", "\1\0", ONE) NAME IN_A), false},
        {"two questions", BYTES(HEAD("\0\0", "\x81\x80", "\0\2\0\0\0\0\0\0") NAME IN_A NAME IN_A), false},
        {"a refusal alone", BYTES(HEAD("\0\0", "\x81\x85", "\0\0\0\0\0\0\0\0")), true},
        {"nothing", BYTES(HEAD("\0\0", "\x81\x80", "\0\0\0\0\0\0\0\0")), false},
        {"half a header", BYTES("\0\0\x81\x85\0\0"), false},
    };
    const struct dns_question question = read_query(QUERY, QUERY_LEN);
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].what, dns_answers(cases[i].bytes, cases[i].len, &question) == cases[i].is);
}

static void expect(const uint8_t *got, size_t len, const uint8_t *wanted, size_t wanted_len)
{
    assert_int_equal(len, wanted_len);
    assert_memory_equal(got, wanted, wanted_len);
}

static void test_writing(void **state)
{
    (void)state;
    uint8_t room[DNS_ANSWER_SIZE];
    struct dns_question question = read_query(BYTES(HEAD("\x12\x34", "\1\x10", ONE) NAME IN_A));
    const struct address v4[] = {{4, {10, 0, 0, 1}}, {4, {10, 0, 0, 2}}}, v6 = {6, {0xfd, [15] = 1}};
    expect(room, dns_write(room, &question, &(struct dns_answer){.addrs = v4, .count = 2, .ttl = 60}),
           BYTES(HEAD("\x12\x34", "\x81\x90", "\0\1\0\2\0\0\0\0") NAME IN_A
                 "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\2"));
    expect(room, dns_write(room, &question, &(struct dns_answer){.rcode = DNS_NXDOMAIN}),
           BYTES(HEAD("\x12\x34", "\x81\x93", ONE) NAME IN_A));
    expect(room, dns_write(room, &question, &(struct dns_answer){.addrs = v4, .count = 2, .truncated = true}),
           BYTES(HEAD("\x12\x34", "\x83\x90", ONE) NAME IN_A));
    question.type = DNS_AAAA;
    question.has_edns = true;
    expect(room, dns_write(room, &question, &(struct dns_answer){.addrs = &v6, .count = 1, .ttl = 1}),
           BYTES(HEAD("\x12\x34", "\x81\x90", "\0\1\0\1\0\0\0\1") NAME
                 "\0\x1c\0\1"
                 "\xc0\x0c\0\x1c\0\1\0\0\0\1\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" EDNS("\4\xd0", "\0")));
    expect(room, dns_write(room, &question, &(struct dns_answer){.rcode = DNS_BADVERS}),
           BYTES(HEAD("\x12\x34", "\x81\x90", ONE_AND_EDNS) NAME "\0\x1c\0\1"
                                                                 "\0\0\x29\4\xd0\1\0\0\0\0\0"));
    question.type = DNS_PTR;
    question.has_edns = false;
    expect(room, dns_write(room, &question, &(struct dns_answer){.pointer = "a.bc", .ttl = 1}),
           BYTES(HEAD("\x12\x34", "\x81\x90", "\0\1\0\1\0\0\0\0") NAME "\0\x0c\0\1"
                                                                       "\xc0\x0c\0\x0c\0\1\0\0\0\1\0\6\1a\2bc\0"));
    question.name_len = 0; // it could not be read
    expect(room, dns_write(room, &question, &(struct dns_answer){.rcode = DNS_FORMERR}),
           BYTES(HEAD("\x12\x34", "\x81\x91", "\0\0\0\0\0\0\0\0")));
}

static void test_ids(void **state)
{
    (void)state;
    uint8_t bytes[DNS_HEADER_SIZE] = {0x12, 0x34, 0x56};
    assert_int_equal(dns_id(bytes), 0x1234);
    dns_set_id(bytes, 0xfedc);
    assert_int_equal(dns_id(bytes), 0xfedc);
    assert_int_equal(bytes[2], 0x56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions),    cmocka_unit_test(test_what_is_not_answered),
        cmocka_unit_test(test_longest_name), cmocka_unit_test(test_text),
        cmocka_unit_test(test_whose_answer), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
