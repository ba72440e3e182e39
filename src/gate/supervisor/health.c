// SPDX-License-Identifier: GPL-2.0-or-later
// "ready" takes an earlier "drain" back, which "up" does not.
#include "gate/supervisor/health.h"

#include "base/memory.h"
#include "os/socket/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BACKLOG = 256, // as for portals: a queue that is full costs who asks a second
    STEP = 25,     // percent
    LINE_SIZE = 32,
};

struct health {
    struct health_config config;
    struct listener **listeners;
    size_t count;
};

// A weight goes down late and in steps, since a balancer that goes by weights sends some portals to another gate with each
// change, and one that comes back to its tunnel is to find it.
static void write_line(char line[LINE_SIZE], bool takes_more, uint64_t used, uint64_t most)
{
    uint64_t left = used < most ? most - used : 0;
    uint64_t weight = (2 * 100 * left + most * STEP - 1) / (most * STEP) * STEP;
    if (takes_more)
        snprintf(line, LINE_SIZE, "ready up %u%%\n", weight < 100 ? (unsigned)weight : 100);
    else
        snprintf(line, LINE_SIZE, "drain\n");
}

static void accepted(void *owner, int fd, const struct endpoint *peer)
{
    const struct health *health = owner;
    char line[LINE_SIZE];
    uint64_t most, used = health->config.load(health->config.owner, &most);
    (void)peer;
    write_line(line, health->config.takes_more(health->config.owner), used, most);
    ssize_t sent = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; // else it is gone, and nobody is told
    socket_close_in_order(fd);
}

void health_free(struct health *health)
{
    if (!health)
        return;
    for (size_t i = 0; i < health->count; i++)
        listener_free(health->listeners[i]);
    free(health->listeners);
    free(health);
}

struct health *health_new(const struct health_config *config, struct fault *fault)
{
    struct health *health = memory_new(sizeof *health);
    *health = (struct health){.config = *config};
    health->listeners = memory_new((config->at->count + 1) * sizeof *health->listeners);
    for (size_t i = 0; i < config->at->count; i++) {
        int fd = config->sockets ? config->sockets[i] : socket_listen(&config->at->items[i], BACKLOG, fault);
        if (fd < 0) {
            health_free(health);
            return NULL;
        }
        health->listeners[health->count++] = listener_new(config->loop, fd, accepted, health);
    }
    return health;
}

void health_sockets(const struct health *health, int *out)
{
    for (size_t i = 0; i < health->count; i++)
        out[i] = listener_fd(health->listeners[i]);
}
