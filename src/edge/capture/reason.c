// SPDX-License-Identifier: GPL-2.0-or-later
// What the far side said of an open, as an application is to see it.
#include "edge/capture/internal.h"

#include <string.h>

int capture_open_error(enum usher_word word, const char *text)
{
    switch (word) {
    case USHER_REFUSED:
        return CRAFT_NO_PORT;
    case USHER_UNREACHABLE:
        return strncmp(text, "net", 3) == 0 ? CRAFT_NO_NET : CRAFT_NO_HOST;
    case USHER_TIMEOUT:
        return NO_ERROR;
    case USHER_DENIED:
        return CRAFT_PROHIBITED;
    default:
        return CRAFT_NO_HOST;
    }
}
