// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/load.h"

#include <stdio.h>

struct portal_conf *portal_load(const struct command_line *line, enum portal_use use, bool at_terminal_only,
                                struct tls_identity **identity, struct in_force *force)
{
    struct fault fault;
    const struct asking asking = {.fd = line->passphrase_fd, .at_terminal_only = at_terminal_only};
    if (tls_library_start(&fault))
        return portal_conf_load(line->argument, use, &asking, identity, force, stderr);
    fprintf(stderr, "usher-tun: %s\n", fault.text);
    return NULL;
}
