// SPDX-License-Identifier: GPL-2.0-or-later
// A gate's configuration: the documented example, the defaults that usher.conf(5) promises, what is refused, and that
// a worker gets all that it was read from.
#include "config/gate_conf.h"
#include "gate/channel/handover.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

static char text[2048]; // of the file
static size_t text_len;
static struct gate_conf *conf;
static char *report;

static bool parse(const char *gate, const char *access)
{
    size_t size;
    text_len = (size_t)snprintf(text, sizeof(text), EXAMPLE, gate, access);
    if (conf)
        gate_conf_free(conf);
    free(report);
    conf = calloc(1, sizeof(*conf));
    struct config config = {.path = "gate.conf", .report = open_memstream(&report, &size)};
    bool ok = gate_conf_parse(conf, &config, &(struct blob){(uint8_t *)text, text_len});
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
    char listen[ENDPOINT_TEXT_SIZE];
    assert_string_equal(endpoint_text(&conf->listen.items[0], listen), "0.0.0.0:4433");
    assert_string_equal(endpoint_text(&conf->listen.items[1], listen), "[::]:4433");
    assert_int_equal(conf->access.count, 4);
    assert_string_equal(conf->access.lines[2].name, "branch");
    assert_false(conf->access.lines[2].allow);
    assert_string_equal(conf->access.lines[3].name, "*");
    assert_string_equal(conf->user, "nobody");
    assert_true(conf->replace);
    assert_int_equal(conf->balancers.count, 0);
    assert_null(conf->dns);
    assert_null(conf->audit);
    assert_int_equal(conf->max_unauthenticated, 64);
    assert_int_equal(conf->max_unauthenticated_per_source, 8);
    assert_int_equal(conf->max_portals, 1024);
    assert_int_equal(conf->max_connecting, 4096);
    assert_int_equal(conf->opens_per_second, 0);
    assert_int_equal(conf->connect_timeout, 10000);
    assert_int_equal(conf->drain_timeout, 3600 * 1000);
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
        {"TellOrigin = maybe", "", "gate.conf:5: TellOrigin: \"maybe\" is neither yes nor no"},
        {"Audit = audit.json", "", "gate.conf:5: Audit: \"audit.json\" is not an absolute path"},
        {"Audit = /a\nAudit = /b", "", "gate.conf:6: Audit was given before, in line 5"},
        {"<CRL>\nx\n</CRL>", "", "gate.conf:5: CRL is a file here: blocks are for portals"},
        {"Enrol = 127.0.0.1", "", "gate.conf:5: Enrol: \"127.0.0.1\" is not host:port"},
        {"Enrol = 127.0.0.1:1\nEnrol = 127.0.0.1:1", "", "gate.conf:6: Enrol was given before, in line 5"},
        {"Duplicate = maybe", "", "gate.conf:5: Duplicate: \"maybe\" is neither replace nor allow"},
        {"Listen = gate:4433", "", "gate.conf:5: Listen: \"gate:4433\""},
        {"Balancers = lb.example.net", "", "gate.conf:5: Balancers: \"lb.example.net\" is not a prefix such as"},
        {"Balancers = 192.0.2.1/24", "", "gate.conf:5: Balancers: \"192.0.2.1/24\" is not a prefix such as"},
        {"Balancers = 192.0.2.1, ::/0", "", "gate.conf:5: Balancers: \"::/0\" is everybody: whoever is listed may say"},
        {"Balancers = 192.0.2.1\nBalancers = 192.0.2.1", "",
         "gate.conf:6: Balancers: \"192.0.2.1\" is in the list already"},
        {"Balancers =", "", "gate.conf:5: Balancers has no value"},
        {"Health = 4480", "", "gate.conf:5: Health: \"4480\" is not address:port"},
        {"Health = localhost:4480", "", "gate.conf:5: Health: \"localhost:4480\" is not address:port"},
        {"Health = 127.0.0.1:4480\nHealth = 127.0.0.1:4480", "", "gate.conf:6: Health: "},
        {"DrainTimeout = 0", "", "gate.conf:5: DrainTimeout: "},
        {"DrainTimeout = 8d", "", "gate.conf:5: DrainTimeout: "},
        {"DrainTimeout = 999ms", "", "gate.conf:5: DrainTimeout: "},
        {"DrainTimeout = 169h", "", "gate.conf:5: DrainTimeout: "},
        {"DrainTimeout = soon", "", "gate.conf:5: DrainTimeout: "},
        {"LogLevel = loud", "", "gate.conf:5: LogLevel"},
        {"ControlGroupMay = all", "", "gate.conf:5: ControlGroupMay: \"all\" is neither ask nor act"},
        {"ControlGroup = a b", "", "gate.conf:5: ControlGroup: \"a b\""},
        {"", "Allow = 10.0.0.1/8", "gate.conf:10: Allow: "},
        {"", "[Access x.enrol.invalid]\nAllow = 10.0.0.0/8",
         "gate.conf:11: Allow: x.enrol.invalid is the name of an invitation"},
        {"", "[Access x.enrol.invalid]\nLocal = yes",
         "gate.conf:11: Local: x.enrol.invalid is the name of an invitation"},
        {"", "Deny = sctp:10.0.0.0/8", "gate.conf:10: Deny: "},
        {"", "Allow = tcp:10.0.0.0/8:0", "gate.conf:10: Allow: "},
        {"", "Forward = 10.73.0.1:80 -> web:80", "gate.conf:10: Forward: \"10.73.0.1:80 -> web:80\" begins neither"},
        {"", "[Access *]\nForward = tcp 10.73.0.1:80 -> web:80",
         "gate.conf:11: Forward: \"tcp 10.73.0.1:80 -> web:80\" leads to one portal, but [Access *] is all of them"},
        {"", "Forward = tcp 10.73.0.1:80 -> web:80\n[Access b]\nForward = tcp 10.73.0.1:80 -> web:80",
         "gate.conf:12: Forward: \"tcp 10.73.0.1:80 -> web:80\" listens where one of [Access branch] does"},
        {"", "Export = 10.71.0.1/24", "gate.conf:10: Export: \"10.71.0.1/24\""},
        {"", "[Access *]\nExport = 10.71.0.0/24",
         "gate.conf:11: Export: \"10.71.0.0/24\" lies behind one portal, but [Access *] is all of them"},
        {"", "[Access a-*]\nExport = 10.71.0.0/24",
         "gate.conf:11: Export: \"10.71.0.0/24\" lies behind one portal, but [Access a-*] is a group of them"},
        {"", "[Access a-*]\nForward = tcp 10.73.0.1:80 -> web:80",
         "leads to one portal, but [Access a-*] is a group of them"},
        {"", "[Access *-*]\nAllow = 10.71.0.0/24",
         "gate.conf:11: Allow: is of [Access *-*], which has more than one *"},
        {"", "[Access *-*]\nLocal = yes", "gate.conf:11: Local: is of [Access *-*], which has more than one *"},
        {"", "Map = 10.60.0.0/24", "gate.conf:10: Map: \"10.60.0.0/24\" is not a map such as"},
        {"", "[Access *]\nMap = 10.60.0.0/24 -> 10.71.0.0/24", "lies behind one portal, but [Access *] is all of them"},
        {"", "Export = 10.60.0.0/24\n[Access b]\nMap = 10.60.0.0/24 -> 10.71.0.0/24",
         "gate.conf:12: Map: \"10.60.0.0/24 -> 10.71.0.0/24\" is exported by [Access branch] already"},
        {"", "Export = 10.71.0.0/24, fd71::/64\n[Access b]\nExport = 10.71.0.0/16, fd71::/64",
         "gate.conf:12: Export: \"fd71::/64\" is exported by [Access branch] already"},
        {"", "[Access]\nAllow = 10.0.0.0/8", "gate.conf:10: [Access NAME] needs a name"},
        {"", "Source = here", "gate.conf:10: Source: \"here\" is not an address such as"},
        {"", "Source = 10.73.0.1, fd73::1\nSource = 10.73.0.2",
         "gate.conf:11: Source: \"10.73.0.2\" is a second address of IPv4: there may be one of each version"},
        {"", "Local = maybe", "gate.conf:10: Local: is neither yes nor no"},
        {"", "Local = yes\nLocal = yes", "gate.conf:11: Local: was given before for this portal"},
        {"", "Local = yes\n[Access BRANCH]\nLocal = no", "gate.conf:12: Local: was given before for this portal"},
        {"", "Local =", "gate.conf:10: Local has no value"},
        {"", "[Access a]\nPermit = 10.0.0.0/8", "gate.conf:11: unknown key \"Permit\" in [Access]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].words, !parse(cases[i].gate, cases[i].access));
        CASE(report, strstr(report, cases[i].words));
    }
}

static void test_sources(void **state)
{
    (void)state;
    char text4[ADDRESS_TEXT_SIZE], text6[ADDRESS_TEXT_SIZE];
    static const struct {
        const char *access, *v4, *v6; // NULL: as the kernel chooses
    } cases[] = {
        {"", NULL, NULL},
        {"Source = 10.73.0.1", "10.73.0.1", NULL},
        {"Source = 10.73.0.1\n[Access other]\nSource = fd73::9\n[Access *]\nSource = 10.73.0.3, fd73::3", "10.73.0.1",
         "fd73::3"},
        {"[Access *]\nSource = 10.73.0.3\n[Access b*]\nSource = 10.73.0.4, fd73::4\n[Access branch]\nSource = fd73::5",
         "10.73.0.4", "fd73::5"},
        {"[Access BRANCH]\nSource = fd73::1\n[Access other]\nSource = 10.73.0.9", NULL, "fd73::1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].access, parse("", cases[i].access));
        struct socket_source source = access_source_of(&conf->access, "branch");
        CASE(cases[i].access, cases[i].v4 ? !strcmp(address_text(&source.v4, text4), cases[i].v4) : !source.v4.version);
        CASE(cases[i].access, cases[i].v6 ? !strcmp(address_text(&source.v6, text6), cases[i].v6) : !source.v6.version);
    }
}

static void test_sources_that_are_not_here(void **state)
{
    (void)state;
    char *words;
    size_t size;
    assert_true(parse("", "Source = 127.0.0.5, ::1\n[Access b]\nSource = 192.0.2.1\n[Access c]\nSource = 2001:db8::1"));
    struct config config = {.path = "gate.conf", .report = open_memstream(&words, &size)};
    access_notice_sources(&conf->access, &config);
    fclose(config.report);
    assert_string_equal(
        words, "gate.conf:12: warning: Source: this host does not have 192.0.2.1 now: until it does, nothing "
               "can come from there\n"
               "gate.conf:14: warning: Source: this host does not have 2001:db8::1 now: until it does, nothing "
               "can come from there\n");
    assert_int_equal(config.mistakes, 0);
    free(words);
}

static void read_as_worker(int fd)
{
    struct handover got;
    struct fault fault;
    struct config config = {.path = "gate.conf"};
    struct gate_conf *again = calloc(1, sizeof(*again));
    assert_true(handover_read(&got, fd, handover_size(fd, &fault), &fault));
    assert_memory_equal(got.force.credentials.certificate.bytes, "certificate", 12);
    assert_int_equal(got.force.credentials.key.len, 3);
    assert_int_equal(got.force.credentials.crl.len, 0);
    assert_null(got.force.credentials.crl.bytes);
    assert_string_equal((char *)got.name.bytes, "gate");
    assert_string_equal((char *)got.servers.bytes, "10.0.0.53,[fd00::53]");
    assert_true(gate_conf_parse(again, &config, &got.force.text));
    config_fini(&config);
    assert_true(again->credentials.allow_tls12);
    assert_string_equal(again->user, "daemon");
    assert_string_equal(again->link.congestion, "auto");
    assert_int_equal(again->link.window_max, 1 << 20);
    assert_int_equal(again->link.handshake_timeout, 10000);
    assert_int_equal(again->opens_per_second, 5);
    assert_int_equal(again->max_connecting, 4096);
    assert_int_equal(again->udp_idle, 60000);
    assert_int_equal(again->dns_idle, 10000);
    assert_int_equal(again->access.count, 3);
    gate_conf_free(again);
    handover_fini(&got);
    assert_null(got.force.credentials.key.bytes);
}

static void test_handover(void **state)
{
    (void)state;
    struct handover handover = {
        .name = {(uint8_t *)"gate", 4},
        .force.credentials.ca = {(uint8_t *)"ca", 2},
        .force.credentials.certificate = {(uint8_t *)"certificate", 11},
        .force.credentials.key = {(uint8_t *)"key", 3},
        .servers = {(uint8_t *)"10.0.0.53,[fd00::53]", 20},
    };
    struct fault fault;
    assert_true(parse("MinimumTLS = 1.2\nUser = daemon\nOpensPerSecond = 5\nUdpTimeout = 60s\nWindowMax = 1M", ""));
    handover.force.text = (struct blob){(uint8_t *)text, text_len};
    int fd = handover_write(&handover, &fault);
    assert_true(fd >= 0);
    read_as_worker(fd);
    read_as_worker(fd);                      // the second reads as much as the first
    assert_int_equal(write(fd, "x", 1), -1); // sealed
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
    assert_int_equal(handover_size(open("/dev/null", O_RDONLY), &fault), 0);
    assert_false(handover_read(&handover, -1, 0, &fault));
}

// A list that is cut short anywhere, or has a byte too many, is not whole.
static void test_handover_is_whole(void **state)
{
    (void)state;
    static const uint8_t bytes[8 * 4 + 2] = {0, 0, 0, 1,
                                             'n'}; // eight blobs, the first of one byte; and one byte behind
    struct handover got;
    struct fault fault;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        int fd = memfd_create("handover", MFD_CLOEXEC);
        assert_int_equal(write(fd, bytes, len), len);
        bool whole = handover_read(&got, fd, handover_size(fd, &fault), &fault);
        assert_int_equal(whole, len == sizeof(bytes) - 1);
        if (whole)
            handover_fini(&got);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example_and_defaults),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_sources_that_are_not_here),
        cmocka_unit_test(test_handover),
        cmocka_unit_test(test_handover_is_whole),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gate_conf_free(conf);
    free(report);
    return failed;
}
