// SPDX-License-Identifier: GPL-2.0-or-later
// Look-ups against a name server of our own, on a loop of our own.
#include "nameserver.h"
#include "os/resolver/resolver.h"
#include "os/sanitized.h"
#include "unit.h"

#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static bool alone;
static struct nameserver server;

// Without a network of our own the host's routes would decide the order of addresses.
static int enter(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) == 0) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        alone = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
        close(fd);
    }
    return nameserver_start(&server) ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    nameserver_stop(&server);
    return 0;
}

static void need_namespace(void)
{
    if (alone)
        return;
    print_message("no permission for a network namespace\n");
    skip();
}

struct answer {
    unsigned calls;
    size_t count;
    enum resolver_outcome outcome;
    uint32_t ttl;
    char first[ADDRESS_TEXT_SIZE];
    char why[128];
    uint64_t at_ms;
    uv_loop_t *loop;
    struct resolver *to_free, *to_ask; // what the owner does when it hears
    struct answer *next;
};

static void heard(void *owner, const struct resolver_answer *heard_answer)
{
    struct answer *answer = owner;
    answer->calls++;
    answer->count = heard_answer->count;
    answer->outcome = heard_answer->outcome;
    answer->ttl = heard_answer->ttl;
    answer->at_ms = answer->loop ? uv_now(answer->loop) : 0;
    if (heard_answer->count > 0)
        address_text(&heard_answer->addrs[0], answer->first);
    snprintf(answer->why, sizeof(answer->why), "%s", heard_answer->why);
    if (answer->to_free)
        resolver_free(answer->to_free);
    if (answer->to_ask)
        resolver_lookup(answer->to_ask, "two.test", heard, answer->next);
}

static struct resolver *open_on(uv_loop_t *loop, uint32_t timeout_ms)
{
    const struct resolver_config config = {.servers = server.servers, .timeout_ms = timeout_ms};
    struct fault fault;
    uv_loop_init(loop);
    struct resolver *resolver = resolver_new(loop, &config, &fault);
    assert_non_null(resolver);
    return resolver;
}

// The loop comes to its end by itself: nothing is left open.
static void finish(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void names_and_what_is_said_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        size_t count;
        const char *first, *why;
        enum resolver_outcome outcome;
    } cases[] = {
        {"two.test", 2, NULL, "", RESOLVER_FOUND},
        {"TWO.test.", 2, NULL, "", RESOLVER_FOUND},
        {"many.test", RESOLVER_ADDRESSES_MAX, NULL, "", RESOLVER_FOUND},
        {"big.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"half.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"fails4.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"fails6.test", 1, "2001:db8::1", "", RESOLVER_FOUND},
        {"refuses4.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"refuses6.test", 1, "2001:db8::1", "", RESOLVER_FOUND},
        {"lacks4.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"lacks6.test", 1, "2001:db8::1", "", RESOLVER_FOUND},
        {"torn4.test", 1, "192.0.2.1", "", RESOLVER_FOUND},
        {"torn6.test", 1, "2001:db8::1", "", RESOLVER_FOUND},
        {"none.test", 0, "", "no such name", RESOLVER_NO_NAME},
        {"empty.test", 0, "", "the name has no address", RESOLVER_NO_ADDRESS},
        {"192.0.2.55", 1, "192.0.2.55", "", RESOLVER_FOUND},
        {"2001:db8::55", 1, "2001:db8::55", "", RESOLVER_FOUND},
        {"::ffff:127.0.0.1", 1, "::ffff:127.0.0.1", "", RESOLVER_FOUND},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, 2000);
        struct answer answer = {0};
        assert_non_null(resolver_lookup(resolver, cases[i].host, heard, &answer));
        CASE(cases[i].host, answer.calls == 0); // never from within
        uv_run(&loop, UV_RUN_DEFAULT);
        CASE(cases[i].host, answer.calls == 1);
        CASE(cases[i].host, answer.count == cases[i].count);
        CASE(cases[i].host, answer.outcome == cases[i].outcome);
        CASE(cases[i].host, answer.ttl == (strstr(cases[i].host, ".test") && cases[i].count ? 60 : 0));
        CASE(cases[i].host, !cases[i].first || strcmp(answer.first, cases[i].first) == 0);
        if (strcmp(answer.why, cases[i].why) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].host, answer.why, cases[i].why);
        resolver_free(resolver);
        finish(&loop);
    }
}

static void names_that_are_no_names(void **state)
{
    (void)state;
    char label[300];
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    const char *const hosts[] = {"", ".", "..", "a..test", label, "127.1", "0x7f000001", "2130706433", "broken.test"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, 1000);
        struct answer answer = {0};
        resolver_lookup(resolver, hosts[i], heard, &answer);
        assert_int_equal(answer.calls, 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        CASE(hosts[i], answer.calls == 1 && answer.count == 0 && answer.why[0]);
        CASE(hosts[i], answer.outcome != RESOLVER_FOUND);
        resolver_free(resolver);
        finish(&loop);
    }
}

static void addresses_that_can_be_reached_come_first(void **state)
{
    (void)state;
    need_namespace();
    static const char *const cases[][2] = {{"near4.test", "127.0.0.9"}, {"near6.test", "::1"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, 2000);
        struct answer answer = {0};
        resolver_lookup(resolver, cases[i][0], heard, &answer);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(answer.count, 2);
        assert_string_equal(answer.first, cases[i][1]);
        resolver_free(resolver);
        finish(&loop);
    }
}

static void a_silent_server_costs_the_timeout_and_no_more(void **state)
{
    (void)state;
    static const uint32_t timeouts_ms[] = {150, 600};
    for (size_t i = 0; i < COUNT(timeouts_ms); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, timeouts_ms[i]);
        uint64_t start = uv_now(&loop);
        struct answer answer = {.loop = &loop};
        resolver_lookup(resolver, "silent.test", heard, &answer);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(answer.calls, 1);
        assert_int_equal(answer.count, 0);
        assert_non_null(strstr(answer.why, "no answer"));
        assert_true(answer.at_ms - start <= timeouts_ms[i] + 100);
        resolver_free(resolver);
        finish(&loop);
    }
}

static void a_server_that_is_not_there(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct resolver_config config = {.servers = "127.0.0.1:1", .timeout_ms = 1000};
    struct fault fault;
    struct resolver *resolver = resolver_new(&loop, &config, &fault);
    struct answer answer = {0};
    resolver_lookup(resolver, "two.test", heard, &answer);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answer.calls, 1);
    assert_string_equal(answer.why, "the name servers cannot be reached");
    resolver_free(resolver);
    finish(&loop);
}

static void the_second_server_helps_out(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    char servers[64];
    snprintf(servers, sizeof(servers), "127.0.0.1:1,%s", server.servers);
    const struct resolver_config config = {.servers = servers, .timeout_ms = 2000};
    struct fault fault;
    struct resolver *resolver = resolver_new(&loop, &config, &fault);
    struct answer answer = {0};
    resolver_lookup(resolver, "two.test", heard, &answer);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(answer.count, 2);
    resolver_free(resolver);
    finish(&loop);
}

static void who_cancels_hears_nothing(void **state)
{
    (void)state;
    static const char *const hosts[] = {"two.test", "silent.test", "192.0.2.1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, 300);
        struct answer gone = {0}, kept = {0};
        struct resolver_query *query = resolver_lookup(resolver, hosts[i], heard, &gone);
        resolver_lookup(resolver, "two.test", heard, &kept);
        resolver_cancel(query);
        uv_run(&loop, UV_RUN_DEFAULT);
        CASE(hosts[i], gone.calls == 0);
        CASE(hosts[i], kept.calls == 1 && kept.count == 2);
        resolver_free(resolver);
        finish(&loop);
    }
}

static void who_frees_hears_nothing(void **state)
{
    (void)state;
    static const char *const hosts[] = {"two.test", "silent.test", "big.test", "192.0.2.1"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        uv_loop_t loop;
        struct resolver *resolver = open_on(&loop, 300);
        struct answer answer = {0};
        resolver_lookup(resolver, hosts[i], heard, &answer);
        uv_run(&loop, UV_RUN_NOWAIT);
        unsigned before = answer.calls; // a literal may have been quick
        resolver_free(resolver);
        finish(&loop);
        CASE(hosts[i], answer.calls == before);
    }
}

static void an_owner_may_free_or_ask_again_when_it_hears(void **state)
{
    (void)state;
    uv_loop_t loop;
    struct resolver *resolver = open_on(&loop, 2000);
    struct answer second = {.to_free = resolver}, third = {0};
    struct answer first = {.to_ask = resolver, .next = &second};
    resolver_lookup(resolver, "192.0.2.1", heard, &first);
    resolver_lookup(resolver, "silent.test", heard, &third);
    finish(&loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
    assert_int_equal(second.count, 2);
    assert_int_equal(third.calls, 0);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct answer answers[MANY];
    uv_loop_t loop;
    struct resolver *resolver = open_on(&loop, 5000);
    for (size_t i = 0; i < MANY; i++)
        resolver_lookup(resolver, i % 2 ? "two.test" : "none.test", heard, &answers[i]);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(answers[i].calls, 1);
        assert_int_equal(answers[i].count, i % 2 ? 2 : 0);
    }
    resolver_free(resolver);
    finish(&loop);
}

enum { MARK = 0x7573 };

static unsigned marked_sockets(void)
{
    unsigned found = 0;
    for (int fd = 3; fd < 256; fd++) {
        unsigned mark = 0;
        socklen_t len = sizeof(mark);
        found += getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &len) == 0 && mark == MARK;
    }
    return found;
}

static size_t lookup_marked(unsigned *marked)
{
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct resolver_config config = {.servers = server.servers, .timeout_ms = 1000, .mark = MARK};
    struct fault fault;
    struct resolver *resolver = resolver_new(&loop, &config, &fault);
    struct answer answer = {0};
    resolver_lookup(resolver, "two.test", heard, &answer);
    *marked = marked_sockets();
    uv_run(&loop, UV_RUN_DEFAULT);
    resolver_free(resolver);
    finish(&loop);
    return answer.count;
}

static void questions_carry_the_mark_or_are_not_asked(void **state)
{
    (void)state;
    need_namespace();
    unsigned marked;
    assert_int_equal(lookup_marked(&marked), 2);
    assert_true(marked > 0);

    pid_t child = fork();
    if (child == 0) // without privilege there is no mark
        _exit(setuid(65534) < 0 ? 9 : (int)lookup_marked(&marked));
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void servers_are_judged_at_the_start(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct resolver_config config = {.servers = "not an address", .timeout_ms = 1000};
    struct fault fault = {""};
    assert_null(resolver_new(&loop, &config, &fault));
    assert_non_null(strstr(fault.text, "not an address"));
    finish(&loop);
}

static void the_systems_servers_make_a_resolver(void **state)
{
    (void)state;
    char servers[512];
    struct fault fault = {""};
    if (!resolver_system_servers(servers, sizeof(servers), &fault)) {
        assert_non_null(strstr(fault.text, "/etc/resolv.conf"));
        print_message("%s\n", fault.text);
        skip();
    }
    assert_true(strlen(servers) > 0);
    uv_loop_t loop;
    uv_loop_init(&loop);
    const struct resolver_config config = {.servers = servers, .timeout_ms = 1000};
    struct resolver *resolver = resolver_new(&loop, &config, &fault);
    assert_non_null(resolver);
    resolver_free(resolver);
    finish(&loop);
    assert_false(resolver_system_servers(servers, 4, &fault)); // does not fit
}

// Puts a file of ours in the place of /etc/hosts, for this process alone.
static bool replace_hosts(const char *text)
{
    char path[] = "/tmp/usher-hosts-XXXXXX";
    int fd = mkstemp(path);
    bool ok = fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) &&
              unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
    close(fd);
    unlink(path);
    return ok;
}

static void the_hosts_file_is_read_when_asked_for(void **state)
{
    (void)state;
    need_namespace();
    if (!replace_hosts("192.0.2.99 filed.test\n")) {
        print_message("no permission for a mount namespace\n");
        skip();
    }
    for (int asked = 0; asked < 2; asked++) {
        uv_loop_t loop;
        uv_loop_init(&loop);
        const struct resolver_config config = {.servers = server.servers, .timeout_ms = 1000, .hosts_file = asked};
        struct fault fault;
        struct resolver *resolver = resolver_new(&loop, &config, &fault);
        struct answer answer = {0};
        resolver_lookup(resolver, "filed.test", heard, &answer);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(answer.calls, 1);
        assert_string_equal(answer.first, asked ? "192.0.2.99" : "");
        assert_string_equal(answer.why, asked ? "" : "no such name");
        resolver_free(resolver);
        finish(&loop);
    }
}

static void stop(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

// c-ares' tables: 73 KiB in version 1.18.
static void what_it_takes_to_ask_is_there_while_somebody_asks(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_timer_t pause;
    struct resolver *resolver = open_on(&loop, 1000);
    for (int i = 0; i < 2; i++) {
        struct answer answer = {0};
        size_t before = mallinfo2().uordblks;
        resolver_lookup(resolver, "two.test", heard, &answer);
        size_t asking = mallinfo2().uordblks;
        uv_timer_init(&loop, &pause);
        uv_timer_start(&pause, stop, 2500, 0);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_int_equal(answer.count, 2);
        if (!SANITIZED) {
            assert_true(asking > before + 16 * 1024);
            assert_true(mallinfo2().uordblks < before + 8 * 1024);
        }
    }
    resolver_free(resolver);
    finish(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_what_is_said_of_them),
        cmocka_unit_test(names_that_are_no_names),
        cmocka_unit_test(addresses_that_can_be_reached_come_first),
        cmocka_unit_test(a_silent_server_costs_the_timeout_and_no_more),
        cmocka_unit_test(a_server_that_is_not_there),
        cmocka_unit_test(the_second_server_helps_out),
        cmocka_unit_test(who_cancels_hears_nothing),
        cmocka_unit_test(who_frees_hears_nothing),
        cmocka_unit_test(an_owner_may_free_or_ask_again_when_it_hears),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(questions_carry_the_mark_or_are_not_asked),
        cmocka_unit_test(servers_are_judged_at_the_start),
        cmocka_unit_test(the_systems_servers_make_a_resolver),
        cmocka_unit_test(the_hosts_file_is_read_when_asked_for),
        cmocka_unit_test(what_it_takes_to_ask_is_there_while_somebody_asks),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
