// SPDX-License-Identifier: GPL-2.0-or-later
// Where connections come from, an IPv4 address or an IPv6 /64 each, and what is remembered of it. There is an entry for each
// source that has a connection or a tunnel, or is remembered for one of three reasons, each with a list of its own that is
// bounded.
#ifndef GATE_SUPERVISOR_SOURCES_H
#define GATE_SUPERVISOR_SOURCES_H

#include "base/bucket.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/table.h"
#include "base/wire.h"

enum {
    SOURCES_PENALTY_S = 1, // after a crash; doubles with each further one
    SOURCES_PENALTY_MAX_S = 64,
    SOURCES_MEMORY_S = 600,     // without a crash until the earlier ones are forgotten
    SOURCES_CRASHED_MAX = 4096, // with a crash that are remembered
    SOURCES_RECENT_MAX = 4096,  // that have come within SOURCES_RECENT_S
    SOURCES_RECENT_S = 60,
    SOURCES_KNOWN_MAX = 1024, // that a portal has come from, and has none any more
    // Connections a second. Starting a worker takes some milliseconds of one processor.
    SOURCES_RATE = 10,
    SOURCES_BURST = 30,       // a site whose portals all come back at once
    SOURCES_KNOWN_RATE = 100, // a balancer or a large site's router, which has all portals behind one address
    SOURCES_KNOWN_BURST = 200,
};

struct source {
    struct table_node node;
    struct list crashed; // in sources->crashed, the oldest crash first
    struct list recent;  // in sources->recent, who came last is last
    struct list known;   // in sources->known, who was proved last is last
    struct address addr;
    struct bucket starts;
    usec_t came;
    uint32_t places;  // that it holds (gate/supervisor/admission.h)
    uint32_t tunnels; // portals of it that are logged in
    uint32_t crashes;
    usec_t until;     // refused before
    usec_t forgotten; // when `crashes` no longer counts
};

struct source_memory { // the one to be forgotten first is first
    struct list list;
    uint32_t count;
};

struct sources {
    struct table table;
    struct source_memory crashed, recent, known;
    struct hash_key key;
};

void sources_init(struct sources *sources);
// None may have a place or a tunnel any more.
void sources_fini(struct sources *sources);

// Of an address, made if need be; stays until it is released.
struct source *sources_need(struct sources *sources, const struct address *addr, usec_t now);
// A place or tunnel of it is gone. Frees it if nothing else keeps it.
void sources_release(struct sources *sources, struct source *source);
void sources_forget_old(struct sources *sources, usec_t now);

// A portal has come from there.
bool source_is_known(const struct source *source);

// A connection came from there. Whether none had lately.
bool sources_came(struct sources *sources, struct source *source, usec_t now);
void sources_logged_in(struct sources *sources, struct source *source, usec_t now);
void sources_logged_out(struct sources *sources, struct source *source);
void sources_crashed(struct sources *sources, const struct address *addr, usec_t now);

// For the next program: writes what is remembered of crashes and portals, in so many bytes, or adds what is read, as far as it
// is whole.
size_t sources_saved_size(const struct sources *sources);
void sources_save(const struct sources *sources, struct wire *wire);
void sources_load(struct sources *sources, struct wire *wire, usec_t now);

#endif
