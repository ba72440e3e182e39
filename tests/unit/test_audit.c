// SPDX-License-Identifier: GPL-2.0-or-later
// What a worker says for the audit file survives the way, or is none; and whatever it says, the line is one of JSON.
#include "base/json.h"
#include "gate/audit/line.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static void json_is_what_it_should_be(void **state)
{
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"a\"b\\c/d", "a\\\\x22b\\\\x5cc/d"},
        {"\n\t\x7f\x1b", "\\\\x0a\\\\x09\\\\x7f\\\\x1b"},
        {"\xc3\xa9\xff", "\\\\xc3\\\\xa9\\\\xff"},
        {"</script>'", "</script>'"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char room[256], wanted[256];
        struct json_line line = json_begin(room, sizeof room);
        json_text(&line, "name", cases[i].value);
        json_number(&line, "number", UINT64_MAX);
        size_t len = json_end(&line);
        snprintf(wanted, sizeof wanted, "{\"name\":\"%s\",\"number\":18446744073709551615}\n", cases[i].written);
        CASE(cases[i].written, len == strlen(wanted) && !memcmp(room, wanted, len));
    }
}

static void json_that_does_not_fit_is_none(void **state)
{
    (void)state;
    for (size_t size = 0; size < 14; size++) {
        char room[16];
        memset(room, 'z', sizeof room);
        struct json_line line = json_begin(room, size);
        json_text(&line, "a", "\n");
        assert_int_equal(json_end(&line), 0);
        assert_int_equal(room[size], 'z');
    }
    char room[14];
    struct json_line line = json_begin(room, sizeof room);
    json_text(&line, "a", "\n");
    assert_int_equal(json_end(&line), sizeof room);
}

static struct audit_record whole(void)
{
    struct audit_record record = {.kind = AUDIT_SESSION,
                                  .at = 1764381780123,
                                  .end = AUDIT_RESET,
                                  .text = "why \"so\"",
                                  .account = {.ours = true,
                                              .via = "dial",
                                              .protocol = 6,
                                              .asked = "web.corp.example",
                                              .port = 443,
                                              .line = 12,
                                              .rule = "Allow = tcp:*.corp.example:443",
                                              .received = INT64_MAX,
                                              .sent = 7,
                                              .ms = 1001,
                                              .how = {.by_us = true, .word = USHER_TIMEOUT}}};
    assert_true(endpoint_parse(&record.account.from, "[fd01::2]:5000"));
    assert_true(endpoint_parse(&record.account.reached, "10.73.0.9:443"));
    return record;
}

static size_t write_record(uint8_t *room, size_t size, const struct audit_record *record)
{
    struct writer w = writer_over(room, size);
    audit_record_write(&w, record);
    assert_false(w.failed);
    return size - writer_left(&w);
}

static const struct audit_place place = {"main", "/etc/usher/main.conf"};

static struct audit_tunnel tunnel(void)
{
    struct audit_tunnel tunnel = {.portal = "branch", .serial = "01AB", .since = 0x692a0000, .pid = 0x1234};
    assert_true(endpoint_parse(&tunnel.peer, "192.0.2.1:4711"));
    return tunnel;
}

#define HEAD(event)                                                                                                    \
    "{\"time\":\"2025-11-29T02:03:00.123Z\",\"event\":\"" event                                                        \
    "\",\"gate\":\"main\",\"portal\":\"branch\",\"serial\":\"01AB\","                                                  \
    "\"peer\":\"192.0.2.1:4711\",\"tunnel\":\"692a0000-1234\""

static void lines_say_it_all(void **state)
{
    static char room[AUDIT_LINE_MAX];
    (void)state;
    static const char wanted[] =
        HEAD("session") ",\"opened_by\":\"gate\",\"via\":\"dial\",\"protocol\":\"tcp\",\"from\":\"[fd01::2]:5000\","
                        "\"destination\":\"web.corp.example:443\",\"address\":\"10.73.0.9\","
                        "\"rule\":\"Allow = tcp:*.corp.example:443\",\"place\":\"/etc/usher/main.conf:12\","
                        "\"bytes_in\":9223372036854775807,\"bytes_out\":7,\"duration_ms\":1001,\"end\":\"reset\","
                        "\"by\":\"gate\","
                        "\"why\":\"timeout\",\"text\":\"why \\\\x22so\\\\x22\"}\n";
    uint8_t bytes[AUDIT_RECORD_MAX];
    struct audit_record record = whole(), read;
    const struct audit_tunnel whose = tunnel();
    struct reader r = reader_over(bytes, write_record(bytes, sizeof bytes, &record));
    assert_true(audit_record_read(&r, &read));
    assert_int_equal(reader_left(&r), 0);
    size_t len = audit_line_record(room, &place, &whose, &read);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(room, wanted, len);
}

static void of_one_far_end_of_several(void **state)
{
    static char room[AUDIT_LINE_MAX];
    (void)state;
    for (unsigned ours = 0; ours < 2; ours++) {
        uint8_t bytes[AUDIT_RECORD_MAX];
        struct audit_record record = whole(), read;
        const struct audit_tunnel whose = tunnel();
        record.account.association = 4000000000;
        record.account.ours = ours;
        struct reader r = reader_over(bytes, write_record(bytes, sizeof bytes, &record));
        assert_true(audit_record_read(&r, &read));
        assert_int_equal(reader_left(&r), 0);
        assert_int_equal(read.account.ours, ours);
        room[audit_line_record(room, &place, &whose, &read)] = '\0';
        assert_non_null(strstr(room, "\"from\":\"[fd01::2]:5000\",\"association\":4000000000,\"destination\":"));
    }
}

static void ends_have_their_words(void **state)
{
    static char room[AUDIT_LINE_MAX];
    static const struct {
        enum audit_kind kind;
        enum audit_end end;
        enum usher_word word;
        const char *said;
    } cases[] = {
        {AUDIT_SESSION, AUDIT_CLOSED, USHER_FAILED, "\"end\":\"closed\"}\n"},
        {AUDIT_SESSION, AUDIT_REFUSED, USHER_REFUSED, "\"end\":\"refused\",\"by\":\"portal\",\"why\":\"refused\"}\n"},
        {AUDIT_SESSION, AUDIT_REFUSED, USHER_DENIED, "\"end\":\"denied\",\"by\":\"portal\",\"why\":\"denied\"}\n"},
        {AUDIT_SESSION, AUDIT_RESET, USHER_LIMIT, "\"end\":\"reset\",\"by\":\"portal\",\"why\":\"limit\"}\n"},
        {AUDIT_SESSION, AUDIT_RESET, USHER_DENIED, "\"end\":\"reset\",\"by\":\"portal\",\"why\":\"denied\"}\n"},
        {AUDIT_SESSION, AUDIT_LOST, USHER_FAILED, "\"end\":\"lost\"}\n"},
        {AUDIT_SESSION, AUDIT_REVOKED, USHER_FAILED, "\"end\":\"revoked\"}\n"},
        {AUDIT_SESSION, AUDIT_DRAINED, USHER_FAILED, "\"end\":\"drained\"}\n"},
        {AUDIT_SESSION, AUDIT_ENDED, USHER_FAILED, "\"end\":\"ended\"}\n"},
        {AUDIT_DOWN, AUDIT_LOST, USHER_FAILED, "\"tunnel\":\"692a0000-1234\",\"end\":\"lost\"}\n"},
        {AUDIT_PAUSED, AUDIT_LOST, USHER_FAILED, "\"tunnel\":\"692a0000-1234\",\"text\":\"\"}\n"},
    };
    (void)state;
    const struct audit_tunnel whose = tunnel();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct audit_record record = whole();
        record.kind = cases[i].kind;
        record.end = cases[i].end;
        record.text = "";
        record.account.how = (struct usher_over){.word = cases[i].word};
        size_t len = audit_line_record(room, &place, &whose, &record), tail = strlen(cases[i].said);
        CASE(cases[i].said, len > tail && !memcmp(room + len - tail, cases[i].said, tail));
    }
}

static void half_a_record_is_none(void **state)
{
    uint8_t bytes[AUDIT_RECORD_MAX];
    struct audit_record record = whole(), read;
    (void)state;
    size_t len = write_record(bytes, sizeof bytes, &record);
    for (size_t cut = 0; cut < len; cut++) {
        struct reader r = reader_over(bytes, cut);
        assert_false(audit_record_read(&r, &read));
    }
}

static void what_no_worker_says_is_none(void **state)
{
    // At: kind, end, the text's length and its NUL, switches, word, version of an address.
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {{0, AUDIT_KINDS}, {1, AUDIT_ENDS}, {10, 255}, {11, 3},           {12, 0},
                 {21, 4},          {21, 2},         {22, 2},   {23, USHER_WORDS}, {27, 5}};
    uint8_t bytes[AUDIT_RECORD_MAX];
    struct audit_record record = whole(), read;
    (void)state;
    record.text = "12345678"; // so that the account begins at 21
    size_t len = write_record(bytes, sizeof bytes, &record);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        uint8_t before = bytes[wrong[i].at];
        struct reader r = reader_over(bytes, len);
        bytes[wrong[i].at] = wrong[i].value;
        if (audit_record_read(&r, &read))
            fail_msg("%u at %zu is taken", wrong[i].value, wrong[i].at);
        bytes[wrong[i].at] = before;
    }
}

// The longest of everything, every byte of it escaped, has room in both.
static void the_longest(void **state)
{
    static char room[AUDIT_LINE_MAX], text[4096 + 1], name[256];
    uint8_t bytes[AUDIT_RECORD_MAX];
    struct audit_record record = whole(), read;
    struct audit_tunnel whose = tunnel();
    (void)state;
    memset(text, '\x01', sizeof text - 1);
    memset(name, '\x01', sizeof name - 1);
    record.text = record.account.via = record.account.asked = record.account.rule = text;
    record.account.association = UINT32_MAX;
    struct reader r = reader_over(bytes, write_record(bytes, sizeof bytes, &record));
    assert_true(audit_record_read(&r, &read));
    assert_int_equal(strlen(read.text), AUDIT_TEXT_MAX);
    whose.portal = whose.serial = name;
    const struct audit_place far = {name, text};
    size_t len = audit_line_record(room, &far, &whose, &read);
    assert_true(len > 0 && room[len - 1] == '\n' && !memchr(room, '\n', len - 1));
}

static void times(void **state)
{
    static const struct {
        uint64_t at;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {1764381780999, "2025-11-29T02:03:00.999Z"},
                 {253402300799999, "9999-12-31T23:59:59.999Z"},
                 {253402300800000, "1970-01-01T00:00:00.000Z"},
                 {UINT64_MAX, "1970-01-01T00:00:00.615Z"}};
    static char room[AUDIT_LINE_MAX];
    const struct audit_tunnel whose = tunnel();
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct audit_record record = {.kind = AUDIT_DOWN, .at = cases[i].at, .text = ""};
        audit_line_record(room, &place, &whose, &record);
        CASE(cases[i].text, !strncmp(room + strlen("{\"time\":\""), cases[i].text, strlen(cases[i].text)));
    }
}

static void of_operators_and_losses(void **state)
{
    static char room[AUDIT_LINE_MAX];
    (void)state;
    room[audit_line_act(room, &place, "end", 1000, "a\"b")] = '\0';
    assert_non_null(strstr(
        room, "\"event\":\"operator\",\"gate\":\"main\",\"act\":\"end\",\"uid\":1000,\"portal\":\"a\\\\x22b\"}\n"));
    room[audit_line_act(room, &place, "reload", 0, NULL)] = '\0';
    assert_non_null(strstr(room, "\"act\":\"reload\",\"uid\":0}\n"));
    room[audit_line_lost(room, "main", NULL, 12, "No space left on device")] = '\0';
    assert_non_null(
        strstr(room, "\"event\":\"lines_lost\",\"gate\":\"main\",\"lines\":12,\"why\":\"No space left on device\"}\n"));
}

// Readers of JSON have signed numbers: what is larger would make the line none for them.
static void large_numbers(void **state)
{
    (void)state;
    uint8_t room[512];
    for (int i = 0; i < 6; i++) {
        struct audit_record read,
            record = {.kind = AUDIT_SESSION, .text = "", .account = {.via = "", .asked = "", .rule = ""}};
        uint64_t *const numbers[] = {&record.account.received, &record.account.sent, &record.account.ms};
        *numbers[i / 2] = (uint64_t)INT64_MAX + (unsigned)(i % 2);
        struct writer w = writer_over(room, sizeof room);
        audit_record_write(&w, &record);
        struct reader r = reader_over(room, sizeof room - writer_left(&w));
        assert_int_equal(audit_record_read(&r, &read), i % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_numbers),
        cmocka_unit_test(json_is_what_it_should_be),
        cmocka_unit_test(json_that_does_not_fit_is_none),
        cmocka_unit_test(lines_say_it_all),
        cmocka_unit_test(of_one_far_end_of_several),
        cmocka_unit_test(ends_have_their_words),
        cmocka_unit_test(half_a_record_is_none),
        cmocka_unit_test(what_no_worker_says_is_none),
        cmocka_unit_test(the_longest),
        cmocka_unit_test(times),
        cmocka_unit_test(of_operators_and_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
