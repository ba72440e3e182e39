// SPDX-License-Identifier: GPL-2.0-or-later
// Maps: what a value of them may be, and where they lead.
#include "config/value_map.h"
#include "exchange/guides.h"

#include "unit.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct fault fault;

static bool parse(struct value_maps *maps, const char *value)
{
    const struct config_entry entry = {.argument = "", .value = value};
    fault.text[0] = '\0';
    return value_maps(maps, &entry, NULL, &fault);
}

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *here, *there;
    } cases[] = {
        {"10.50.0.0/24 -> 10.73.0.0/24", "10.50.0.0/24", "10.73.0.0/24"},
        {"10.51.0.0/24->192.168.1.0/24", "10.51.0.0/24", "192.168.1.0/24"},
        {"10.52.0.7\t->\t192.168.1.9", "10.52.0.7/32", "192.168.1.9/32"},
        {"fd50::/64 -> fd73::/64", "fd50::/64", "fd73::/64"},
        {"10.53.0.0/16 -> 10.53.0.0/16", "10.53.0.0/16", "10.53.0.0/16"},
    };
    struct value_maps maps = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[PREFIX_TEXT_SIZE];
        CASE(cases[i].text, parse(&maps, cases[i].text));
        assert_string_equal(prefix_text(&maps.items[i].here, text), cases[i].here);
        assert_string_equal(prefix_text(&maps.items[i].there, text), cases[i].there);
    }
    assert_int_equal(maps.count, COUNT(cases));
    value_maps_fini(&maps);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "is not a map such as"},
        {"10.50.0.0/24", "is not a map such as"},
        {"-> 10.73.0.0/24", "is not a map such as"},
        {"10.50.0.0/24 ->", "is not a map such as"},
        {"10.50.0.0/24 - > 10.73.0.0/24", "is not a map such as"},
        {"10.50.0.0/24 x -> 10.73.0.0/24", "is not a map such as"},
        {"10.50.0.0/24 -> 10.73.0.0/24 x", "is not a map such as"},
        {"10.50.0.0/24 -> 10.73.0.0/24 -> 10.74.0.0/24", "is not a map such as"},
        {"10.50.0.1/24 -> 10.73.0.0/24", "is not a map such as"},
        {"10.50.0.0/24 -> 10.73.0.1/24", "is not a map such as"},
        {"10.50.0.0/24 -> db.corp.example", "is not a map such as"},
        {"10.50.0.0/33 -> 10.73.0.0/33", "is not a map such as"},
        {"10.50.0.0/24 -> 10.73.0.0/25", "maps a /24 to a /25: both must be of one length"},
        {"10.50.0.0/24 -> fd73::/24", "maps one IP version to the other"},
        {"10.40.0.128/25 -> 10.75.0.0/25", "maps addresses that an earlier one maps"},
        {"10.40.0.0/16 -> 10.75.0.0/16", "maps addresses that an earlier one maps"},
    };
    struct value_maps maps = {0};
    assert_true(parse(&maps, "10.40.0.0/24 -> 10.73.0.0/24"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].text, !parse(&maps, cases[i].text));
        CASE(fault.text, strstr(fault.text, cases[i].words));
    }
    assert_int_equal(maps.count, 1);
    value_maps_fini(&maps);
}

static void test_bound(void **state)
{
    (void)state;
    struct value_maps maps = {0};
    for (unsigned i = 0; i <= VALUE_MAPS_MAX; i++) {
        char text[64];
        snprintf(text, sizeof text, "10.%u.0.0/24 -> 10.73.0.0/24", i);
        assert_int_equal(parse(&maps, text), i < VALUE_MAPS_MAX);
    }
    assert_string_equal(fault.text, "is one too many: the list holds 64");
    value_maps_fini(&maps);
}

static void no_wake(void *owner)
{
    (void)owner;
}

static void test_leads(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *there; // NULL: not mapped
    } cases[] = {
        {"10.50.0.0", "192.168.1.0"}, {"10.50.0.255", "192.168.1.255"}, {"10.50.1.0", NULL},
        {"192.168.1.5", NULL},        {"10.51.3.77", "10.73.1.77"}, // a /23: a bit of the third byte is the host's
        {"10.51.2.77", "10.73.0.77"}, {"10.52.0.7", "10.9.9.9"},        {"fd50::1:2:3:4", "fd73::1:2:3:4"},
        {"fd50:0:0:1::1", NULL},      {"web.corp.example", NULL},
    };
    struct value_maps maps = {0};
    assert_true(parse(&maps, "10.50.0.0/24 -> 192.168.1.0/24"));
    assert_true(parse(&maps, "10.51.2.0/23 -> 10.73.0.0/23"));
    assert_true(parse(&maps, "10.52.0.7 -> 10.9.9.9"));
    assert_true(parse(&maps, "fd50::/64 -> fd73::/64"));
    struct guides guides;
    struct map map;
    guides_init(&guides, no_wake, NULL);
    map_init(&map, maps.items, maps.count);
    guides_add(&guides, &map.guide);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int as_text = 0; as_text < 2; as_text++) {
            struct usher_open open = {.protocol = IPPROTO_UDP, .port = 53};
            struct usher_engine *through = NULL;
            char text[ADDRESS_TEXT_SIZE];
            if (as_text || !address_parse(&open.addr, cases[i].asked))
                snprintf(open.host, sizeof open.host, "%s", cases[i].asked);
            enum guide_answer answer = guides_lead(&guides, &open, &through);
            CASE(cases[i].asked, answer == (cases[i].there ? GUIDE_LEADS : GUIDE_NOT_MINE));
            assert_null(through);
            assert_int_equal(open.by_name, cases[i].there != NULL);
            if (cases[i].there)
                assert_string_equal(address_text(&open.addr, text), cases[i].there);
        }
    }
    guides_fini(&guides);
    value_maps_fini(&maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
