// SPDX-License-Identifier: GPL-2.0-or-later
// Which revocation list may follow which: by number and by date, of each authority for itself.
#include "link/tls/tls.h"
#include "unit.h"

#include <string.h>

// A list of one-byte lengths; `number` NULL: none.
struct list {
    char issuer;
    const char *date; // YYMMDDhhmmssZ
    const uint8_t *number;
    size_t number_len;
};

#define NUMBER(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define EARLY       "260101000000Z"
#define LATE        "260102000000Z"

static void put(struct blob *out, const void *bytes, size_t len)
{
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void put_element(struct blob *out, uint8_t tag, const struct blob *content)
{
    const uint8_t head[] = {tag, (uint8_t)content->len};
    assert_true(content->len < 128);
    put(out, head, sizeof head);
    put(out, content->bytes, content->len);
}

#define ROOM(name)                                                                                                     \
    uint8_t name##_bytes[1024];                                                                                        \
    struct blob name = {name##_bytes, 0}

static void put_extensions(struct blob *out, const struct list *list)
{
    static const uint8_t oid[] = {0x06, 3, 0x55, 0x1d, 0x14};
    ROOM(number);
    ROOM(value);
    ROOM(extension);
    ROOM(sequence);
    ROOM(outer);
    put(&number, list->number, list->number_len);
    put_element(&value, 0x02, &number);
    put(&extension, oid, sizeof oid);
    put_element(&extension, 0x04, &value);
    put_element(&sequence, 0x30, &extension);
    put_element(&outer, 0x30, &sequence);
    put_element(out, 0xa0, &outer);
}

static void put_list(struct blob *out, const struct list *list)
{
    ROOM(body);
    ROOM(whole);
    const uint8_t head[] = {0x30, 0, 0x30, 3, 0x0c, 1, (uint8_t)list->issuer, 0x17, 13};
    put(&body, head, sizeof head);
    put(&body, list->date, 13);
    if (list->number)
        put_extensions(&body, list);
    put_element(&whole, 0x30, &body);
    put_element(out, 0x30, &whole);
}

// Several stand in one text in PEM only.
static void put_pem(struct blob *out, const struct list *list)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char begin[] = "-----BEGIN X509 CRL-----\n", end[] = "\n-----END X509 CRL-----\n";
    ROOM(der);
    put_list(&der, list);
    put(out, begin, strlen(begin));
    for (size_t i = 0; i < der.len; i += 3) {
        uint32_t three = (uint32_t)der.bytes[i] << 16; // zeroes behind the end
        three |= i + 1 < der.len ? (uint32_t)der.bytes[i + 1] << 8 : 0;
        three |= i + 2 < der.len ? der.bytes[i + 2] : 0;
        char four[] = {digits[three >> 18], digits[three >> 12 & 63], i + 1 < der.len ? digits[three >> 6 & 63] : '=',
                       i + 2 < der.len ? digits[three & 63] : '='};
        put(out, four, sizeof four);
    }
    put(out, end, strlen(end));
}

static const struct {
    const char *name;
    struct list before[2], now[2];
    bool may;
} cases[] = {
    {"the same", {{'a', EARLY, NUMBER(5)}}, {{'a', EARLY, NUMBER(5)}}, true},
    {"a greater number", {{'a', EARLY, NUMBER(5)}}, {{'a', EARLY, NUMBER(6)}}, true},
    {"a longer number", {{'a', EARLY, NUMBER(0x7f)}}, {{'a', EARLY, NUMBER(0, 0x80)}}, true},
    {"a smaller number", {{'a', EARLY, NUMBER(5)}}, {{'a', EARLY, NUMBER(4)}}, false},
    {"a shorter number", {{'a', EARLY, NUMBER(1, 0)}}, {{'a', LATE, NUMBER(0x7f)}}, false},
    {"later", {{'a', EARLY, NULL, 0}}, {{'a', LATE, NULL, 0}}, true},
    {"earlier", {{'a', LATE, NULL, 0}}, {{'a', EARLY, NULL, 0}}, false},
    {"earlier with a greater number", {{'a', LATE, NUMBER(5)}}, {{'a', EARLY, NUMBER(6)}}, false},
    {"no number any more", {{'a', EARLY, NUMBER(5)}}, {{'a', LATE, NULL, 0}}, true},
    {"another authority", {{'a', LATE, NUMBER(5)}}, {{'b', EARLY, NUMBER(1)}}, true},
    {"the second is older",
     {{'a', EARLY, NUMBER(5)}, {'b', LATE, NUMBER(2)}},
     {{'a', LATE, NUMBER(6)}, {'b', LATE, NUMBER(1)}},
     false},
    {"in another order",
     {{'a', EARLY, NUMBER(5)}, {'b', LATE, NUMBER(2)}},
     {{'b', LATE, NUMBER(2)}, {'a', LATE, NUMBER(6)}},
     true},
    {"none before", {{0}}, {{'a', EARLY, NUMBER(1)}}, true},
};

static void put_lists(struct blob *out, const struct list lists[2])
{
    for (size_t i = 0; i < 2; i++)
        if (lists[i].issuer)
            put_pem(out, &lists[i]);
}

static void test_cases(void **state)
{
    (void)state;
    struct fault fault;
    for (size_t i = 0; i < COUNT(cases); i++) {
        ROOM(before);
        ROOM(now);
        put_lists(&before, cases[i].before);
        put_lists(&now, cases[i].now);
        CASE(cases[i].name, tls_list_may_follow(&before, &now, &fault) == cases[i].may);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
