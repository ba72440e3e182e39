// SPDX-License-Identifier: GPL-2.0-or-later
#include "console/assets.h"

#include <string.h>

// What the assembler takes in, from the directory that the build runs in.
#define EMBED(name, file)                                                                                              \
    __asm__(".section .rodata\n" #name ":\n.incbin \"src/console/" file "\"\n" #name "_end:\n.byte 0\n.previous\n");   \
    extern const char name[], name##_end[]

EMBED(asset_style, "style.css");
EMBED(asset_live, "live.js");
EMBED(asset_icon, "icon.svg");

static const struct asset ASSETS[] = {
    {"/style.css", "text/css; charset=utf-8", asset_style, asset_style_end},
    {"/live.js", "text/javascript; charset=utf-8", asset_live, asset_live_end},
    {"/icon.svg", "image/svg+xml", asset_icon, asset_icon_end},
};

const struct asset *asset_find(const char *path)
{
    for (size_t i = 0; i < sizeof ASSETS / sizeof ASSETS[0]; i++)
        if (!strcmp(ASSETS[i].path, path))
            return &ASSETS[i];
    return NULL;
}
