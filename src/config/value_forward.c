// SPDX-License-Identifier: GPL-2.0-or-later
// A forward is cut at its arrow, and each end at its last colon; every part then stands for itself.

#include "config/value_forward.h"

#include "base/host_name.h"
#include "base/memory.h"
#include "config/value_net.h"

#include <ctype.h>
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

static bool is_same_place(const struct value_forward *a, const struct value_forward *b)
{
    return a->protocol == b->protocol && address_equal(&a->listen.addr, &b->listen.addr) &&
           a->listen.port < b->listen.port + b->count && b->listen.port < a->listen.port + a->count;
}

static bool append(struct value_forwards *out, const struct value_forward *forward, struct fault *fault)
{
    if (out->count == VALUE_LIST_MAX)
        return fault_set(fault, "is one too many: the list holds %d", VALUE_LIST_MAX);
    for (size_t i = 0; i < out->count; i++)
        if (is_same_place(&out->items[i], forward))
            return fault_set(fault, "listens where an earlier one does");
    out->items = memory_resize(out->items, (out->count + 1) * sizeof *out->items);
    out->items[out->count++] = *forward;
    return true;
}

bool value_forwards(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    (void)key;
    struct value_forward forward = {0};
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
