// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void guard_add(struct guard *guard, const char *host, uint16_t port)
{
    const char *form = strchr(host, ':') ? "[%s]" : "%s";
    if (guard->count == GUARD_HOSTS)
        return;
    char *room = guard->hosts[guard->count++];
    int len = snprintf(room, GUARD_HOST_SIZE, form, host);
    if (port != (guard->tls ? 443 : 80) && len < GUARD_HOST_SIZE)
        snprintf(room + len, GUARD_HOST_SIZE - (size_t)len, ":%u", port);
}

static bool is_ours(const struct guard *guard, const char *host)
{
    for (size_t i = 0; i < guard->count; i++)
        if (!strcasecmp(guard->hosts[i], host))
            return true;
    return false;
}

static bool is_own_origin(const struct guard *guard, const char *origin)
{
    const char *scheme = guard->tls ? "https://" : "http://";
    return !strncmp(origin, scheme, strlen(scheme)) && is_ours(guard, origin + strlen(scheme));
}

const char *guard_objection(const struct guard *guard, const struct guarded *request)
{
    const char *site = request->site;
    bool is_own = site && !strcmp(site, "same-origin");
    if (!request->host || !is_ours(guard, request->host))
        return "This console does not go by that name.";
    if (request->origin && !is_own_origin(guard, request->origin))
        return "A page of somebody else asked for this.";
    if (request->changes && !request->origin && !is_own)
        return "Nothing says that a page of this console asked for this.";
    // To follow a link to here is harmless wherever it stands: it changes nothing, and no cookie comes along.
    bool follows_link = !request->changes && request->mode && !strcmp(request->mode, "navigate") && request->dest &&
                        !strcmp(request->dest, "document");
    if (site && !is_own && strcmp(site, "none") && !follows_link)
        return "A page of somebody else asked for this.";
    return NULL;
}

bool guard_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    volatile unsigned char differs = 0;
    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(a[i] ^ b[i]);
    return !differs;
}
