// SPDX-License-Identifier: GPL-2.0-or-later
// The keys of names in a portal's file: what they mean, what they add to what is captured, and what is refused.
#include "config/portal_conf.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct portal_conf *conf;
static char *report;

// `keys` begin in line 2 of the file.
static bool parse(const char *keys)
{
    static const char form[] = "[Portal]\n%s\nCA = /ca\nCertificate = /crt\nKey = /key\n[Gate]\nAddress = g:1\n";
    char text[4096];
    size_t size;
    if (conf)
        portal_conf_free(conf);
    free(report);
    conf = calloc(1, sizeof *conf);
    snprintf(text, sizeof text, form, keys);
    struct config config = {.path = "x.conf", .report = open_memstream(&report, &size)};
    bool ok = portal_conf_parse(conf, &config, &(struct blob){(uint8_t *)text, strlen(text)});
    fclose(config.report);
    config_fini(&config);
    return ok;
}

static const char *routes(void)
{
    static char all[1024];
    char text[PREFIX_TEXT_SIZE];
    *all = '\0';
    for (size_t i = 0; i < conf->routes.count; i++)
        sprintf(all + strlen(all), "%s%s", i ? " " : "", prefix_text(&conf->routes.items[i], text));
    return all;
}

static const char *endpoints(const struct value_endpoints *list)
{
    static char all[1024];
    char text[ENDPOINT_TEXT_SIZE];
    *all = '\0';
    for (size_t i = 0; i < list->count; i++)
        sprintf(all + strlen(all), "%s%s", i ? " " : "", endpoint_text(&list->items[i], text));
    return all;
}

static void test_without(void **state)
{
    (void)state;
    assert_true(parse("Route = 10.73.0.0/24"));
    assert_int_equal(conf->names.domains.count, 0);
    assert_int_equal(conf->names.addresses.count, 0);
    assert_string_equal(routes(), "10.73.0.0/24");
}

static void test_domains(void **state)
{
    (void)state;
    assert_true(parse("Route = 10.73.0.0/24\nDns = 10.73.0.53, fd73::53, 10.73.0.54:5353, [fd73::54]:54\n"
                      "Domains = Corp.Example., ~10.in-addr.arpa\nDomains = ~."));
    const struct names_keys *names = &conf->names;
    assert_int_equal(names->mode, NAMES_BRIDGED);
    assert_string_equal(endpoints(&names->servers), "10.73.0.53:53 [fd73::53]:53 10.73.0.54:5353 [fd73::54]:54");
    assert_int_equal(names->domains.count, 3);
    assert_string_equal(names->domains.items[0].name, "corp.example");
    assert_true(names->domains.items[0].search);
    assert_string_equal(names->domains.items[1].name, "10.in-addr.arpa");
    assert_false(names->domains.items[1].search);
    assert_string_equal(names->domains.items[2].name, "");
    assert_string_equal(endpoints(&names->addresses), "198.18.0.1:53 [fd75:7368:6572::1]:53");
}

// What is captured for the sake of names, besides 10.73.0.0/24.
static void test_routes(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *routes;
    } cases[] = {
        {"", "198.18.0.1/32 fd75:7368:6572::1/128"},
        {"Names = bridged", "198.18.0.1/32 fd75:7368:6572::1/128"},
        {"Names = mapped", "198.18.0.0/16 fd75:7368:6572::/112"},
        {"DnsAddress = 10.9.9.9", "10.9.9.9/32"},
        {"DnsAddress = 10.9.9.9\nNames = MAPPED", "198.18.0.0/16 fd75:7368:6572::/112 10.9.9.9/32"},
        {"MapPool = 10.64.0.0/10", "10.64.0.1/32"},
        {"MapPool = 10.64.0.0/10\nNames = mapped", "10.64.0.0/10"},
        {"MapPool = fd11::/64, 10.64.0.0/10\nNames = mapped\nDnsAddress = fd11::53, 10.9.9.9",
         "fd11::/64 10.64.0.0/10 10.9.9.9/32"},
        {"Route = 198.18.0.1/32, 198.18.0.0/16", "198.18.0.1/32 198.18.0.0/16 fd75:7368:6572::1/128"},
        {"Route = 198.18.0.0/16\nNames = mapped", "198.18.0.0/16 fd75:7368:6572::/112"},
    };
    char keys[512], wanted[256];
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(keys, sizeof keys, "Route = 10.73.0.0/24\nDns = 10.73.0.53\nDomains = corp.example\n%s",
                 cases[i].keys);
        snprintf(wanted, sizeof wanted, "10.73.0.0/24 %s", cases[i].routes);
        CASE(cases[i].keys, parse(keys));
        CASE(routes(), !strcmp(routes(), wanted));
    }
}

// Names alone are something to capture.
static void test_mapped_alone(void **state)
{
    (void)state;
    assert_true(parse("Domains = corp.example\nNames = mapped\nDevice = usher3"));
    assert_true(portal_conf_captures(conf));
    assert_int_equal(conf->names.mode, NAMES_MAPPED);
    assert_int_equal(conf->names.servers.count, 0);
    assert_string_equal(routes(), "198.18.0.0/16 fd75:7368:6572::/112");
}

#define BRIDGED "Route = 10.73.0.0/24\nDns = 10.73.0.53\nDomains = corp.example\n"

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *words;
    } cases[] = {
        {"Route = 10.73.0.0/24\nDomains = corp.example", ":3: Domains needs Dns: servers behind the tunnel"},
        {"Route = 10.73.0.0/24\nDns = 10.73.0.53", ":3: Dns needs Domains: which names to ask there"},
        {"Route = 10.73.0.0/24\nNames = mapped", ":3: Names means nothing without Domains"},
        {"Route = 10.73.0.0/24\nMapPool = 10.64.0.0/10", ":3: MapPool means nothing without Domains"},
        {"Route = 10.73.0.0/24\nSystemDns = yes", ":3: SystemDns means nothing without Domains"},
        {BRIDGED "SystemDns = maybe", ":5: SystemDns: \"maybe\" is"},
        {"Route = 10.73.0.0/24\nDnsAddress = 10.64.0.1", ":3: DnsAddress means nothing without Domains"},
        {"Socks = 127.0.0.1:1\nDns = 10.73.0.53\nDomains = corp.example", ":4: Domains is of use only with Route"},
        {BRIDGED "Dns = ns.example", ":5: Dns: \"ns.example\" is neither an address nor address:port"},
        {BRIDGED "Dns = 10.73.0.53:0", ":5: Dns: \"10.73.0.53:0\" is neither"},
        {BRIDGED "Dns = 10.73.0.53:53", ":5: Dns: \"10.73.0.53:53\" is in the list already"},
        {BRIDGED "Dns = 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8",
         ":5: Dns: \"10.0.0.8\" is one too many: the list holds 8"},
        {BRIDGED "Domains = CORP.example.", ":5: Domains: \"CORP.example.\" is in the list already"},
        {BRIDGED "Domains = ~corp.example", ":5: Domains: \"~corp.example\" is in the list already"},
        {BRIDGED "Domains = a..b", ":5: Domains: \"a..b\" is not a domain such as"},
        {BRIDGED "Domains = 10.1", ":5: Domains: \"10.1\" is not a domain such as"},
        {BRIDGED "Domains = ~", ":5: Domains: \"~\" is not a domain such as"},
        {BRIDGED "Domains = .", ":5: Domains: \".\" completes no name: ~. is every name"},
        {BRIDGED "Names = both", ":5: Names: \"both\" is neither bridged nor mapped"},
        {BRIDGED "Names = mapped\nNames = mapped", ":6: Names was given before"},
        {BRIDGED "MapPool = 10.64.0.1/10", ":5: MapPool: \"10.64.0.1/10\" is not a prefix"},
        {BRIDGED "MapPool = 10.0.0.0/7", ":5: MapPool: \"10.0.0.0/7\" is no pool: its length"},
        {BRIDGED "MapPool = 10.0.0.0/29",
         ":5: MapPool: \"10.0.0.0/29\" is no pool: its length is not between 8 and 28"},
        {BRIDGED "MapPool = fd11::/125", ":5: MapPool: \"fd11::/125\" is no pool: its length is not between 8 and 124"},
        {BRIDGED "MapPool = 127.0.0.0/8", ":5: MapPool: \"127.0.0.0/8\" is no pool: such addresses are never routed"},
        {BRIDGED "MapPool = ff02::/16", ":5: MapPool: \"ff02::/16\" is no pool: such addresses are never routed"},
        {BRIDGED "MapPool = 10.64.0.0/10, 10.0.0.0/10",
         ":5: MapPool: \"10.0.0.0/10\" is one too many: there may be one"},
        {BRIDGED "DnsAddress = 127.0.0.53", ":5: DnsAddress: \"127.0.0.53\" cannot answer: such addresses are never"},
        {BRIDGED "DnsAddress = ::1", ":5: DnsAddress: \"::1\" cannot answer"},
        {BRIDGED "DnsAddress = ::ffff:127.0.0.1", ":5: DnsAddress: \"::ffff:127.0.0.1\" cannot answer"},
        {BRIDGED "DnsAddress = fe80::1", ":5: DnsAddress: \"fe80::1\" cannot answer"},
        {BRIDGED "DnsAddress = 0.0.0.0", ":5: DnsAddress: \"0.0.0.0\" cannot answer"},
        {BRIDGED "DnsAddress = 255.255.255.255", ":5: DnsAddress: \"255.255.255.255\" cannot answer"},
        {BRIDGED "DnsAddress = 10.9.9.9:53", ":5: DnsAddress: \"10.9.9.9:53\" is not an address such as"},
        {BRIDGED "DnsAddress = 10.9.9.9, 10.9.9.9", ":5: DnsAddress: \"10.9.9.9\" is in the list already"},
        {BRIDGED "DnsAddress = 10.9.9.1, 10.9.9.2, 10.9.9.3, 10.9.9.4, 10.9.9.5",
         ":5: DnsAddress: \"10.9.9.5\" is one too many: the list holds 4"},
        {BRIDGED "Address = 10.9.9.9/24\nDnsAddress = 10.9.9.9", ":6: DnsAddress: 10.9.9.9 is an Address of the"},
        {BRIDGED "Dns = 198.18.0.1:5353", ":5: Dns: 198.18.0.1 is the DnsAddress itself"},
        {BRIDGED "MapPool = 10.64.0.0/10\nAddress = 10.64.0.1", ":5: DnsAddress: 10.64.0.1 is an Address of the"},
        {BRIDGED "DnsAddress = 10.9.9.9\nMap = 10.9.9.0/24 -> 10.73.0.0/24",
         ":6: Map: 10.9.9.0/24 has addresses in common with 10.9.9.9/32, where names are asked for (DnsAddress)"},
        {BRIDGED "MapPool = 10.64.0.0/16\nMap = 10.64.0.0/24 -> 10.73.0.0/24",
         ":6: Map: 10.64.0.0/24 has addresses in common with 10.64.0.1/32, where"},
        {"Domains = corp.example\nNames = mapped\nMap = 198.18.7.0/24 -> 10.73.0.0/24",
         ":4: Map: 198.18.7.0/24 has addresses in common with 198.18.0.0/16, whose addresses stand for names "
         "(MapPool)"},
        {"Domains = corp.example\nNames = mapped\nMap = fd75:7368:6572::/104 -> fd73::/104",
         ":4: Map: fd75:7368:6572::/104 has addresses in common with fd75:7368:6572::/112, whose"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].words, !parse(cases[i].keys));
        CASE(report, strstr(report, cases[i].words) && !strchr(strchr(report, '\n') + 1, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without),      cmocka_unit_test(test_domains), cmocka_unit_test(test_routes),
        cmocka_unit_test(test_mapped_alone), cmocka_unit_test(test_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    portal_conf_free(conf);
    free(report);
    return failed;
}
