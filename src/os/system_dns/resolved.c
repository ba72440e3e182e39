// SPDX-License-Identifier: GPL-2.0-or-later
// A network manager may hold the link, too: then resolved refuses (LinkBusy), and systemd-networkd takes the same calls in
// its place and passes them on. resolved hears of a new link from the kernel, in its own time: until then it knows none of
// that number (NoSuchLink), and is asked again.
#include "os/system_dns/resolved.h"

#ifdef USHER_SYSTEMD

#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 3000, // for all of it: `up` waits
    AGAIN_MS = 20,      // between questions for a link that is not known yet
};

#define RESOLVED "org.freedesktop.resolve1"

// Who is told.
struct service {
    const char *name, *path, *interface, *revert;
};
static const struct service resolved = {RESOLVED, "/org/freedesktop/resolve1", RESOLVED ".Manager", "RevertLink"};
static const struct service networkd = {"org.freedesktop.network1", "/org/freedesktop/network1",
                                        "org.freedesktop.network1.Manager", "RevertLinkDNS"};

struct talk {
    sd_bus *bus;
    usec_t deadline;
    const struct service *service;
    const struct resolved_link *link;
};

static uint64_t time_left(const struct talk *talk)
{
    usec_t now = clock_now();
    return now < talk->deadline ? talk->deadline - now : 1; // 0 would be the library's own 25 s
}

// The library would wait for 90 s for a bus that takes the connection and is silent.
static int wait_ready(const struct talk *talk)
{
    int result;
    while ((result = sd_bus_is_ready(talk->bus)) == 0) {
        if (clock_now() >= talk->deadline)
            return -ETIMEDOUT;
        result = sd_bus_process(talk->bus, NULL);
        if (result == 0)
            result = sd_bus_wait(talk->bus, time_left(talk));
        if (result < 0)
            return result;
    }
    return result < 0 ? result : 0;
}

static bool is_running(const struct talk *talk, struct fault *fault)
{
    sd_bus_message *question = NULL, *answer = NULL;
    int is_there = 0, result = wait_ready(talk);
    if (result >= 0)
        result = sd_bus_message_new_method_call(talk->bus, &question, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                "org.freedesktop.DBus", "NameHasOwner");
    if (result >= 0)
        result = sd_bus_message_append(question, "s", RESOLVED);
    if (result >= 0)
        result = sd_bus_call(talk->bus, question, time_left(talk), NULL, &answer);
    if (result >= 0)
        result = sd_bus_message_read(answer, "b", &is_there);
    sd_bus_message_unref(question);
    sd_bus_message_unref(answer);
    if (result < 0)
        return fault_errno(fault, -result, "systemd-resolved: ask the system bus for it");
    return is_there || fault_set(fault, "systemd-resolved does not run");
}

// What stands in the message behind the link's number.
typedef int fill_message(sd_bus_message *message, const struct resolved_link *link);

static int fill_nothing(sd_bus_message *message, const struct resolved_link *link)
{
    (void)message;
    (void)link;
    return 0;
}

static int fill_no(sd_bus_message *message, const struct resolved_link *link)
{
    (void)link;
    return sd_bus_message_append(message, "s", "no");
}

static int fill_servers(sd_bus_message *message, const struct resolved_link *link)
{
    int result = sd_bus_message_open_container(message, 'a', "(iay)");
    for (size_t i = 0; result >= 0 && i < link->server_count; i++) {
        bool v4 = link->servers[i].version == 4;
        result = sd_bus_message_open_container(message, 'r', "iay");
        if (result >= 0)
            result = sd_bus_message_append(message, "i", v4 ? AF_INET : AF_INET6);
        if (result >= 0)
            result = sd_bus_message_append_array(message, 'y', link->servers[i].bytes, v4 ? 4 : 16);
        if (result >= 0)
            result = sd_bus_message_close_container(message);
    }
    return result < 0 ? result : sd_bus_message_close_container(message);
}

static int fill_domains(sd_bus_message *message, const struct resolved_link *link)
{
    int result = sd_bus_message_open_container(message, 'a', "(sb)");
    for (size_t i = 0; result >= 0 && i < link->domain_count; i++) {
        const struct resolved_domain *domain = &link->domains[i];
        result = sd_bus_message_append(message, "(sb)", *domain->name ? domain->name : ".", !domain->search);
    }
    return result < 0 ? result : sd_bus_message_close_container(message);
}

// Whether names of nobody's domain are asked over this link, too.
static int fill_default(sd_bus_message *message, const struct resolved_link *link)
{
    bool every = false;
    for (size_t i = 0; i < link->domain_count; i++)
        every |= !*link->domains[i].name;
    return sd_bus_message_append(message, "b", every);
}

static int call(const struct talk *talk, const char *method, fill_message *fill, sd_bus_error *error)
{
    sd_bus_message *message = NULL;
    const struct service *to = talk->service;
    int result = sd_bus_message_new_method_call(talk->bus, &message, to->name, to->path, to->interface, method);
    if (result >= 0)
        result = sd_bus_message_append(message, "i", (int)talk->link->ifindex);
    if (result >= 0)
        result = fill(message, talk->link);
    if (result >= 0)
        result = sd_bus_call(talk->bus, message, time_left(talk), error, NULL);
    sd_bus_message_unref(message);
    return result;
}

static int call_until_known(struct talk *talk, const char *method, fill_message *fill, sd_bus_error *error)
{
    for (;;) {
        int result = call(talk, method, fill, error);
        bool unknown = result < 0 && sd_bus_error_has_name(error, RESOLVED ".NoSuchLink");
        bool busy = result < 0 && sd_bus_error_has_name(error, RESOLVED ".LinkBusy");
        if (!(unknown && clock_now() < talk->deadline) && !(busy && talk->service == &resolved))
            return result;
        if (busy)
            talk->service = &networkd;
        else
            usleep(AGAIN_MS * 1000);
        sd_bus_error_free(error);
    }
}

static bool tell(struct talk *talk, const char *method, fill_message *fill, struct fault *fault)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int result = call_until_known(talk, method, fill, &error);
    if (result < 0 && sd_bus_error_is_set(&error))
        fault_set(fault, "systemd-resolved: %s: %.300s", method, error.message ? error.message : error.name);
    else if (result < 0)
        fault_errno(fault, -result, "systemd-resolved: %s", method);
    sd_bus_error_free(&error);
    return result >= 0;
}

// The service behind the link signs nothing, speaks plain DNS, and needs no multicast; and the tunnel is sealed anyway.
static const struct {
    const char *method;
    fill_message *fill;
    bool required; // else it may be an older one that has no such call
} STEPS[] = {
    {"SetLinkDNSSEC", fill_no, false},
    {"SetLinkDNSOverTLS", fill_no, false},
    {"SetLinkLLMNR", fill_no, false},
    {"SetLinkMulticastDNS", fill_no, false},
    {"SetLinkDefaultRoute", fill_default, false},
    {"SetLinkDomains", fill_domains, true}, // before the servers: at no moment is every name asked there
    {"SetLinkDNS", fill_servers, true},
};

static bool tell_all(struct talk *talk, struct fault *fault)
{
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        struct fault ignored;
        if (!tell(talk, STEPS[i].method, STEPS[i].fill, STEPS[i].required ? fault : &ignored) && STEPS[i].required) {
            tell(talk, talk->service->revert, fill_nothing, &ignored);
            return false;
        }
    }
    return true;
}

bool resolved_set_link(const struct resolved_link *link, struct fault *fault)
{
    struct talk talk = {.deadline = clock_now() + PATIENCE_MS * USEC_PER_MSEC, .service = &resolved, .link = link};
    int result = sd_bus_open_system(&talk.bus);
    if (result < 0)
        return fault_errno(fault, -result, "systemd-resolved: reach the system bus");
    bool ok = is_running(&talk, fault) && tell_all(&talk, fault);
    sd_bus_close_unref(talk.bus); // nothing waits to be sent: every call has had its answer, or its time
    return ok;
}

#else

bool resolved_set_link(const struct resolved_link *link, struct fault *fault)
{
    (void)link;
    return fault_set(fault, "systemd-resolved: this program was built without libsystemd");
}

#endif
