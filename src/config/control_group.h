// SPDX-License-Identifier: GPL-2.0-or-later
// The keys that say who may use the control socket besides root and who started the program.
#ifndef CONFIG_CONTROL_GROUP_H
#define CONFIG_CONTROL_GROUP_H

#include "config/value.h"

struct control_group {
    char *name; // of a group of the system's; "no": nobody; NULL: "usher-console", where there is such a group
    bool may_act;
};

config_parse control_group_may; // bool: act, or ask

#define CONTROL_GROUP_KEYS(SECTION, TYPE, GROUP)                                                                       \
    {SECTION, "ControlGroup", value_word, offsetof(TYPE, GROUP.name), .fallback = NULL},                               \
    {                                                                                                                  \
        SECTION, "ControlGroupMay", control_group_may, offsetof(TYPE, GROUP.may_act), .fallback = "ask"                \
    }

void control_group_fini(struct control_group *group);

#endif
