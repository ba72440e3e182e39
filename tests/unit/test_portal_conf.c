// SPDX-License-Identifier: GPL-2.0-or-later
// A portal's configuration: the documented example, the defaults that usher.conf(5) promises, and what is refused.
#include "base/memory.h"
#include "config/portal_conf.h"
#include "os/netlink/routes.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char EXAMPLE[] = "[Portal]\n"
                              "Device = usher7                  ; the TUN interface\n"
                              "Address = 10.99.0.2/32, fd99::2/128\n"
                              "CA = /etc/usher/pki/ca.crt\n"
                              "Certificate = /etc/usher/pki/branch.crt\n"
                              "Key = /etc/usher/pki/branch.key\n"
                              "CRL = /etc/usher/pki/crl.pem     ; optional\n"
                              "Route = 10.73.0.0/24, fd73::/64\n"
                              "%s\n"
                              "[Gate]\n"
                              "Address = gate.example.net:4433\n"
                              "%s\n";

static struct portal_conf *conf;
static char *report;
static enum portal_use use;

static bool parse_text(char *text)
{
    size_t size;
    if (conf)
        portal_conf_free(conf);
    free(report);
    conf = calloc(1, sizeof(*conf));
    conf->use = use;
    struct config config = {.path = "branch.conf", .report = open_memstream(&report, &size)};
    bool ok = portal_conf_parse(conf, &config, &(struct blob){(uint8_t *)text, strlen(text)});
    fclose(config.report);
    config_fini(&config);
    return ok;
}

static bool parse(const char *portal, const char *gate)
{
    char text[2048];
    snprintf(text, sizeof(text), EXAMPLE, portal, gate);
    return parse_text(text);
}

static void test_example_and_defaults(void **state)
{
    (void)state;
    assert_true(parse("", ""));
    assert_string_equal(report, "");
    assert_string_equal(conf->device, "usher7");
    assert_int_equal(conf->addresses.count, 2);
    assert_int_equal(conf->routes.count, 2);
    assert_int_equal(conf->gates.count, 1);
    assert_string_equal(conf->gates.items[0].host, "gate.example.net");
    assert_int_equal(conf->gates.items[0].port, 4433);
    assert_null(conf->peer_name); // each gate's own host
    assert_int_equal(conf->proxy.proxy.kind, PROXY_NONE);
    assert_int_equal(conf->mtu, 1500);
    assert_int_equal(conf->queue_length, 2000);
    assert_string_equal(conf->user, "nobody");
    assert_int_equal(conf->up_timeout, 15000);
    assert_int_equal(conf->hold, 5000);
    assert_int_equal(conf->udp_idle, 120000);
    assert_int_equal(conf->dns_idle, 10000);
    assert_int_equal(conf->max_flows, 32000);
    assert_null(conf->route_congestion);
    assert_int_equal(conf->log_level, LOG_LEVEL_INFO);
    assert_false(conf->credentials.allow_tls12);

    struct tunnel_config tunnel = link_tuning_tunnel(&conf->link);
    assert_int_equal(tunnel.engine.max_sessions, 32000);
    assert_int_equal(tunnel.engine.window_max, 16 << 20);
    assert_int_equal(tunnel.engine.window_budget, 256 << 20);
    assert_int_equal(tunnel.engine.held_budget, 512 << 20);
    assert_int_equal(tunnel.batch, 256 << 10);
    assert_int_equal(tunnel.batch_interactive, 64 << 10);
    assert_int_equal(tunnel.lane.notsent_lowat, 128 << 10);
    assert_int_equal(tunnel.lane.handshake_timeout_ms, 10000);
    assert_string_equal(tunnel.lane.congestion, "auto");
}

static void test_what_sessions_may_hold(void **state)
{
    (void)state;
    struct link_tuning link = {.window_budget = 0};
    assert_int_equal(link_tuning_tunnel(&link).engine.held_budget, 16 << 20);
    link.window_budget = 20 << 20;
    assert_int_equal(link_tuning_tunnel(&link).engine.held_budget, 40 << 20);
}

static void test_keys(void **state)
{
    (void)state;
    assert_true(
        parse("MinimumTLS = 1.2\nLogLevel = debug\nCongestion = system\nUpTimeout = 0", "Name = other.example"));
    assert_true(conf->credentials.allow_tls12);
    assert_int_equal(conf->log_level, LOG_LEVEL_DEBUG);
    assert_null(link_tuning_tunnel(&conf->link).lane.congestion);
    assert_int_equal(conf->up_timeout, 0);
    assert_string_equal(conf->peer_name, "other.example");
}

static void test_socks(void **state)
{
    (void)state;
    assert_true(parse("", ""));
    assert_int_equal(conf->socks.listen.count, 0);
    assert_true(parse("Socks = 127.0.0.1:1080, 127.0.0.9:1080, [::1]:1080", ""));
    assert_int_equal(conf->socks.listen.count, 3);
    assert_int_equal(conf->socks.allow.count, 2); // loopback
    assert_int_equal(conf->socks.allow.items[0].len, 8);
    assert_int_equal(conf->socks.allow.items[1].len, 128);
    assert_null(conf->socks.user);
    assert_true(parse("Socks = 0.0.0.0:1080\nSocksAllow = 10.0.0.0/8", ""));
    assert_int_equal(conf->socks.allow.count, 1);
    assert_true(parse("Socks = 127.0.0.1:1\nSocksUser = the user\nSocksPasswordFile = /etc/usher/secret", ""));
    assert_string_equal(conf->socks.user, "the user");
}

// What the file may say, and who may read it.
static void test_ask(void **state)
{
    (void)state;
    assert_true(parse("Route = 10.0.0.0/8", ""));
    assert_int_equal(conf->ask.count, 0);
    assert_true(parse("Ask = 127.0.0.1:2323, 127.9.9.9:23, [::1]:2323", ""));
    assert_int_equal(conf->ask.count, 3);
    assert_int_equal(conf->ask.items[2].port, 2323);
}

static void test_socks_password(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        const char *password, *words;
    } cases[] = {
        {"open sesame\n", 0600, "open sesame", ""},
        {"open sesame", 0400, "open sesame", ""},
        {"first\r\nsecond\n", 0600, "first", ""},
        {"\n", 0600, NULL, "x.conf: SocksPasswordFile: "},
        {"secret\n", 0644, NULL, "others can read or change this secret (mode 0644): chmod 600"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[] = "/tmp/test_portal_conf.XXXXXX";
        char *words;
        size_t size;
        int fd = mkstemp(path);
        assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)), (ssize_t)strlen(cases[i].text));
        assert_int_equal(fchmod(fd, cases[i].mode), 0);
        close(fd);
        struct socks_keys keys = {.password_file = memory_text(path)};
        struct config config = {.path = "x.conf", .report = open_memstream(&words, &size)};
        bool ok = socks_keys_read(&keys, &config, "Portal");
        fclose(config.report);
        CASE(words, ok == (cases[i].password != NULL) && strstr(words, cases[i].words));
        if (ok)
            assert_string_equal(keys.password, cases[i].password);
        socks_keys_fini(&keys);
        config_fini(&config);
        free(words);
        unlink(path);
    }
}

static void test_forwards_and_what_is_accepted(void **state)
{
    (void)state;
    char text[VALUE_FORWARD_TEXT_SIZE];
    assert_true(parse("Forward = tcp 127.0.0.1:2222 -> db.corp.example:22, udp [::1]:53 -> 10.73.0.53:53\n"
                      "Forward = tcp 127.0.0.1:8000-8009 -> [fd73::5]:9000-9009",
                      "[Accept]\nDeny = 10.71.0.66\nAllow = 10.71.0.0/24"));
    assert_int_equal(conf->forwards.count, 3);
    assert_string_equal(value_forward_text(&conf->forwards.items[1], text), "udp [::1]:53 -> 10.73.0.53:53");
    assert_int_equal(conf->forwards.items[1].line, 9);
    assert_int_equal(conf->forwards.items[2].line, 10);
    assert_int_equal(conf->accept.count, 2);
    assert_true(parse("", ""));
    assert_int_equal(conf->forwards.count, 0);
    assert_int_equal(conf->accept.count, 0); // nothing is accepted that was not asked for
}

static void test_where_what_is_accepted_comes_from(void **state)
{
    (void)state;
    char shown[ADDRESS_TEXT_SIZE];
    assert_true(parse("", "[Accept]\nAllow = 10.71.0.0/24\nSource = 10.71.0.1, fd71::1"));
    struct socket_source source = access_source_of(&conf->accept, "");
    assert_string_equal(address_text(&source.v4, shown), "10.71.0.1");
    assert_string_equal(address_text(&source.v6, shown), "fd71::1");
    assert_false(parse("", "[Accept]\nSource = 10.71.0.1"));
    assert_string_equal(report, "branch.conf:13: Source is of use only with Allow: without it nothing is accepted\n");
    assert_false(parse("", "[Accept]\nAllow = 10.71.0.0/24\nSource = 10.71.0.0/24"));
    assert_string_equal(report,
                        "branch.conf:14: Source: \"10.71.0.0/24\" is not an address such as 10.73.0.1 or fd73::1\n");
}

static void test_proxy(void **state)
{
    (void)state;
    static const struct {
        const char *gate;
        enum proxy_kind kind;
        const char *host;
        uint16_t port;
        const char *user; // NULL: none
    } taken[] = {
        {"Proxy = socks5://proxy.example:1081", PROXY_SOCKS5, "proxy.example", 1081, NULL},
        {"Proxy = socks5://proxy.example", PROXY_SOCKS5, "proxy.example", 1080, NULL},
        {"Proxy = SOCKS4A://10.2.0.1", PROXY_SOCKS4A, "10.2.0.1", 1080, NULL},
        {"Proxy = socks4a://bob@10.2.0.1", PROXY_SOCKS4A, "10.2.0.1", 1080, "bob"},
        {"Proxy = http://[fd02::1]/", PROXY_HTTP, "fd02::1", 8080, NULL},
        {"Proxy = http://[fd02::1]:3128", PROXY_HTTP, "fd02::1", 3128, NULL},
        {"Proxy = http://CORP%5cbob%40x@proxy\nProxyPasswordFile = /secret", PROXY_HTTP, "proxy", 8080, "CORP\\bob@x"},
    };
    for (size_t i = 0; i < COUNT(taken); i++) {
        CASE(taken[i].gate, parse("", taken[i].gate));
        const struct proxy *proxy = &conf->proxy.proxy;
        CASE(taken[i].gate, proxy->kind == taken[i].kind && proxy->port == taken[i].port);
        CASE(taken[i].gate, !strcmp(proxy->host, taken[i].host));
        CASE(taken[i].gate, taken[i].user ? !strcmp(proxy->user, taken[i].user) : !proxy->user);
    }
    assert_true(parse("", "ProxyCommand = ssh -W %h:%p bastion"));
    assert_string_equal(conf->proxy.command, "ssh -W %h:%p bastion");
}

static void test_proxy_refused(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *words;
    } cases[] = {
        {"Proxy = proxy:1080", "12: Proxy: \"proxy:1080\" does not begin with socks5://, socks4a:// or http://"},
        {"Proxy = https://proxy", "does not begin with"},
        {"Proxy = socks5://", "12: Proxy: \"socks5://\" has no host and port behind its scheme"},
        {"Proxy = socks5://proxy:0", "has no host and port"},
        {"Proxy = socks5://proxy:1080:1", "has no host and port"},
        {"Proxy = socks5://127.1", "has no host and port"},
        {"Proxy = socks5://[fd02::1", "has no host and port"},
        {"Proxy = socks5://[10.2.0.1]:1", "has no host and port"},
        {"Proxy = http://proxy/path", "has no host and port"},
        {"Proxy = socks5://@proxy", "has no user that can be used"},
        {"Proxy = socks5://a%00@proxy", "has no user that can be used"},
        {"Proxy = socks5://a%4@proxy", "has no user that can be used"},
        {"Proxy = http://a%3ab@proxy", "has no user that can be used"},
        {"Proxy = http://bob:pw@proxy", "it belongs into ProxyPasswordFile"},
        {"Proxy = socks5://bob@proxy", "12: Proxy names a user, whose password ProxyPasswordFile must hold"},
        {"ProxyPasswordFile = /p", "12: ProxyPasswordFile is of use only with Proxy"},
        {"Proxy = http://proxy\nProxyPasswordFile = /p", "13: ProxyPasswordFile needs a user: Proxy = http://USER@..."},
        {"Proxy = socks4a://b@proxy\nProxyPasswordFile = /p", "13: ProxyPasswordFile: SOCKS 4a knows no passwords"},
        {"Proxy = socks5://proxy\nProxyCommand = nc %h %p", "13: ProxyCommand and Proxy: only one"},
        {"ProxyCommand = ssh %u", "12: ProxyCommand: \"ssh %u\" has a % that is none of"},
        {"Address = [fd03::2]:4433\nProxy = socks4a://proxy", "13: Proxy: SOCKS 4a cannot be asked for the IPv6"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].words, !parse("", cases[i].gate));
        CASE(report, strstr(report, cases[i].words) && !strchr(strchr(report, '\n') + 1, '\n'));
    }
}

static void test_gates(void **state)
{
    (void)state;
    assert_true(parse("", "Address = [fd03::2]:4434, 10.3.0.2:4433"));
    assert_int_equal(conf->gates.count, 3);
    assert_string_equal(conf->gates.items[1].host, "fd03::2");
    assert_int_equal(conf->gates.items[1].port, 4434);
    assert_string_equal(conf->gates.items[2].host, "10.3.0.2");
    assert_false(parse("", "Address = GATE.example.net:4433"));
    assert_string_equal(report, "branch.conf:12: Address: \"GATE.example.net:4433\" is in the list already\n");
    char many[1024] = "Address = g0:1";
    for (int i = 1; i < VALUE_TARGETS_MAX; i++)
        sprintf(many + strlen(many), "\nAddress = g%d:1", i);
    assert_false(parse("", many));
    assert_non_null(strstr(report, "is one too many: the list holds 16"));
}

static void test_lengths_are_bounded(void **state)
{
    (void)state;
    char routes[1024] = "Route = 128.0.0.0/1";  // another family's lengths are its own
    for (int i = 0; i < ROUTES_LEVELS - 1; i++) // the example has a /64
        sprintf(routes + strlen(routes), "\nRoute = 8000::/%d", 100 + i);
    assert_true(parse(routes, ""));
    strcat(routes, "\nRoute = 8000::/1");
    assert_false(parse(routes, ""));
    assert_non_null(strstr(report, "branch.conf:25: Route: more than 16 different prefix lengths"));
}

// A whole file, for what the example cannot show; `route` and `more` stand in [Portal].
static bool parse_mode(const char *route, const char *more)
{
    static const char text[] = "[Portal]\n%s\n%s\nCA = /ca\nCertificate = /crt\nKey = /key\n[Gate]\nAddress = g:1\n";
    char whole[512];
    snprintf(whole, sizeof whole, text, route, more);
    return parse_text(whole);
}

static void test_key_or_command(void **state)
{
    (void)state;
    static const char head[] = "[Portal]\nRoute = 10.73.0.0/24\nCA = /ca\nCertificate = /crt\n",
                      tail[] = "[Gate]\nAddress = g:1\n";
    static const struct {
        const char *keys;
        const char *says; // NULL: nothing
    } rows[] = {
        {"", "branch.conf:1: Key is missing in [Portal], or KeyCommand\n"},
        {"Key = /key\n", NULL},
        {"KeyCommand = pass show vpn/branch | cat\n", NULL},
        {"Key = /key\nKeyCommand = pass show vpn/branch\n", NULL},
        {"Key = key\n", "branch.conf:5: Key: \"key\" is not an absolute path\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char whole[512];
        snprintf(whole, sizeof whole, "%s%s%s", head, rows[i].keys, tail);
        bool good = parse_text(whole);
        if (good != !rows[i].says || (!good && strcmp(report, rows[i].says)))
            fail_msg("%s: %s", rows[i].keys, report);
    }
    assert_true(parse("KeyCommand = pass show vpn/branch | cat ; by the keyring", ""));
    assert_string_equal(conf->credentials.key_command, "pass show vpn/branch | cat");
}

static void test_what_only_a_device_needs(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "Device = usher7",   "Address = 10.99.0.2",      "MTU = 1400",
        "QueueLength = 100", "RouteCongestion = system", "ReceiveBudget = 16M",
    };
    assert_false(parse_mode("", ""));
    assert_string_equal(
        report, "branch.conf:1: Route, Map, Socks, Forward, Ask, Names = mapped or [Accept] is missing in [Portal]: "
                "there would be nothing to carry (usher-tun run needs none of them)\n");
    assert_true(parse_mode("Forward = tcp 127.0.0.1:1 -> db:22", ""));
    assert_false(portal_conf_captures(conf));
    assert_true(parse_mode("Map = 10.50.0.0/24 -> 10.73.0.0/24", "MTU = 1400"));
    assert_true(portal_conf_captures(conf));
    for (size_t i = 0; i < COUNT(keys); i++) {
        CASE(keys[i], parse_mode("Route = 10.73.0.0/24", keys[i]) && portal_conf_captures(conf));
        CASE(keys[i], !parse_mode("Forward = tcp 127.0.0.1:1 -> db:22", keys[i]));
        CASE(keys[i], strstr(report, " is of use only with Route"));
    }
}

static void test_a_run_needs_nothing_to_carry(void **state)
{
    (void)state;
    use = PORTAL_OF_COMMAND;
    assert_true(parse_mode("", ""));
    assert_string_equal(report, "");
    assert_true(parse_mode("Device = usher7\nAddress = 10.99.0.2\nMTU = 1400", ""));
    assert_string_equal(report, "");
    assert_false(parse_mode("Devices = usher7", ""));

    // All names are behind the tunnel.
    assert_true(parse_mode("", ""));
    assert_true(conf->names.mode == NAMES_MAPPED && conf->names.addresses.count == 2 && conf->names.domains.count == 1);
    assert_true(parse_mode("Dns = 10.73.0.53\nDomains = corp.example", ""));
    assert_true(conf->names.mode == NAMES_BRIDGED && conf->names.addresses.count == 2 &&
                conf->names.domains.count == 2);
    assert_string_equal(conf->names.domains.items[1].name, "");
    assert_true(parse_mode("Dns = 10.73.0.53\nDnsAddress = 10.99.0.53", ""));
    assert_string_equal(report, "");
    assert_int_equal(conf->names.addresses.count, 1);
    use = PORTAL_OF_HOST;
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *portal, *gate, *words;
    } cases[] = {
        {"Map = 10.50.0.0/24 -> 10.73.0.0/16", "",
         "branch.conf:9: Map: \"10.50.0.0/24 -> 10.73.0.0/16\" maps a /24 to a /16"},
        {"Forward = tcp 127.0.0.1 -> db:22", "",
         "branch.conf:9: Forward: \"tcp 127.0.0.1 -> db:22\" does not listen on"},
        {"Forward = tcp 127.0.0.1:1 -> db:22\nForward = tcp 127.0.0.1:1 -> db:23", "",
         "branch.conf:10: Forward: \"tcp 127.0.0.1:1 -> db:23\" listens where an earlier one does"},
        {"Forward = udp 127.0.0.1:1-2000 -> db:1-2000", "",
         "branch.conf:9: Forward: \"udp 127.0.0.1:1-2000 -> db:1-2000\""
         " makes more than 1024 ports"},
        {"", "[Accept]\nAllow = 10.71.0.1/24", "branch.conf:13: Allow: "},
        {"", "[Accept]\nDeny = sctp:10.71.0.0/24", "branch.conf:13: Deny: "},
        {"", "[Accept]\nForward = tcp 127.0.0.1:1 -> db:22", "branch.conf:13: unknown key \"Forward\" in [Accept]"},
        {"", "[Accept branch]", "branch.conf:12: [Accept] takes no name"},
        {"LogLevel = loud", "", "branch.conf:9: LogLevel"},
        {"MinimumTLS = 1.1", "", "branch.conf:9: MinimumTLS: \"1.1\" is neither 1.2 nor 1.3"},
        {"KeyCommand =", "", "branch.conf:9: KeyCommand"},
        {"KeyCommand = a\nKeyCommand = b", "", "branch.conf:10: KeyCommand was given before, in line 9"},
        {"MTU = 1279", "", "branch.conf:9: MTU"},
        {"BatchInteractive = 128K\nBatch = 64K", "", "branch.conf:9: BatchInteractive must not be larger"},
        {"Batch = 257K", "", "branch.conf:9: Batch: \"257K\" is out of bounds"},
        {"MaxSessions = 32767", "", "branch.conf:9: MaxSessions"},
        {"ResumeTimeout = soon", "", "branch.conf:9: ResumeTimeout: \"soon\" is not a duration"},
        {"ResumeTimeout = 61m", "", "branch.conf:9: ResumeTimeout: \"61m\" is out of bounds"},
        {"ReplayBuffer = 1023K", "", "branch.conf:9: ReplayBuffer: \"1023K\" is out of bounds"},
        {"ReplayBuffer = much", "", "branch.conf:9: ReplayBuffer: \"much\" is not auto or a size"},
        {"Device = usher1", "", "branch.conf:9: Device was given before, in line 2"},
        {"", "Name = a b", "branch.conf:12: Name"},
        {"Socks = 1080", "", "branch.conf:9: Socks"},
        {"Socks = 0.0.0.0:1080", "", "branch.conf:9: Socks: others than this host reach 0.0.0.0:1080"},
        {"<CRL>\nx", "", "branch.conf:9: <CRL> is not closed by </CRL>"},
        {"<CA>\nx\n</CA>", "", "branch.conf:9: CA was given before, in line "},
        {"<CRL>\nx\n</CRL>\n<crl>\n</crl>", "", "branch.conf:12: CRL was given before, in line 7"},
        {"<Ask>\nx\n</Ask>", "", "branch.conf:9: Ask is given in a line, and not as a block"},
        {"<CRL>\na\nb\n</CRL>\nAsk = x", "", "branch.conf:13: Ask: \"x\""},
        {"<List>\nx\n</List>", "", "branch.conf:9: unknown key \"List\" in [Portal]"},
        {"</CRL>", "", "branch.conf:9: neither a [section]"},
        {"Renew = here", "", "branch.conf:9: Renew: \"here\" is not host:port"},
        {"Renew = ca.example:4434, x:1", "", "branch.conf:9: Renew: \"ca.example:4434, x:1\" is not"},
        {"Renew = ca.example:4434\nRenew = ca.example:4434", "", "branch.conf:10: Renew was given before, in line 9"},
        {"Renew = ca.example:4434", "", "branch.conf:9: Renew: Certificate and Key must be one file"},
        {"Ask = 2323", "", "branch.conf:9: Ask: \"2323\" is not address:port"},
        {"Ask = 0.0.0.0:2323", "", "branch.conf:9: Ask: \"0.0.0.0:2323\" is not on loopback"},
        {"Ask = 127.0.0.1:1, [::]:1", "", "branch.conf:9: Ask: \"[::]:1\" is not on loopback"},
        {"Ask = 127.0.0.1:1\nAsk = 127.0.0.1:1", "", "branch.conf:10: Ask: \"127.0.0.1:1\" is in the list already"},
        {"SocksAllow = 10.0.0.0/8", "", "branch.conf:9: SocksAllow means nothing without Socks"},
        {"Socks = 127.0.0.1:1\nSocksAllow = 10.0.0.1/8", "", "branch.conf:10: SocksAllow"},
        {"Socks = 127.0.0.1:1\nSocksUser = a", "", "branch.conf:10: SocksUser needs a SocksPasswordFile"},
        {"Socks = 127.0.0.1:1\nSocksPasswordFile = /a", "", "branch.conf:10: SocksPasswordFile needs a SocksUser"},
        {"Socks = 127.0.0.1:1\nSocksPasswordFile = a", "", "branch.conf:10: SocksPasswordFile: \"a\""},
        {"", "Device = usher1", "branch.conf:12: unknown key \"Device\" in [Gate]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].words, !parse(cases[i].portal, cases[i].gate));
        CASE(report, strstr(report, cases[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_sessions_may_hold),
        cmocka_unit_test(test_example_and_defaults),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_socks),
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_socks_password),
        cmocka_unit_test(test_forwards_and_what_is_accepted),
        cmocka_unit_test(test_where_what_is_accepted_comes_from),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_proxy_refused),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_lengths_are_bounded),
        cmocka_unit_test(test_key_or_command),
        cmocka_unit_test(test_what_only_a_device_needs),
        cmocka_unit_test(test_a_run_needs_nothing_to_carry),
        cmocka_unit_test(test_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    portal_conf_free(conf);
    free(report);
    return failed;
}
