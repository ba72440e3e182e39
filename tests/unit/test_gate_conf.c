// SPDX-License-Identifier: GPL-2.0-or-later
// A gate's configuration: the documented example, the defaults that usher.conf(5) promises, what is refused, and that
// a worker is briefed with all of it.
#include "gate/briefing.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char EXAMPLE[] = "[Gate]\n"
                              "CA = /etc/usher/pki/ca.crt\n"
                              "Certificate = /etc/usher/pki/gate.crt\n"
                              "Key = /etc/usher/pki/gate.key\n"
                              "%s\n"
                              "[Access branch]                  ; by the certificate's name\n"
                              "Allow = 10.73.0.0/24, fd73::/64  ; every protocol and port\n"
                              "Allow = tcp:10.80.0.0/16:443, udp:10.73.0.53:53, tcp:*.corp.example:22, "
                              "icmp:10.73.0.0/24\n"
                              "Deny  = 10.73.0.66/32\n"
                              "%s\n";

static struct gate_conf *conf;
static char *report;

static bool parse(const char *gate, const char *access)
{
    char text[2048];
    size_t size;
    int len = snprintf(text, sizeof(text), EXAMPLE, gate, access);
    if (conf)
        gate_conf_free(conf);
    free(report);
    conf = calloc(1, sizeof(*conf));
    struct config config = {.path = "gate.conf", .report = open_memstream(&report, &size)};
    FILE *in = fmemopen(text, (size_t)len, "r");
    bool ok = gate_conf_parse(conf, &config, in);
    fclose(in);
    fclose(config.report);
    config_fini(&config);
    return ok;
}

static void test_example_and_defaults(void **state)
{
    (void)state;
    assert_true(parse("", "[Access *]\nAllow = 10.1.0.0/16"));
    assert_string_equal(report, "");
    assert_int_equal(conf->listen.count, 2);
    char text[ENDPOINT_TEXT_SIZE];
    assert_string_equal(endpoint_text(&conf->listen.items[0], text), "0.0.0.0:4433");
    assert_string_equal(endpoint_text(&conf->listen.items[1], text), "[::]:4433");
    assert_int_equal(conf->access.count, 4);
    assert_string_equal(conf->access.lines[2].name, "branch");
    assert_false(conf->access.lines[2].allow);
    assert_string_equal(conf->access.lines[3].name, "*");
    assert_string_equal(conf->user, "nobody");
    assert_true(conf->replace);
    assert_null(conf->dns);
    assert_int_equal(conf->max_unauthenticated, 64);
    assert_int_equal(conf->max_unauthenticated_per_source, 8);
    assert_int_equal(conf->max_portals, 1024);
    assert_int_equal(conf->max_connecting, 1024);
    assert_int_equal(conf->opens_per_second, 0);
    assert_int_equal(conf->connect_timeout, 10000);
    assert_int_equal(conf->udp_idle, 120000);
    assert_int_equal(conf->dns_idle, 10000);
    assert_int_equal(conf->link.max_sessions, 32000);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *access, *words;
    } cases[] = {
        {"Duplicate = maybe", "", "gate.conf:5: Duplicate"},
        {"Listen = gate:4433", "", "gate.conf:5: Listen: \"gate:4433\""},
        {"LogLevel = loud", "", "gate.conf:5: LogLevel"},
        {"", "Allow = 10.0.0.1/8", "gate.conf:10: Allow: "},
        {"", "Deny = sctp:10.0.0.0/8", "gate.conf:10: Deny: "},
        {"", "Allow = tcp:10.0.0.0/8:0", "gate.conf:10: Allow: "},
        {"", "[Access]\nAllow = 10.0.0.0/8", "gate.conf:10: [Access NAME] needs a name"},
        {"", "[Access a]\nPermit = 10.0.0.0/8", "gate.conf:11: unknown key \"Permit\" in [Access]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].words, !parse(cases[i].gate, cases[i].access));
        CASE(report, strstr(report, cases[i].words));
    }
}

static void test_briefing(void **state)
{
    (void)state;
    struct options_material material = {
        .ca = {(uint8_t *)"ca", 2},
        .certificate = {(uint8_t *)"certificate", 11},
        .key = {(uint8_t *)"key", 3},
    };
    struct briefing briefing;
    struct fault fault;
    assert_true(parse("MinimumTLS = 1.2\nUser = daemon\nOpensPerSecond = 5\nUdpTimeout = 60s\nWindowMax = 1M", ""));
    strcpy(conf->name, "gate");
    int fd = briefing_write(conf, &material, "10.0.0.53,[fd00::53]", &fault);
    assert_true(fd >= 0);
    for (int worker = 0; worker < 2; worker++) { // the second reads as much as the first
        assert_true(briefing_read(&briefing, fd, &fault));
        assert_memory_equal(briefing.material.certificate.bytes, "certificate", 12);
        assert_int_equal(briefing.material.key.len, 3);
        assert_int_equal(briefing.material.crl.len, 0);
        assert_null(briefing.material.crl.bytes);
        assert_true(briefing.allow_tls12);
        assert_string_equal(briefing.name, "gate");
        assert_string_equal(briefing.user, "daemon");
        assert_string_equal(briefing.dns, "10.0.0.53,[fd00::53]");
        assert_string_equal(briefing.link.congestion, "auto");
        assert_int_equal(briefing.link.window_max, 1 << 20);
        assert_int_equal(briefing.link.handshake_timeout, 10000);
        assert_int_equal(briefing.opens_per_second, 5);
        assert_int_equal(briefing.max_connecting, 1024);
        assert_int_equal(briefing.udp_idle, 60000);
        assert_int_equal(briefing.dns_idle, 10000);
        assert_int_equal(briefing.access.count, 3);
        briefing_fini(&briefing);
    }
    assert_int_equal(write(fd, "x", 1), -1); // sealed
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
    assert_false(briefing_read(&briefing, open("/dev/null", O_RDONLY), &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_and_defaults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_briefing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gate_conf_free(conf);
    free(report);
    return failed;
}
