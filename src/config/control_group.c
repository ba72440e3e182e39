// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/control_group.h"

#include <stdlib.h>
#include <string.h>

bool control_group_may(void *field, const struct config_entry *entry, const struct config_key *key, struct fault *fault)
{
    bool act = !strcasecmp(entry->value, "act");
    (void)key;
    if (!act && strcasecmp(entry->value, "ask"))
        return fault_set(fault, "is neither ask nor act");
    *(bool *)field = act;
    return true;
}

void control_group_fini(struct control_group *group)
{
    free(group->name);
    group->name = NULL;
}
