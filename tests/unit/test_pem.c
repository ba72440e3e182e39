// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks found in texts, one by one: what is in them, and what is none.
#include "unit.h"

#include "link/tls/pem.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const char *name, *text;
    enum pem_result result;
    const char *label, *bytes;
    bool encrypted;
};

#define BEGIN "-----BEGIN A B-----"
#define END   "-----END A B-----"

static const struct row rows[] = {
    {"plain", BEGIN "\nQUJD\n" END "\n", PEM_BLOCK, "A B", "ABC", false},
    {"without an end of line", BEGIN "\nQUJD\n" END, PEM_BLOCK, "A B", "ABC", false},
    {"CRLF", BEGIN "\r\nQUJD\r\n" END "\r\n", PEM_BLOCK, "A B", "ABC", false},
    {"CR", BEGIN "\rQUJD\r" END "\r", PEM_BLOCK, "A B", "ABC", false},
    {"one line", BEGIN "QUJD" END, PEM_BLOCK, "A B", "ABC", false},
    {"text around", "x: y\n" BEGIN "\nQUJD\n" END "\nand so on", PEM_BLOCK, "A B", "ABC", false},
    {"BOM", "\xef\xbb\xbf" BEGIN "\nQUJD\n" END "\n", PEM_BLOCK, "A B", "ABC", false},
    {"spaces", "  " BEGIN " \n QU JD\t\n  " END, PEM_BLOCK, "A B", "ABC", false},
    {"padding", BEGIN "\nQQ==\n" END, PEM_BLOCK, "A B", "A", false},
    {"headers", BEGIN "\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nQUJD\n" END, PEM_BLOCK, "A B", "ABC", true},
    {"other headers", BEGIN "\r\nComment: \"x\"\r\n\r\nQUJD\r\n" END, PEM_BLOCK, "A B", "ABC", false},
    {"nothing", "", PEM_END, NULL, NULL, false},
    {"text", "-----BEGINNING", PEM_END, NULL, NULL, false},
    {"only an end", "QUJD\n" END "\n", PEM_END, NULL, NULL, false},
    {"no end", BEGIN "\nQUJD\n", PEM_BROKEN, NULL, NULL, false},
    {"half a mark", "-----BEGIN A B", PEM_BROKEN, NULL, NULL, false},
    {"half an end", BEGIN "\nQUJD\n-----END A B", PEM_BROKEN, NULL, NULL, false},
    {"another end", BEGIN "\nQUJD\n-----END C-----\n", PEM_BROKEN, NULL, NULL, false},
    {"a mark over lines", "-----BEGIN A\nB-----\nQUJD\n" END, PEM_BROKEN, NULL, NULL, false},
    {"empty", BEGIN "\n" END, PEM_BROKEN, NULL, NULL, false},
    {"no base64", BEGIN "\nQU*D\n" END, PEM_BROKEN, NULL, NULL, false},
    {"a letter too few", BEGIN "\nQUJDQUJ\n" END, PEM_BROKEN, NULL, NULL, false},
    {"DER", "\x30\x03\x02\x01\x05", PEM_BLOCK, "", "\x30\x03\x02\x01\x05", false},
    {"DER and an end of line", "\x30\x03\x02\x01\x05\n", PEM_BLOCK, "", "\x30\x03\x02\x01\x05", false},
    {"DER and more", "\x30\x03\x02\x01\x05\x02", PEM_END, NULL, NULL, false},
};

static void test_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct span in = {(const uint8_t *)row->text, strlen(row->text)};
        struct pem_block block;
        enum pem_result result = pem_next(&in, &block);
        if (result != row->result)
            fail_msg("%s: %d", row->name, result);
        if (result == PEM_BLOCK) {
            CASE(row->name, pem_is(&block, row->label) && !pem_is(&block, "A"));
            CASE(row->name, block.encrypted == row->encrypted);
            CASE(row->name, block.der.len == strlen(row->bytes));
            CASE(row->name, !memcmp(block.der.bytes, row->bytes, block.der.len));
            blob_wipe(&block.der);
            CASE(row->name, pem_next(&in, &block) == PEM_END);
        }
        CASE(row->name, !block.der.bytes);
    }
}

static void test_several(void **state)
{
    (void)state;
    static const char text[] =
        "-----BEGIN X-----\nQQ==\n-----END X-----\n\n# y\n-----BEGIN Y-----\nQkI=\n-----END Y-----\n";
    struct span in = {(const uint8_t *)text, sizeof text - 1};
    struct pem_block block;
    assert_int_equal(pem_next(&in, &block), PEM_BLOCK);
    assert_true(pem_is(&block, "X") && block.der.len == 1);
    blob_wipe(&block.der);
    assert_int_equal(pem_next(&in, &block), PEM_BLOCK);
    assert_true(pem_is(&block, "Y") && block.der.len == 2);
    blob_wipe(&block.der);
    assert_int_equal(pem_next(&in, &block), PEM_END);
}

static void test_wide(void **state)
{
    (void)state;
    static const struct span wide = {(const uint8_t *)"\xff\xfe-\0", 4}, narrow = {(const uint8_t *)"-----", 5};
    assert_true(pem_is_wide(&wide));
    assert_false(pem_is_wide(&narrow));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
