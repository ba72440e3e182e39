// SPDX-License-Identifier: GPL-2.0-or-later
// The messages of enrolment: what is written is read again, and nothing else is.
#include "unit.h"

#include "enrol/message.h"

#include <stdio.h>
#include <string.h>

#define SPAN(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})

static bool is(const struct span *span, const char *text)
{
    return span_is(span, text, strlen(text));
}

// Cut anywhere, or with a byte behind it, it is none.
static void read_cut(const struct blob *message, bool (*reads)(const uint8_t *bytes, size_t len))
{
    uint8_t longer[256];
    size_t len = message->len - ENROL_LENGTH;
    assert_int_equal(enrol_length(message->bytes, ENROL_REQUEST_MAX), len);
    assert_int_equal(enrol_length(message->bytes, len - 1), 0);
    assert_true(reads(message->bytes + ENROL_LENGTH, len));
    for (size_t cut = 0; cut < len; cut++)
        assert_false(reads(message->bytes + ENROL_LENGTH, cut));
    memcpy(longer, message->bytes + ENROL_LENGTH, len);
    longer[len] = 0;
    assert_false(reads(longer, len + 1));
}

static bool reads_request(const uint8_t *bytes, size_t len)
{
    struct enrol_request request;
    return enrol_request_read(&request, bytes, len);
}

static bool reads_answer(const uint8_t *bytes, size_t len)
{
    struct enrol_answer answer;
    return enrol_answer_read(&answer, bytes, len);
}

static void test_request(void **state)
{
    struct enrol_request read;
    (void)state;
    struct blob statement = enrol_statement(&SPAN("certificate"), &SPAN("request"));
    struct blob message = enrol_request_write(&statement, &SPAN("signature"));
    static const uint8_t vector[] = "\0\0\0\x30usher-enrol/1\0\1\0\013certificate\0\007request\0\011signature";
    assert_int_equal(message.len, sizeof vector - 1);
    assert_memory_equal(message.bytes, vector, message.len);
    read_cut(&message, reads_request);
    assert_true(enrol_request_read(&read, message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    assert_true(read.kind == ENROL_CERTIFICATE && is(&read.certificate, "certificate") &&
                is(&read.request, "request") && is(&read.signature, "signature"));
    assert_true(span_is(&read.statement, statement.bytes, statement.len));
    message.bytes[ENROL_LENGTH + 14] = 3; // a kind that is not known
    assert_false(reads_request(message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    blob_wipe(&statement);
    blob_wipe(&message);
    message = enrol_list_request_write();
    read_cut(&message, reads_request);
    message.bytes[ENROL_LENGTH] ^= 1;
    assert_false(reads_request(message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    blob_wipe(&message);
}

static void test_answer(void **state)
{
    struct enrol_answer given = {.given = true, .certificate = SPAN("certificate"), .list = SPAN("list")}, read;
    struct enrol_answer refused = {.given = false, .why = "no"};
    (void)state;
    struct blob message = enrol_answer_write(&given);
    read_cut(&message, reads_answer);
    assert_true(enrol_answer_read(&read, message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    assert_true(read.given && is(&read.certificate, "certificate") && is(&read.list, "list"));
    message.bytes[ENROL_LENGTH] = 2; // a result that is not known
    assert_false(reads_answer(message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    blob_wipe(&message);
    message = enrol_answer_write(&refused);
    read_cut(&message, reads_answer);
    assert_true(enrol_answer_read(&read, message.bytes + ENROL_LENGTH, message.len - ENROL_LENGTH));
    assert_true(!read.given && !strcmp(read.why, "no"));
    blob_wipe(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_request), cmocka_unit_test(test_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
