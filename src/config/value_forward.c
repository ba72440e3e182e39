// SPDX-License-Identifier: GPL-2.0-or-later
// A forward is cut at its arrow, and each end at its last colon; every part then stands for itself.

#include "config/value_forward.h"

#include "base/host_name.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "host:ports"; `host` is without brackets.
struct end {
    char *host;
    bool bracketed;
    uint16_t port, count;
};

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

// "22" or "8000-8009".
static bool parse_ports(struct end *out, char *text)
{
    uint16_t last;
    char *dash = strchr(text, '-');
    if (dash)
        *dash++ = '\0';
    if (!address_port_parse(&out->port, text))
        return false;
    last = out->port;
    if (dash && (!address_port_parse(&last, dash) || last <= out->port))
        return false;
    out->count = (uint16_t)(last - out->port + 1);
    return true;
}

static bool parse_end(struct end *out, char *text)
{
    char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    size_t len = strlen(text);
    out->host = text;
    out->bracketed = len > 2 && *text == '[' && text[len - 1] == ']';
    if (out->bracketed) {
        text[len - 1] = '\0';
        out->host++;
    }
    return parse_ports(out, colon + 1);
}

static bool parse_address(struct address *out, const struct end *end)
{
    return address_parse(out, end->host) && (out->version == 6) == end->bracketed;
}

static bool parse_protocol(uint8_t *out, const char *word)
{
    if (!strcasecmp(word, "tcp"))
        *out = IPPROTO_TCP;
    else if (!strcasecmp(word, "udp"))
        *out = IPPROTO_UDP;
    else
        return false;
    return true;
}

static bool parse_listen(struct value_forward *out, char *text)
{
    struct end end;
    if (!parse_end(&end, text) || !parse_address(&out->listen.addr, &end))
        return false;
    out->listen.port = end.port;
    out->count = end.count;
    return true;
}

static bool parse_far(struct value_forward *out, char *text, uint16_t *count)
{
    struct end end;
    if (!parse_end(&end, text))
        return false;
    *count = end.count;
    out->port = end.port;
    if (parse_address(&out->address, &end))
        return true;
    if (end.bracketed || !host_name_is_valid(end.host))
        return false;
    out->host = memory_text(end.host);
    return true;
}

// Cuts `text`, of which `out` keeps nothing.
static bool parse(struct value_forward *out, char *text, struct fault *fault)
{
    uint16_t count;
    char *listen = text + strcspn(text, " \t");
    if (*listen)
        *listen++ = '\0';
    char *far = strstr(listen, "->");
    if (!parse_protocol(&out->protocol, text))
        return fault_set(fault, "begins neither with tcp nor with udp");
    if (!far)
        return fault_set(fault, "is not a forward such as tcp 127.0.0.1:2222 -> db.corp.example:22");
    *far = '\0';
    if (!parse_listen(out, trim(listen)))
        return fault_set(fault, "does not listen on address:port or [v6]:port (a range of ports is 8000-8009)");
    if (!parse_far(out, trim(far + 2), &count))
        return fault_set(fault,
                         "does not lead to host:port, address:port or [v6]:port (a range of ports is 8000-8009)");
    if (count != out->count)
        return fault_set(fault, "has ranges of %u and %u ports", out->count, count);
    return true;
}

static bool is_any(const struct address *addr)
{
    static const uint8_t zeros[sizeof addr->bytes];
    return !memcmp(addr->bytes, zeros, sizeof zeros);
}

// 0.0.0.0 is every address of its version.
static bool have_address_in_common(const struct address *a, const struct address *b)
{
    return a->version == b->version && (is_any(a) || is_any(b) || address_equal(a, b));
}

static bool is_same_place(const struct value_forward *a, const struct value_forward *b)
{
    return a->protocol == b->protocol && have_address_in_common(&a->listen.addr, &b->listen.addr) &&
           a->listen.port < b->listen.port + b->count && b->listen.port < a->listen.port + a->count;
}

bool value_forwards_meet(const struct value_forwards *forwards, const struct value_forward *forward)
{
    for (size_t i = 0; i < forwards->count; i++)
        if (is_same_place(&forwards->items[i], forward))
            return true;
    return false;
}

size_t value_forwards_ports(const struct value_forwards *forwards)
{
    size_t count = 0;
    for (size_t i = 0; i < forwards->count; i++)
        count += forwards->items[i].count;
    return count;
}

struct value_forward value_forwards_port(const struct value_forwards *forwards, size_t index)
{
    size_t i = 0;
    for (; index >= forwards->items[i].count; i++)
        index -= forwards->items[i].count;
    struct value_forward port = forwards->items[i];
    port.listen.port = (uint16_t)(port.listen.port + index);
    port.port = (uint16_t)(port.port + index);
    port.count = 1;
    return port;
}

// "-8009" behind the first port of a range.
static const char *range_text(uint16_t first, uint16_t count, char room[8])
{
    *room = '\0';
    if (count > 1)
        snprintf(room, 8, "-%u", (unsigned)first + count - 1);
    return room;
}

const char *value_forward_text(const struct value_forward *forward, char room[VALUE_FORWARD_TEXT_SIZE])
{
    char listen[ENDPOINT_TEXT_SIZE], far[ENDPOINT_TEXT_SIZE], ranges[2][8];
    const struct endpoint to = {.addr = forward->address, .port = forward->port};
    const char *protocol = forward->protocol == IPPROTO_TCP ? "tcp" : "udp";
    const char *from_to = range_text(forward->listen.port, forward->count, ranges[0]);
    const char *to_to = range_text(forward->port, forward->count, ranges[1]);
    endpoint_text(&forward->listen, listen);
    if (forward->host)
        snprintf(room, VALUE_FORWARD_TEXT_SIZE, "%s %s%s -> %s:%u%s", protocol, listen, from_to, forward->host,
                 forward->port, to_to);
    else
        snprintf(room, VALUE_FORWARD_TEXT_SIZE, "%s %s%s -> %s%s", protocol, listen, from_to, endpoint_text(&to, far),
                 to_to);
    return room;
}

static bool append(struct value_forwards *out, const struct value_forward *forward, struct fault *fault)
{
    if (value_forwards_meet(out, forward))
        return fault_set(fault, "listens where an earlier one does");
    if (value_forwards_ports(out) + forward->count > VALUE_FORWARD_PORTS_MAX)
        return fault_set(fault, "makes more than %d ports", VALUE_FORWARD_PORTS_MAX);
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = *forward;
    return true;
}

bool value_forwards(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    struct value_forward forward = {.line = entry->line};
    char *text = memory_text(entry->value);
    bool ok = parse(&forward, text, fault) && append(field, &forward, fault);
    free(text);
    if (!ok)
        free(forward.host);
    return ok;
}

void value_forwards_fini(struct value_forwards *forwards)
{
    for (size_t i = 0; i < forwards->count; i++)
        free(forwards->items[i].host);
    free(forwards->items);
    *forwards = (struct value_forwards){0};
}
