// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/invitation.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char suffix[] = ".enrol.invalid";

static size_t length_of(const char *name)
{
    const size_t len = strlen(name), tail = sizeof suffix - 1;
    return len > tail && !strcasecmp(name + len - tail, suffix) ? len - tail : 0;
}

bool invitation_is(const char *name)
{
    return length_of(name) || !strcasecmp(name, suffix + 1);
}

const char *invitation_of(char *room, size_t size, const char *name)
{
    const size_t len = length_of(name);
    snprintf(room, size, "%.*s", len < size ? (int)len : 0, name);
    return room;
}
