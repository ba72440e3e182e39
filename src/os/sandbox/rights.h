// SPDX-License-Identifier: GPL-2.0-or-later
// What this process may do beside what everybody may. Programs act for the machine when root starts them, or when a service
// manager does as a user of their own, with the few of root's capabilities that their work takes; else for who started them.
#ifndef OS_SANDBOX_RIGHTS_H
#define OS_SANDBOX_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

// The users of the units; where there are no units, there may be none.
#define RIGHTS_PORTAL_USER "usher"
#define RIGHTS_GATE_USER   "usher-gate"
#define RIGHTS_PKI_USER    "usher-pki"

// Root, or whom a service manager lets read what is root's; that one also when it has given this up.
bool rights_are_the_machines(void);
// Now, and in force. False also where it cannot be asked.
bool rights_have(unsigned capability);
// Whether a file of that owner is as good as root's or our own: to root it is that of a service's user as well, whom the same
// program is when a service manager starts it; and to both that of the authority's, which could make any key anew.
bool rights_trust(uid_t owner);

#endif
