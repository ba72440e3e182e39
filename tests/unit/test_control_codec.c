// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of the control session: their bytes, what is malformed, and any splitting of the stream.
#include "usher/control.h"

#include "unit.h"

#include <string.h>

static const struct {
    const char *name;
    uint8_t bytes[80];
    size_t len;
} VECTORS[] = {
    {"hello", {1, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0x7d, 0, '1', '.', '0', 0}, 16},
    {"hello that goes on", {1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0x7d, 0, '1', '.', '0', 0, 0, 0, 0, 1, 0, 0, 0, 9}, 24},
    {"probe", {2, 0, 0, 8, 0, 0, 1, 2, 'a', '.', 'b', 0}, 12},
    {"answer", {3, 0, 0, 10, 0, 0, 1, 2, 0, 3, 0, 0, 0, 60}, 14},
    {"origin", {4, 0, 0, 10, 1, 2, 0x13, 0x88, 0, 4, 10, 1, 0, 2}, 14},
    {"origin over IPv6", {4, 0, 0, 22, 1, 2, 0x13, 0x88, 0, 6, 0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}, 26},
    {"ticket",
     {6, 0, 0, 20, 'f', 'i', 'f', 't', 'e', 'e', 'n', ' ', 'l', 'e', 't', 't', 'e', 'r', 's', 0, 0, 0, 0, 120},
     24},
    {"drain", {5, 0, 0, 1, 1}, 5},
    {"unreachable",
     {7, 0, 0, 24, 1, 2, 10, 1, 0, 2, 0x13, 0x88, 10, 73, 0, 2, 0, 53, 'd', 'e', 'n', 'i', 'e', 'd', ':', ' ', 'x', 0},
     28},
    {"one without addresses",
     {7, 0, 0, 24, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'd', 'e', 'n', 'i', 'e', 'd', ':', ' ', 'x', 0},
     28},
};

static const struct endpoint INSIDE = {.addr = {.version = 4, .bytes = {10, 1, 0, 2}}, .port = 5000};
static const struct endpoint INSIDE6 = {
    .addr = {.version = 6, .bytes = {0xfd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}}, .port = 5000};
static const struct endpoint OUTSIDE = {.addr = {.version = 4, .bytes = {10, 73, 0, 2}}, .port = 53};

static void check(const char *name, const struct control_message *message)
{
    struct control_hello hello;
    struct control_probe probe;
    struct control_answer answer;
    struct control_drain drain;
    struct control_unreachable unreachable;
    struct control_origin origin;
    struct control_ticket ticket;
    switch (message->type) {
    case CONTROL_HELLO:
        CASE(name, control_hello_decode(&hello, message));
        CASE(name, hello.can == CONTROL_CAN_PROBE && hello.sessions == 32000 && !strcmp(hello.version, "1.0"));
        CASE(name, hello.continues == (message->length == 20));
        CASE(name, hello.taken == (hello.continues ? 0x100000009 : 0));
        break;
    case CONTROL_PROBE:
        CASE(name, control_probe_decode(&probe, message));
        CASE(name, probe.id == 0x102 && !strcmp(probe.name, "a.b"));
        break;
    case CONTROL_TICKET:
        CASE(name, control_ticket_decode(&ticket, message));
        CASE(name, !memcmp(ticket.number, "fifteen letters", sizeof ticket.number) && ticket.seconds == 120);
        break;
    case CONTROL_DRAIN:
        CASE(name, control_drain_decode(&drain, message) && drain.left);
        break;
    case CONTROL_UNREACHABLE:
        CASE(name, control_unreachable_decode(&unreachable, message) && unreachable.session == 0x102);
        CASE(name, unreachable.what.word == USHER_DENIED && !strcmp(unreachable.what.text, "x"));
        if (message->body[2] == 0) {
            CASE(name, unreachable.what.from.addr.version == 0 && unreachable.what.to.addr.version == 0);
            break;
        }
        CASE(name, endpoint_equal(&unreachable.what.from, &INSIDE) && endpoint_equal(&unreachable.what.to, &OUTSIDE));
        break;
    case CONTROL_ORIGIN:
        CASE(name, control_origin_decode(&origin, message) && origin.session == 0x102);
        CASE(name, endpoint_equal(&origin.who, message->length == 10 ? &INSIDE : &INSIDE6));
        break;
    default:
        CASE(name, control_answer_decode(&answer, message));
        CASE(name, answer.id == 0x102 && answer.status == CONTROL_EXISTS && answer.ttl == 60);
        CASE(name, answer.families == (CONTROL_IPV4 | CONTROL_IPV6));
    }
}

static void bytes_of_each(void **state)
{
    (void)state;
    const struct control_hello hello = {.can = CONTROL_CAN_PROBE, .sessions = 32000, .version = "1.0"};
    const struct control_hello again = {
        .can = CONTROL_CAN_PROBE, .sessions = 32000, .version = "1.0", .continues = true, .taken = 0x100000009};
    const struct control_probe probe = {.id = 0x102, .name = "a.b"};
    const struct control_answer answer = {
        .id = 0x102, .status = CONTROL_EXISTS, .families = CONTROL_IPV4 | CONTROL_IPV6, .ttl = 60};
    const struct control_ticket ticket = {.number = "fifteen letters", .seconds = 120};
    const struct control_drain drain = {.left = true};
    const struct control_unreachable unreachable = {
        .session = 0x102, .what = {.from = INSIDE, .to = OUTSIDE, .word = USHER_DENIED, .text = "x"}};
    const struct control_unreachable nameless = {.session = 0x102, .what = {.word = USHER_DENIED, .text = "x"}};
    for (size_t i = 0; i < COUNT(VECTORS); i++) {
        uint8_t room[80];
        struct writer w = writer_over(room, sizeof room);
        if (i == 0)
            control_hello_encode(&w, &hello);
        else if (i == 1)
            control_hello_encode(&w, &again);
        else if (i == 2)
            control_probe_encode(&w, &probe);
        else if (i == 3)
            control_answer_encode(&w, &answer);
        else if (i <= 5)
            control_origin_encode(&w, &(struct control_origin){.session = 0x102, .who = i == 4 ? INSIDE : INSIDE6});
        else if (i == 6)
            control_ticket_encode(&w, &ticket);
        else if (i == 7)
            control_drain_encode(&w, &drain);
        else
            control_unreachable_encode(&w, i == 8 ? &unreachable : &nameless);
        CASE(VECTORS[i].name, !w.failed && sizeof room - writer_left(&w) == VECTORS[i].len);
        CASE(VECTORS[i].name, !memcmp(room, VECTORS[i].bytes, VECTORS[i].len));
    }
}

// All of them, twice, in pieces of every length.
static void split_anyhow(void **state)
{
    (void)state;
    uint8_t stream[400];
    size_t len = 0;
    for (size_t i = 0; i < 2 * COUNT(VECTORS); i++) {
        memcpy(stream + len, VECTORS[i % COUNT(VECTORS)].bytes, VECTORS[i % COUNT(VECTORS)].len);
        len += VECTORS[i % COUNT(VECTORS)].len;
    }
    for (size_t piece = 1; piece <= len; piece++) {
        struct control_reader reader = {0};
        struct control_message message;
        size_t count = 0;
        for (size_t at = 0; at < len; at += piece) {
            struct reader in = reader_over(stream + at, piece < len - at ? piece : len - at);
            while (control_read(&reader, &in, &message) == CONTROL_WHOLE)
                check(VECTORS[count++ % COUNT(VECTORS)].name, &message);
            assert_int_equal(reader_left(&in), 0);
        }
        assert_int_equal(count, 2 * COUNT(VECTORS));
    }
}

static void as_long_as_may_be(void **state)
{
    (void)state;
    static uint8_t bytes[CONTROL_MESSAGE_MAX + 1];
    static const struct {
        uint16_t length;
        enum control_read read;
    } cases[] = {{0, CONTROL_WHOLE},
                 {CONTROL_BODY_MAX, CONTROL_WHOLE},
                 {CONTROL_BODY_MAX + 1, CONTROL_TOO_LONG},
                 {UINT16_MAX, CONTROL_TOO_LONG}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct control_reader reader = {0};
        struct control_message message;
        struct writer w = writer_over(bytes, CONTROL_HEADER_SIZE);
        writer_u8(&w, 200);
        writer_u8(&w, 1);
        writer_u16(&w, cases[i].length);
        struct reader in = reader_over(bytes, sizeof bytes);
        assert_int_equal(control_read(&reader, &in, &message), cases[i].read);
        assert_true(message.type == 200 && message.flags == 1 && message.length == cases[i].length);
    }
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t type;
        const char *body;
        size_t len;
        bool good;
    } cases[] = {
        {"empty hello", CONTROL_HELLO, "", 0, false},
        {"hello without its version", CONTROL_HELLO, "\0\0\0\1\0\0\0\1", 8, false},
        {"hello without the NUL", CONTROL_HELLO, "\0\0\0\1\0\0\0\1v", 9, false},
        {"hello without any text", CONTROL_HELLO, "\0\0\0\1\0\0\0\1\0", 9, true},
        {"hello of a later version", CONTROL_HELLO, "\377\377\377\377\0\0\0\1v\0and more", 18, true},
        {"hello, 63 bytes", CONTROL_HELLO,
         "\0\0\0\1\0\0\0\1"
         "123456789012345678901234567890123456789012345678901234567890123",
         72, true},
        {"hello, 64 bytes", CONTROL_HELLO,
         "\0\0\0\1\0\0\0\1"
         "1234567890123456789012345678901234567890123456789012345678901234",
         73, false},
        {"probe without a name", CONTROL_PROBE, "\0\0\0\1", 4, false},
        {"probe without the NUL", CONTROL_PROBE, "\0\0\0\1a", 5, false},
        {"probe with a short id", CONTROL_PROBE, "\0\0\1", 3, false},
        {"probe of the empty name", CONTROL_PROBE, "\0\0\0\1\0", 5, true},
        {"short answer", CONTROL_ANSWER, "\0\0\0\1\0\1\0\0\0", 9, false},
        {"long answer", CONTROL_ANSWER, "\0\0\0\1\0\1\0\0\0\1\0", 11, true},
        {"origin without an address", CONTROL_ORIGIN, "\0\2\0\1\0\4\12\1\0", 9, false},
        {"origin with a part of one", CONTROL_ORIGIN, "\0\2\0\1\0\6\12\1\0\2", 10, false},
        {"origin of a later version", CONTROL_ORIGIN, "\0\2\0\1\0\11x", 7, true},
        {"empty drain", CONTROL_DRAIN, "", 0, false},
        {"drain", CONTROL_DRAIN, "\0", 1, true},
        {"drain of a later version", CONTROL_DRAIN, "\311more", 5, true},
        {"answer of a status that is not known", CONTROL_ANSWER, "\0\0\0\1\311\1\0\0\0\1", 10, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct control_message message = {
            .type = cases[i].type, .length = (uint16_t)cases[i].len, .body = (const uint8_t *)cases[i].body};
        struct control_hello hello;
        struct control_probe probe;
        struct control_drain drain = {0};
        struct control_answer answer = {0};
        struct control_origin origin;
        bool good = cases[i].type == CONTROL_HELLO    ? control_hello_decode(&hello, &message)
                    : cases[i].type == CONTROL_PROBE  ? control_probe_decode(&probe, &message)
                    : cases[i].type == CONTROL_DRAIN  ? control_drain_decode(&drain, &message)
                    : cases[i].type == CONTROL_ORIGIN ? control_origin_decode(&origin, &message)
                                                      : control_answer_decode(&answer, &message);
        CASE(cases[i].name, good == cases[i].good);
        CASE(cases[i].name, answer.status < CONTROL_STATUSES && !drain.left);
    }
}

static void texts_are_cut(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    uint8_t room[CONTROL_MESSAGE_MAX];
    const struct control_hello hello = {.version = name};
    const struct control_probe probe = {.name = name};
    struct control_reader reader = {0};
    struct control_message message;
    struct control_hello hello2;
    struct control_probe probe2;
    struct writer w = writer_over(room, sizeof room);
    control_hello_encode(&w, &hello);
    control_probe_encode(&w, &probe);
    struct reader in = reader_over(room, sizeof room - writer_left(&w));
    assert_int_equal(control_read(&reader, &in, &message), CONTROL_WHOLE);
    assert_true(control_hello_decode(&hello2, &message) && strlen(hello2.version) == CONTROL_VERSION_MAX);
    assert_int_equal(control_read(&reader, &in, &message), CONTROL_WHOLE);
    assert_true(control_probe_decode(&probe2, &message) && strlen(probe2.name) == CONTROL_NAME_MAX);
    struct writer small = writer_over(room, 20);
    control_probe_encode(&small, &probe);
    assert_true(small.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_each), cmocka_unit_test(split_anyhow),  cmocka_unit_test(as_long_as_may_be),
        cmocka_unit_test(malformed),     cmocka_unit_test(texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
