// SPDX-License-Identifier: GPL-2.0-or-later
// Readiness of many descriptors: one epoll instance, which the loop sees as a single descriptor. A descriptor costs one
// system call and the 16 bytes of its watch, and nothing when it is closed.
//
// With EPOLLET the owner remembers what it was told: an event comes when something happens, not while something is so.
// Descriptors are not shared with other processes, or closing them would not end their watching (epoll(7)).
#ifndef OS_SOCKET_POLLER_H
#define OS_SOCKET_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

struct poller;
struct poller_watch;

// `events` are those of epoll_ctl(2): EPOLLIN and so on; EPOLLERR and EPOLLHUP come unasked.
typedef void poller_ready(struct poller_watch *watch, uint32_t events);

// Part of what owns the descriptor. Zeroed when it is not in use.
struct poller_watch {
    poller_ready *ready;
    int fd;
    uint32_t place; // the poller's: of its event in the batch under way, from 1; 0: none
};

struct poller *poller_new(uv_loop_t *loop);
// Nothing may be watched any more. The memory goes when the loop runs next.
void poller_free(struct poller *poller);

// What is so already is told too. False with errno when the kernel cannot; `watch->fd` is set all the same.
bool poller_add(struct poller *poller, struct poller_watch *watch, int fd, uint32_t events, poller_ready *ready);
// Before the loop sleeps: tells at once what was so already when it was added. A server close by has accepted before
// connect(2) returns, and so the answer goes out in the same turn.
void poller_turn(struct poller *poller);
// Nothing comes for `watch` any more, also not of what the kernel has told already: it may be freed. The descriptor is to
// be closed before the loop goes on.
void poller_forget(struct poller *poller, struct poller_watch *watch);
// The same for a descriptor that stays open.
void poller_delete(struct poller *poller, struct poller_watch *watch);

#endif
