// SPDX-License-Identifier: GPL-2.0-or-later
// A row of a table for each family; the families stand in one piece each, as the format wants.

#include "console/metrics.h"

#include "base/memory.h"
#include "console/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { GAUGE, COUNTER };
enum of { PORTAL = 1, GATE = 2, BOTH = 3 };

struct family {
    const char *name, *unit, *help; // unit "": none
    enum kind kind;
    enum of of;
    const char *part, *key; // within the status; part NULL: in the status itself
    double factor;          // 0: the value is a moment
};

static const struct family INSTANCES[] = {
    {"usher_state_timestamp_seconds", "seconds", "When the instance came into its present state.", GAUGE, BOTH, NULL,
     "since", 0},
    {"usher_flows", "", "Flows that are open.", GAUGE, PORTAL, NULL, "flows", 1},
    {"usher_received_bytes", "bytes", "Payload from far ends.", COUNTER, PORTAL, NULL, "bytes_in", 1},
    {"usher_sent_bytes", "bytes", "Payload to far ends.", COUNTER, PORTAL, NULL, "bytes_out", 1},
    {"usher_round_trip_seconds", "seconds", "Round trip to the gate, as the kernel measures it.", GAUGE, PORTAL, NULL,
     "rtt_us", 1e-6},
    {"usher_unauthenticated_connections", "", "Connections whose portal is not known yet.", GAUGE, GATE, NULL,
     "unauthenticated", 1},
    {"usher_refused_connections", "", "Connections refused before they got a worker.", COUNTER, GATE, "admission",
     "refused", 1},
    {"usher_displaced_connections", "", "Connections that had not authenticated and were ended for others.", COUNTER,
     GATE, "admission", "gave_way", 1},
    {"usher_balanced_connections", "", "Connections that balancers have passed on.", COUNTER, GATE, "balancers",
     "passed", 1},
    {"usher_balanced_refused_connections", "", "Connections of balancers that did not say whose they are.", COUNTER,
     GATE, "balancers", "refused", 1},
    {"usher_worker_crashes", "", "Workers that crashed.", COUNTER, GATE, "admission", "crashes", 1},
    {"usher_renewal_timestamp_seconds", "seconds", "When something new was put in force.", GAUGE, GATE, NULL, "renewed",
     0},
};

// Of a portal at a gate.
static const struct family PORTALS[] = {
    {"usher_portal_login_timestamp_seconds", "seconds", "When the portal logged in.", GAUGE, GATE, NULL, "since", 0},
    {"usher_portal_sessions", "", "Sessions of the portal that are open.", GAUGE, GATE, NULL, "sessions", 1},
    {"usher_portal_received_bytes", "bytes", "Payload from the portal.", COUNTER, GATE, NULL, "bytes_in", 1},
    {"usher_portal_sent_bytes", "bytes", "Payload to the portal.", COUNTER, GATE, NULL, "bytes_out", 1},
    {"usher_portal_round_trip_seconds", "seconds", "Round trip to the portal, as the kernel measures it.", GAUGE, GATE,
     "tunnel", "rtt_us", 1e-6},
    {"usher_portal_denied_opens", "", "Opens of the portal that the rules denied.", COUNTER, GATE, "dial", "denied", 1},
    {"usher_portal_certificate_expiry_timestamp_seconds", "seconds", "When the portal's certificate is out of date.",
     GAUGE, GATE, NULL, "expires", 0},
};

static void label(struct markup *out, const char *name, const char *value)
{
    markup_printf(out, "%s=\"", name); // a name is ours, and short
    for (; *value; value++) {
        const char one[2] = {(unsigned char)*value < 0x20 || *value == 0x7f ? '?' : *value, '\0'};
        markup_raw(out, *value == '\\' ? "\\\\" : *value == '"' ? "\\\"" : one);
    }
    markup_raw(out, "\"");
}

static void head(struct markup *out, const struct family *family, bool is_open)
{
    const char *total = family->kind == COUNTER && !is_open ? "_total" : "";
    markup_printf(out, "# HELP %s%s %s\n", family->name, total, family->help);
    markup_printf(out, "# TYPE %s%s %s\n", family->name, total, family->kind == COUNTER ? "counter" : "gauge");
    if (is_open && *family->unit)
        markup_printf(out, "# UNIT %s %s\n", family->name, family->unit);
}

static double value_of(const struct told *from, const struct family *family)
{
    const struct told *part = family->part ? told_part(from, family->part) : from;
    if (family->factor == 0)
        return (double)units_moment(told_text(part, family->key));
    double value = told_number(part, family->key);
    bool is_absent = value < 0 || (value == 0 && !strcmp(family->key, "rtt_us"));
    return is_absent ? -1 : value * family->factor;
}

static void sample(struct markup *out, const struct family *family, const char *instance, const char *portal,
                   double value)
{
    markup_printf(out, "%s%s{", family->name, family->kind == COUNTER ? "_total" : "");
    label(out, "instance_name", instance);
    if (portal) {
        markup_raw(out, ",");
        label(out, "portal", portal);
    }
    if (family->factor == 1e-6)
        markup_printf(out, "} %.6f\n", value);
    else
        markup_printf(out, "} %.0f\n", value);
}

static struct source_instance *instance_of(struct list *node)
{
    return container_of(node, struct source_instance, node);
}

static void instance_family(struct markup *out, const struct list *instances, const struct family *family, bool is_open)
{
    bool begun = false;
    list_for_each(node, instances) {
        const struct source_instance *instance = instance_of(node);
        bool is_its = family->of & (instance->role == SOURCE_GATE ? GATE : PORTAL);
        double value = instance->status && is_its ? value_of(instance->status, family) : -1;
        if (value < 0)
            continue;
        if (!begun)
            head(out, family, is_open);
        begun = true;
        sample(out, family, instance->name, NULL, value);
    }
}

// Logins of one name are one portal: what is counted is their sum, of moments and round trips the last one's stand.
struct merged {
    const char *name;
    double values[sizeof PORTALS / sizeof PORTALS[0]];
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct merged *)a)->name, ((const struct merged *)b)->name);
}

static size_t merge(struct merged *all, size_t count)
{
    size_t to = 0;
    qsort(all, count, sizeof *all, by_name);
    for (size_t i = 0; i < count; i++) {
        if (!to || strcmp(all[to - 1].name, all[i].name)) {
            all[to++] = all[i];
            continue;
        }
        for (size_t f = 0; f < sizeof PORTALS / sizeof PORTALS[0]; f++)
            if (PORTALS[f].factor == 1 && all[i].values[f] >= 0)
                all[to - 1].values[f] = all[i].values[f] + (all[to - 1].values[f] < 0 ? 0 : all[to - 1].values[f]);
            else if (all[i].values[f] >= 0)
                all[to - 1].values[f] = all[i].values[f];
    }
    return to;
}

struct gate {
    const char *name;
    struct merged *portals;
    size_t count;
};

static void gather(struct gate *gate, const struct source_instance *instance)
{
    const struct told *portals = told_part(instance->status, "portals");
    size_t count = told_count(portals);
    gate->name = instance->name;
    gate->portals = memory_new((count + 1) * sizeof *gate->portals);
    for (size_t i = 0; i < count; i++) {
        const struct told *portal = told_item(portals, i);
        struct merged *merged = &gate->portals[gate->count];
        merged->name = told_text(portal, "identity");
        if (!merged->name)
            continue;
        gate->count++;
        for (size_t f = 0; f < sizeof PORTALS / sizeof PORTALS[0]; f++)
            merged->values[f] = value_of(portal, &PORTALS[f]);
    }
    gate->count = merge(gate->portals, gate->count);
}

static void portal_families(struct markup *out, const struct list *instances, bool is_open)
{
    struct gate gates[SOURCE_INSTANCES_MAX] = {{0}};
    size_t count = 0;
    list_for_each(node, instances)
        if (instance_of(node)->role == SOURCE_GATE && instance_of(node)->status)
            gather(&gates[count++], instance_of(node));
    for (size_t f = 0; f < sizeof PORTALS / sizeof PORTALS[0]; f++) {
        bool begun = false;
        for (size_t g = 0; g < count; g++)
            for (size_t p = 0; p < gates[g].count; p++) {
                const struct merged *portal = &gates[g].portals[p];
                if (portal->values[f] < 0)
                    continue;
                if (!begun)
                    head(out, &PORTALS[f], is_open);
                begun = true;
                sample(out, &PORTALS[f], gates[g].name, portal->name, portal->values[f]);
            }
    }
    for (size_t g = 0; g < count; g++)
        free(gates[g].portals);
}

static void up(struct markup *out, const struct list *instances, bool is_open)
{
    static const struct family family = {
        "usher_up", "", "Whether the instance answers and its state is up.", GAUGE, BOTH, NULL, NULL, 1};
    bool begun = false;
    list_for_each(node, instances) {
        const struct source_instance *instance = instance_of(node);
        if (instance->role == SOURCE_UNKNOWN) // not heard yet
            continue;
        if (!begun)
            head(out, &family, is_open);
        begun = true;
        markup_raw(out, "usher_up{");
        label(out, "instance_name", instance->name);
        markup_printf(out, ",role=\"%s\"} %d\n", source_role_text(instance), !strcmp(source_state(instance), "up"));
    }
}

static void gate_portals(struct markup *out, const struct list *instances, bool is_open)
{
    static const struct family family = {
        "usher_connected_portals", "", "Portals that are logged in.", GAUGE, GATE, NULL, NULL, 1};
    bool begun = false;
    list_for_each(node, instances) {
        const struct source_instance *instance = instance_of(node);
        if (instance->role != SOURCE_GATE || !instance->status)
            continue;
        if (!begun)
            head(out, &family, is_open);
        begun = true;
        sample(out, &family, instance->name, NULL, (double)told_count(told_part(instance->status, "portals")));
    }
}

static void credentials(struct markup *out, const struct list *instances, bool is_open)
{
    static const struct family family = {"usher_credential_expiry_timestamp_seconds",
                                         "seconds",
                                         "When the certificate, CA or revocation list is out of date.",
                                         GAUGE,
                                         BOTH,
                                         NULL,
                                         "expires",
                                         0};
    bool begun = false;
    list_for_each(node, instances) {
        const struct source_instance *instance = instance_of(node);
        const struct told *items = told_part(instance->status, "validity");
        for (size_t i = 0; i < told_count(items); i++) {
            const char *credential = told_text(told_item(items, i), "credential");
            double value = value_of(told_item(items, i), &family);
            if (value < 0 || !credential)
                continue;
            if (!begun)
                head(out, &family, is_open);
            begun = true;
            markup_printf(out, "%s{", family.name);
            label(out, "instance_name", instance->name);
            markup_raw(out, ",");
            label(out, "credential", credential);
            markup_printf(out, "} %.0f\n", value);
        }
    }
}

// Whatever else is counted, by the name that the part gives it.
struct events {
    struct markup *out;
    const char *instance;
    bool *begun, is_open;
};

static void event(void *arg, const char *key, const char *value)
{
    static const struct family family = {
        "usher_events", "", "What the instance counts, by its own names.", COUNTER, PORTAL, NULL, NULL, 1};
    struct events *events = arg;
    if (!*events->begun)
        head(events->out, &family, events->is_open);
    *events->begun = true;
    markup_raw(events->out, "usher_events_total{");
    label(events->out, "instance_name", events->instance);
    markup_raw(events->out, ",");
    label(events->out, "event", key);
    markup_printf(events->out, "} %.0f\n", strtod(value, NULL));
}

void metrics_write(struct markup *out, const struct list *instances, bool is_open)
{
    bool begun = false;
    up(out, instances, is_open);
    for (size_t i = 0; i < sizeof INSTANCES / sizeof INSTANCES[0]; i++)
        instance_family(out, instances, &INSTANCES[i], is_open);
    credentials(out, instances, is_open);
    gate_portals(out, instances, is_open);
    portal_families(out, instances, is_open);
    list_for_each(node, instances) {
        struct events events = {out, instance_of(node)->name, &begun, is_open};
        if (instance_of(node)->role == SOURCE_PORTAL)
            told_each(told_part(instance_of(node)->status, "counters"), event, &events);
    }
    if (is_open)
        markup_raw(out, "# EOF\n");
}
