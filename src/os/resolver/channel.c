// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/resolver/channel.h"

#include "base/memory.h"
#include "os/random.h"
#include "os/socket/socket.h"

#include <stdlib.h>

enum {
    // Each server is asked twice, the second time with twice the patience.
    TRIES = 2,
    PATIENCE_UNITS = 3,
    PATIENCE_MS_MIN = 100,
};

// One of c-ares' sockets.
struct watch {
    struct list node; // in resolver_channel.watches
    uv_poll_t poll;
    struct resolver_channel *channel;
    ares_socket_t fd;
};

static void ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct resolver_channel *channel = watch->channel;
    // An error shows itself to whoever reads or writes. c-ares may close this very socket, and the watch with it.
    ares_socket_t fd = watch->fd;
    ares_process_fd(channel->ares, status < 0 || (events & UV_READABLE) ? fd : ARES_SOCKET_BAD,
                    status < 0 || (events & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
    channel->read(channel);
}

static void watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct watch *watch_find(struct resolver_channel *channel, ares_socket_t fd)
{
    list_for_each(node, &channel->watches) {
        struct watch *watch = container_of(node, struct watch, node);
        if (watch->fd == fd)
            return watch;
    }
    return NULL;
}

static struct watch *watch_new(struct resolver_channel *channel, ares_socket_t fd)
{
    struct watch *watch = memory_new(sizeof *watch);
    if (uv_poll_init(channel->loop, &watch->poll, fd) < 0) {
        free(watch); // not watched: the deadline ends the query
        return NULL;
    }
    watch->poll.data = watch;
    watch->channel = channel;
    watch->fd = fd;
    list_push_back(&channel->watches, &watch->node);
    return watch;
}

static void watch_free(struct watch *watch)
{
    list_remove(&watch->node);
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static void socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct resolver_channel *channel = owner;
    struct watch *watch = watch_find(channel, fd);
    if (!readable && !writable) {
        if (watch)
            watch_free(watch);
        return;
    }
    if (!watch)
        watch = watch_new(channel, fd);
    if (watch)
        uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), ready);
}

// A query that cannot be marked must not be sent: it could go into the very tunnel that waits for its answer.
static int configure_socket(ares_socket_t fd, int type, void *owner)
{
    (void)type;
    const struct resolver_channel *channel = owner;
    return socket_set_mark(fd, channel->mark) ? 0 : -1;
}

static unsigned server_count(const char *servers)
{
    unsigned count = 1;
    for (; *servers; servers++)
        count += *servers == ',';
    return count;
}

static int open_channel(struct resolver_channel *channel, unsigned servers)
{
    // Two tries at every server fit into the whole time, so that a server that never answers does not cost the answer
    // of the one behind it, nor one that is silent about AAAA the addresses that came with A.
    uint32_t patience = channel->timeout_ms / (PATIENCE_UNITS * servers + 1);
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = (int)(patience < PATIENCE_MS_MIN ? PATIENCE_MS_MIN : patience),
        .tries = TRIES,
        .lookups = channel->hosts_file ? "fb" : "b",
        .sock_state_cb = socket_state,
        .sock_state_cb_data = channel,
    };
    int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
              ARES_OPT_DOMAINS;
    return ares_init_options(&channel->ares, &options, set);
}

#if ARES_VERSION < 0x011301
// c-ares before 1.19.1 falls back to rand() for its query ids where it cannot open /dev/urandom, as in a sealed process. The C
// library's own generator gives what its state is made of: a word of which says how long it is, and all others are chance.
static void seed_ids(void)
{
    unsigned seed;
    random_fill(&seed, sizeof seed);
    srand(seed);
#ifdef __GLIBC__
    static uint32_t state[64];
    initstate(seed, (char *)state, sizeof state);
    random_fill(state + 1, sizeof state - sizeof *state);
#endif
}
#else
static void seed_ids(void)
{
}
#endif

bool resolver_channel_open(struct resolver_channel *channel, const char *servers, struct fault *fault)
{
    list_init(&channel->watches);
    seed_ids();
    int status = open_channel(channel, server_count(servers));
    if (status != ARES_SUCCESS)
        return fault_set(fault, "resolver: %s", ares_strerror(status));
    status = ares_set_servers_ports_csv(channel->ares, servers);
    if (status != ARES_SUCCESS) {
        ares_destroy(channel->ares);
        return fault_set(fault, "resolver: name servers \"%s\": %s", servers, ares_strerror(status));
    }
    if (channel->mark)
        ares_set_socket_configure_callback(channel->ares, configure_socket, channel);
    return true;
}

void resolver_channel_close(struct resolver_channel *channel)
{
    ares_channel ares = channel->ares;
    ares_destroy(ares); // calls back for every query, and closes every socket
    channel->ares = NULL;
    list_for_each(node, &channel->watches)
        watch_free(container_of(node, struct watch, node));
}
