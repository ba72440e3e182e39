// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/listen/place.h"

#include "base/host_name.h"

#include <string.h>

static const char blank[] = " \t";

bool place_set(struct usher_open *out, const char *host, const char *port)
{
    uint16_t protocol = out->protocol;
    *out = (struct usher_open){.protocol = protocol};
    if (!address_port_parse(&out->port, port))
        return false;
    if (!address_parse(&out->addr, host)) {
        if (!host_name_is_valid(host) || strlen(host) > USHER_HOST_MAX)
            return false;
        strcpy(out->host, host);
    }
    out->by_name = out->addr.version != 4;
    return true;
}

// An address in brackets, and what stands behind them; NULL: there are none, or no end of them.
static char *behind_brackets(char **host)
{
    char *end = strchr(*host, ']');
    struct address addr;
    if (**host != '[' || !end)
        return NULL;
    *end = '\0';
    *host += 1;
    return address_parse(&addr, *host) && addr.version == 6 ? end + 1 : NULL;
}

bool place_parse(struct usher_open *out, const char *text)
{
    char room[USHER_HOST_MAX + 64], *host = room, *port;
    text += strspn(text, blank);
    size_t len = strlen(text);
    while (len > 0 && strchr(blank, text[len - 1]))
        len--;
    if (len >= sizeof room)
        return false;
    memcpy(room, text, len);
    room[len] = '\0';
    if (*host == '[')
        port = behind_brackets(&host);
    else if (!(port = strpbrk(host, blank)))
        port = strchr(host, ':');
    if (!port)
        return false;
    bool colon = *port == ':';
    if (!colon && (*port == '\0' || !strchr(blank, *port)))
        return false;
    *port++ = '\0';
    port += colon ? 0 : strspn(port, blank);
    return place_set(out, host, port);
}
