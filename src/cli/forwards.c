// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/forwards.h"

#include "os/socket/socket.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 1024 }; // connections that come between two turns of a busy loop

int forwards_socket(const struct value_forward *port, struct fault *fault)
{
    return port->protocol == IPPROTO_TCP ? socket_listen(&port->listen, BACKLOG, fault)
                                         : socket_bound_datagram(&port->listen, fault);
}

void forwards_close(const int *fds, size_t count)
{
    while (count-- > 0)
        close(fds[count]);
}

bool forwards_listen(const struct value_forwards *forwards, int *fds, struct fault *fault)
{
    size_t count = value_forwards_ports(forwards);
    for (size_t i = 0; i < count; i++) {
        const struct value_forward port = value_forwards_port(forwards, i);
        fds[i] = forwards_socket(&port, fault);
        if (fds[i] >= 0)
            continue;
        forwards_close(fds, i);
        return false;
    }
    return true;
}

static struct usher_open far_end(const struct value_forward *port)
{
    struct usher_open to = {.protocol = port->protocol, .port = port->port, .addr = port->address};
    if (port->host) {
        to.by_name = true;
        snprintf(to.host, sizeof to.host, "%s", port->host);
    }
    return to;
}

void forwards_lead(struct forward *forward, const struct value_forward *port)
{
    const struct usher_open to = far_end(port);
    forward_lead(forward, &port->listen, &to);
}

bool forwards_add(struct forward *forward, const struct value_forward *port, int fd, struct fault *fault)
{
    char text[ENDPOINT_TEXT_SIZE];
    const struct usher_open to = far_end(port);
    return forward_add(forward, fd, &to) ||
           fault_errno(fault, errno, "watch the forward at %s", endpoint_text(&port->listen, text));
}

void forwards_describe(const struct value_forwards *forwards, struct facts *facts)
{
    char text[VALUE_FORWARD_TEXT_SIZE];
    if (!forwards->count)
        return;
    facts_list(facts, "forwards");
    for (size_t i = 0; i < forwards->count; i++)
        facts_text(facts, "", "where it listens and where that leads to",
                   value_forward_text(&forwards->items[i], text));
    facts_end(facts);
}
