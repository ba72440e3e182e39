// SPDX-License-Identifier: GPL-2.0-or-later
// What a support bundle may not hold: keys and passwords however they stand in a file, addresses when asked for.
#include "cli/bundle/scrub.h"
#include "config/portal_conf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"nothing of it", "nothing of it"},
        {"", ""},
        {"password hunter22.", "password (left out)."},
        {"hunter22hunter22", "(left out)(left out)"},
        {"a\n-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----\nb\n", "a\n(left out)\nb\n"},
        {"-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n", "(left out)"},
        {"\"-----BEGIN EC PRIVATE KEY-----\\nMII\\n-----END EC PRIVATE KEY-----\\n\"", "\"(left out)\\n\""},
        {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
         "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"},
        {"10.73.0.2:80", "10.73.0.2:80"},
    };
    struct scrub scrub = {0};
    scrub_secret(&scrub, "hunter22");
    scrub_secret(&scrub, "of"); // too short to be looked for
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = scrub_text(&scrub, cases[i].text);
        assert_string_equal(text, cases[i].shown);
        free(text);
    }
    scrub_fini(&scrub);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"10.73.0.2", "address-1"},
        {"to 10.73.0.2:80, from 10.1.0.2.", "to address-1:80, from address-2."},
        {"[fd73::2]:443 fd73::2/64", "[address-3]:443 address-3/64"},
        {"inet 10.1.0.2/24 brd 10.1.0.255", "inet address-2/24 brd address-4"},
        {"link/ether aa:bb:cc:dd:ee:0f brd ff:ff:ff:ff:ff:ff", "link/ether (hardware address) brd (hardware address)"},
        {"127.0.0.1 ::1 0.0.0.0/0 ::/0 [::]:4433", "127.0.0.1 ::1 0.0.0.0/0 ::/0 [::]:4433"},
        {"12:34:56 2026-11-28T23:18:57Z 1.2.3 deadbeef face", "12:34:56 2026-11-28T23:18:57Z 1.2.3 deadbeef face"},
        {"add.example: cafe:", "add.example: cafe:"},
        {"\"10.73.0.2\",\"fe80::1%eth0\"", "\"address-1\",\"address-5%eth0\""},
        {"v10.73.0.2 10.73.0.2x", "v10.73.0.2 10.73.0.2x"},
    };
    struct scrub scrub = {.anonymous = true};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = scrub_text(&scrub, cases[i].text);
        if (strcmp(text, cases[i].shown))
            fail_msg("%s is %s, not %s", cases[i].text, text, cases[i].shown);
        free(text);
    }
    scrub_fini(&scrub);
}

static char *configuration(struct scrub *scrub, const char *text)
{
    struct portal_conf *conf = calloc(1, sizeof *conf);
    struct config config = {.path = "test"};
    struct blob blob = blob_text(text);
    portal_conf_parse(conf, &config, &blob);
    char *shown = scrub_configuration(scrub, &config, text);
    config_fini(&config);
    blob_wipe(&blob);
    portal_conf_free(conf);
    return shown;
}

// Lines keep their numbers.
static void test_configuration(void **state)
{
    (void)state;
    static const char text[] = "; a comment with a password: hunter22\n"
                               "[Portal]   ; more of it\n"
                               "  Key = /etc/usher/pki/branch.key ; the one\n"
                               "KeyCommand = pass show hunter22\n"
                               "SocksUser = alice99\n"
                               "Route = 10.73.0.0/24, fd73::/64\n"
                               "[Gate]\n"
                               "Address = gate.example.net:4433\n"
                               "Proxy = socks5://robert:hunter33@proxy.example:1080\n"
                               "proxycommand = nc --password hunter44 %h %p\n"
                               "Passwort = hunter55\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0123456789abcdef\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
                               "[hunter66]\n"
                               "-----BEGIN PRIVATE KEY-----\n";
    static const char shown[] = "\n"
                                "[Portal]\n"
                                "Key = /etc/usher/pki/branch.key\n"
                                "KeyCommand = (left out)\n"
                                "SocksUser = (left out)\n"
                                "Route = 10.73.0.0/24, fd73::/64\n"
                                "[Gate]\n"
                                "Address = gate.example.net:4433\n"
                                "Proxy = socks5://(left out)@proxy.example:1080\n"
                                "proxycommand = (left out)\n"
                                "; a line with an unknown key is left out\n"
                                "; a line that is no setting is left out\n"
                                "; a line with an unknown key is left out\n"
                                "; a line that is no setting is left out\n"
                                "; a line that is no setting is left out\n";
    struct scrub scrub = {0};
    char *out = configuration(&scrub, text);
    assert_string_equal(out, shown);
    free(out);
    // And what was left out is left out wherever else it stands.
    out = scrub_text(&scrub, "alice99, robert:hunter33, hunter33, "
                             "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0123456789abcdef");
    assert_string_equal(out, "(left out), (left out), (left out), (left out)");
    free(out);
    scrub_fini(&scrub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
