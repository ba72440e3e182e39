// SPDX-License-Identifier: GPL-2.0-or-later
// When there is a word of what runs out, and which.
#include "unit.h"

#include "config/validity.h"

#include <string.h>

static const usec_t day = 86400 * USEC_PER_SEC, end = 1800000000 * USEC_PER_SEC; // 2027-01-15T08:00:00Z

static const struct {
    enum tls_role role;
    struct validity_item item;
    usec_t wall;
    const char *says; // NULL: nothing
} rows[] = {
    {TLS_PORTAL, {"Certificate", "/a.crt", end}, end - 15 * day, NULL},
    {TLS_PORTAL, {"Certificate", "/a.crt", end}, end - 14 * day - 1, NULL},
    {TLS_PORTAL,
     {"Certificate", "/a.crt", end},
     end - 14 * day,
     "Certificate: /a.crt is valid until 2027-01-15T08:00:00Z, for 14 more days: issue it anew (usher-pki issue DIR "
     "portal "
     "NAME)"},
    {TLS_GATE,
     {"Certificate", "/a.crt", end},
     end - day - 1,
     "Certificate: /a.crt is valid until 2027-01-15T08:00:00Z, for 1 more day: issue it anew (usher-pki issue DIR gate "
     "NAME)"},
    {TLS_PORTAL,
     {"Certificate", "/a.crt", end},
     end - 1,
     "Certificate: /a.crt is valid until 2027-01-15T08:00:00Z, for 0 more days: issue it anew (usher-pki issue DIR "
     "portal NAME)"},
    {TLS_PORTAL,
     {"Certificate", "/a.crt", end},
     end,
     "Certificate: /a.crt is out of date since 2027-01-15T08:00:00Z: issue it anew (usher-pki issue DIR portal NAME)"},
    {TLS_PORTAL,
     {"CA", "/ca.crt", end},
     end + 100 * day,
     "CA: /ca.crt is out of date since 2027-01-15T08:00:00Z: make a new one and issue all that it issued anew "
     "(usher-pki init "
     "DIR, usher-pki issue)"},
    {TLS_GATE,
     {"CRL", "/crl.pem", end},
     end - 2 * day,
     "CRL: /crl.pem is valid until 2027-01-15T08:00:00Z, for 2 more days: make a fresh one (usher-pki crl DIR)"},
    {TLS_GATE, {"CRL", NULL, end}, end, NULL},
    {TLS_GATE, {"CRL", "/crl.pem", USEC_NEVER}, end, NULL},
};

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct validity validity = {.role = rows[i].role, .items = {rows[i].item}};
        struct fault notice = {""};
        bool told = validity_runs_out(&validity, 0, rows[i].wall, &notice);
        if (told != (rows[i].says != NULL) || (told && strcmp(notice.text, rows[i].says)))
            fail_msg("row %zu: \"%s\"", i, notice.text);
    }
}

// Told at the start, a day later and so on; what comes near meanwhile at the next look.
static void test_reminder(void **state)
{
    (void)state;
    const struct validity validity = {
        .items = {{"CA", "/ca", end}, {"Certificate", "/crt", end + 2 * day}, {"CRL", NULL, USEC_NEVER}}};
    const usec_t hour = day / 24, start = end - 13 * day;
    struct validity_reminder reminder;
    struct fault notice;
    validity_reminder_init(&reminder, validity, start);
    for (unsigned look = 1; look <= 100; look++) {
        const usec_t wall = start + look * hour;
        assert_int_equal(validity_reminder_look(&reminder, 0, wall, &notice), look % 24 == 0);
        assert_int_equal(validity_reminder_look(&reminder, 1, wall, &notice), look >= 24 && look % 24 == 0);
        assert_false(validity_reminder_look(&reminder, 2, wall, &notice));
    }
    // The wall clock is set back, and forward again.
    validity_reminder_init(&reminder, validity, 0);
    assert_false(validity_reminder_look(&reminder, 0, 0, &notice));
    assert_true(validity_reminder_look(&reminder, 0, end, &notice));
    assert_false(validity_reminder_look(&reminder, 0, 0, &notice));
    assert_false(validity_reminder_look(&reminder, 0, end, &notice));
}

struct heard {
    size_t items;
    uint64_t days;
    char file[32];
};

static void hear(struct facts *facts, const struct fact *fact)
{
    struct heard *heard = facts->reader;
    if (!strcmp(fact->name, "days_left"))
        heard->days = fact->value;
    if (!strcmp(fact->name, "file"))
        strcpy(heard->file, fact->text);
}

static void begin(struct facts *facts, enum facts_level level, const char *name)
{
    struct heard *heard = facts->reader;
    if (level == FACTS_LIST)
        assert_string_equal(name, "validity");
    heard->items += level == FACTS_ITEM;
}

static void stop(struct facts *facts)
{
    (void)facts;
}

static void test_facts(void **state)
{
    (void)state;
    static const struct facts_ops ops = {.fact = hear, .begin = begin, .end = stop};
    const struct validity validity = {
        .items = {{"CA", "/ca", USEC_NEVER}, {"Certificate", "/crt", end}, {"CRL", NULL, USEC_NEVER}}};
    const usec_t walls[] = {end - 5 * day, end + day};
    for (size_t i = 0; i < COUNT(walls); i++) {
        struct heard heard = {0};
        struct facts facts = {.ops = &ops, .reader = &heard};
        validity_describe(&validity, walls[i], &facts);
        assert_int_equal(heard.items, 1);
        assert_int_equal(heard.days, i == 0 ? 5 : 0);
        assert_string_equal(heard.file, "/crt");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_reminder),
                                       cmocka_unit_test(test_facts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
