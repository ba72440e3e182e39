// SPDX-License-Identifier: GPL-2.0-or-later
// What systemd-resolved is told, by a bus of our own whose answers are scripted; the real one is in tests/net.
#include "unit.h"

#ifdef USHER_SYSTEMD

#include "os/clock.h"
#include "os/system_dns/resolved.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define RESOLVED "org.freedesktop.resolve1"

struct script {
    const char *owner;   // of resolved's name; "": it does not run
    const char *failing; // method
    const char *error;   // of its answer
    int times;           // how often it fails
    bool silent;         // the bus takes the connection and says nothing
};

static struct {
    struct script script;
    int listener;
    pthread_t thread;
    char calls[4096]; // one line each
} bus;

static void note(sd_bus_message *message)
{
    const char *destination = sd_bus_message_get_destination(message);
    size_t used = strlen(bus.calls), size = sizeof bus.calls;
    int ifindex, family, flag;
    const char *text;
    const void *bytes;
    size_t len;
    sd_bus_message_read(message, "i", &ifindex);
    used += (size_t)snprintf(bus.calls + used, size - used, "%s %s %d",
                             strcmp(destination, RESOLVED) ? "networkd" : "resolved",
                             sd_bus_message_get_member(message), ifindex);
    if (sd_bus_message_has_signature(message, "ia(iay)")) {
        sd_bus_message_enter_container(message, 'a', "(iay)");
        while (sd_bus_message_enter_container(message, 'r', "iay") > 0) {
            sd_bus_message_read(message, "i", &family);
            sd_bus_message_read_array(message, 'y', &bytes, &len);
            sd_bus_message_exit_container(message);
            used += (size_t)snprintf(bus.calls + used, size - used, " %d/%zu/%d", family, len,
                                     ((const uint8_t *)bytes)[len - 1]);
        }
    } else if (sd_bus_message_has_signature(message, "ia(sb)")) {
        sd_bus_message_enter_container(message, 'a', "(sb)");
        while (sd_bus_message_read(message, "(sb)", &text, &flag) > 0)
            used += (size_t)snprintf(bus.calls + used, size - used, " %s%s", flag ? "~" : "", text);
    } else if (sd_bus_message_has_signature(message, "ib")) {
        sd_bus_message_read(message, "b", &flag);
        used += (size_t)snprintf(bus.calls + used, size - used, " %s", flag ? "true" : "false");
    } else if (sd_bus_message_has_signature(message, "is")) {
        sd_bus_message_read(message, "s", &text);
        used += (size_t)snprintf(bus.calls + used, size - used, " %s", text);
    }
    snprintf(bus.calls + used, size - used, "\n");
}

static int answer(sd_bus_message *message, void *data, sd_bus_error *error)
{
    const char *member = sd_bus_message_get_member(message);
    (void)data;
    (void)error;
    if (!sd_bus_message_is_method_call(message, NULL, NULL))
        return 0; // the end, which the library tells as a signal
    if (!strcmp(member, "Hello"))
        return sd_bus_reply_method_return(message, "s", ":1.1");
    if (!strcmp(member, "NameHasOwner"))
        return sd_bus_reply_method_return(message, "b", *bus.script.owner != '\0');
    note(message);
    if (bus.script.failing && !strcmp(member, bus.script.failing) && bus.script.times > 0 &&
        !strcmp(sd_bus_message_get_destination(message), RESOLVED)) {
        bus.script.times--;
        return sd_bus_reply_method_errorf(message, bus.script.error, "scripted");
    }
    return sd_bus_reply_method_return(message, "");
}

static void *serve(void *arg)
{
    sd_bus *server;
    sd_id128_t id;
    int fd = accept(bus.listener, NULL, NULL);
    (void)arg;
    if (bus.script.silent) {
        char byte;
        while (read(fd, &byte, 1) > 0)
            ;
        close(fd);
        return NULL;
    }
    sd_id128_randomize(&id);
    sd_bus_new(&server);
    sd_bus_set_fd(server, fd, fd);
    sd_bus_set_server(server, 1, id);
    sd_bus_add_filter(server, NULL, answer, NULL);
    sd_bus_start(server);
    for (int result = 0; result >= 0;) {
        result = sd_bus_process(server, NULL);
        if (result == 0)
            result = sd_bus_wait(server, UINT64_MAX);
    }
    sd_bus_close_unref(server);
    return NULL;
}

static int enter(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char address[128];
    snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "usher-test-resolved-%d", (int)getpid());
    bus.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address, sizeof address, "unix:abstract=%s", at.sun_path + 1);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(at.sun_path + 1));
    return bind(bus.listener, (struct sockaddr *)&at, len) < 0 || listen(bus.listener, 4) < 0 ? -1 : 0;
}

static int leave(void **state)
{
    (void)state;
    return close(bus.listener);
}

static bool tell(const struct script *script, struct fault *fault)
{
    struct address servers[2];
    static const struct resolved_domain domains[] = {{"corp.example", true}, {"10.in-addr.arpa", false}};
    const struct resolved_link link = {7, servers, 2, domains, 2};
    address_parse(&servers[0], "198.18.0.1");
    address_parse(&servers[1], "fd75::2");
    bus.script = *script;
    *bus.calls = '\0';
    pthread_create(&bus.thread, NULL, serve, NULL);
    bool ok = resolved_set_link(&link, fault);
    pthread_join(bus.thread, NULL);
    return ok;
}

#define QUIET                                                                                                          \
    "resolved SetLinkDNSSEC 7 no\nresolved SetLinkDNSOverTLS 7 no\nresolved SetLinkLLMNR 7 no\n"                       \
    "resolved SetLinkMulticastDNS 7 no\n"
#define ROUTE   "resolved SetLinkDefaultRoute 7 false\n"
#define DOMAINS "resolved SetLinkDomains 7 corp.example ~10.in-addr.arpa\n"
#define SERVERS "resolved SetLinkDNS 7 2/4/1 10/16/2\n"

static void test_told(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct script script;
        const char *calls, *why; // NULL: success
    } cases[] = {
        {"all", {"x", NULL, NULL, 0, false}, QUIET ROUTE DOMAINS SERVERS, NULL},
        {"not running", {"", NULL, NULL, 0, false}, "", "systemd-resolved does not run"},
        {"link not known yet",
         {"x", "SetLinkDNSSEC", RESOLVED ".NoSuchLink", 2, false},
         "resolved SetLinkDNSSEC 7 no\nresolved SetLinkDNSSEC 7 no\n" QUIET ROUTE DOMAINS SERVERS,
         NULL},
        {"an older one",
         {"x", "SetLinkDefaultRoute", "org.freedesktop.DBus.Error.UnknownMethod", 1, false},
         QUIET ROUTE DOMAINS SERVERS,
         NULL},
        {"refused",
         {"x", "SetLinkDNS", "org.freedesktop.DBus.Error.AccessDenied", 1, false},
         QUIET ROUTE DOMAINS SERVERS "resolved RevertLink 7\n",
         "systemd-resolved: SetLinkDNS: scripted"},
        {"held by networkd",
         {"x", "SetLinkDNSSEC", RESOLVED ".LinkBusy", 1, false},
         "resolved SetLinkDNSSEC 7 no\nnetworkd SetLinkDNSSEC 7 no\nnetworkd SetLinkDNSOverTLS 7 no\n"
         "networkd SetLinkLLMNR 7 no\nnetworkd SetLinkMulticastDNS 7 no\nnetworkd SetLinkDefaultRoute 7 false\n"
         "networkd SetLinkDomains 7 corp.example ~10.in-addr.arpa\nnetworkd SetLinkDNS 7 2/4/1 10/16/2\n",
         NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fault fault = {""};
        bool ok = tell(&cases[i].script, &fault);
        CASE(cases[i].name, ok == !cases[i].why);
        CASE(cases[i].name, ok || !strcmp(fault.text, cases[i].why));
        if (strcmp(bus.calls, cases[i].calls))
            fail_msg("%s:\n%s", cases[i].name, bus.calls);
    }
}

static void test_every_name(void **state)
{
    (void)state;
    struct address server;
    struct fault fault;
    static const struct resolved_domain domain = {"", false};
    const struct resolved_link link = {7, &server, 1, &domain, 1};
    address_parse(&server, "198.18.0.1");
    bus.script = (struct script){.owner = "x"};
    *bus.calls = '\0';
    pthread_create(&bus.thread, NULL, serve, NULL);
    assert_true(resolved_set_link(&link, &fault));
    pthread_join(bus.thread, NULL);
    assert_string_equal(bus.calls, QUIET "resolved SetLinkDefaultRoute 7 true\nresolved SetLinkDomains 7 ~.\n"
                                         "resolved SetLinkDNS 7 2/4/1\n");
}

static void test_silent_bus_is_not_waited_for(void **state)
{
    (void)state;
    struct fault fault;
    usec_t begun = clock_now();
    assert_false(tell(&(struct script){.owner = "x", .silent = true}, &fault));
    assert_string_equal(fault.text, "systemd-resolved: ask the system bus for it: Connection timed out");
    assert_true(clock_now() - begun < 5 * USEC_PER_SEC);
}

static void test_no_bus(void **state)
{
    (void)state;
    struct fault fault;
    const struct resolved_link link = {.ifindex = 7};
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    assert_false(resolved_set_link(&link, &fault));
    assert_string_equal(fault.text, "systemd-resolved: reach the system bus: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told, enter, leave),
        cmocka_unit_test_setup_teardown(test_every_name, enter, leave),
        cmocka_unit_test_setup_teardown(test_silent_bus_is_not_waited_for, enter, leave),
        cmocka_unit_test(test_no_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 0; // built without libsystemd
}

#endif
