// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/resolver/hosts.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char TEXT[] = "127.0.0.1\tlocalhost\n"
                           "::1 localhost ip6-localhost # 192.0.2.9 hidden\n"
                           "#192.0.2.8 hidden\n"
                           "\n"
                           "  192.0.2.1   One one.example\r\n"
                           "192.0.2.2 two.example one.example#glued\n"
                           "2001:db8::1%eth0 scoped\n"
                           "fd00::1 six\n"
                           "not-an-address odd\n"
                           "192.0.2.3\n"
                           "192.0.2.4 last";

static void test_what_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t count;
        const char *first;
    } cases[] = {
        {"localhost", 2, "127.0.0.1"},
        {"ip6-localhost", 1, "::1"},
        {"ONE", 1, "192.0.2.1"},
        {"one.example", 2, "192.0.2.1"},
        {"one.example.", 2, "192.0.2.1"},
        {"two.example", 1, "192.0.2.2"},
        {"six", 1, "fd00::1"},
        {"last", 1, "192.0.2.4"},
        {"glued", 0, ""},
        {"hidden", 0, ""},
        {"scoped", 0, ""},
        {"odd", 0, ""},
        {"192.0.2.3", 0, ""},
        {"las", 0, ""},
        {"lastly", 0, ""},
        {"", 0, ""},
        {".", 0, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct address found[4];
        char text[ADDRESS_TEXT_SIZE];
        size_t count = hosts_find(TEXT, cases[i].name, found, 4);
        CASE(cases[i].name, count == cases[i].count);
        if (count)
            assert_string_equal(address_text(&found[0], text), cases[i].first);
    }
    struct address one;
    assert_int_equal(hosts_find(TEXT, "one.example", &one, 1), 1);
    assert_int_equal(hosts_find("", "one.example", &one, 1), 0);
}

static void test_reading(void **state)
{
    (void)state;
    int fd = memfd_create("hosts", MFD_CLOEXEC);
    assert_int_equal(write(fd, TEXT, strlen(TEXT)), strlen(TEXT));
    for (int i = 0; i < 2; i++) { // whoever read it before
        char *text = hosts_read(fd);
        assert_string_equal(text, TEXT);
        free(text);
    }
    assert_int_equal(ftruncate(fd, HOSTS_SIZE_MAX), 0);
    char *most = hosts_read(fd);
    assert_non_null(most);
    free(most);
    assert_int_equal(ftruncate(fd, HOSTS_SIZE_MAX + 1), 0);
    assert_null(hosts_read(fd));
    close(fd);
    assert_null(hosts_read(fd));
    assert_null(hosts_read(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_found),
        cmocka_unit_test(test_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
