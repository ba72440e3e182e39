// SPDX-License-Identifier: GPL-2.0-or-later
#include "edge/names/domain.h"

#include <string.h>

bool names_domain_holds(const struct names_domain *domain, const char *name)
{
    size_t whole = strlen(name), len = strlen(domain->name);
    if (len == 0)
        return true;
    if (len > whole || strcmp(name + whole - len, domain->name))
        return false;
    return len == whole || name[whole - len - 1] == '.';
}
