// SPDX-License-Identifier: GPL-2.0-or-later
// Files of the pages, as they lie beside the sources.
#ifndef CONSOLE_ASSETS_H
#define CONSOLE_ASSETS_H

#include <stddef.h>

struct asset {
    const char *path, *type;
    const char *bytes, *end;
};

const struct asset *asset_find(const char *path); // NULL: there is no such file

#endif
