// SPDX-License-Identifier: GPL-2.0-or-later
// What a supervisor consists of: for the files that make it up, and nobody else.
#ifndef GATE_SUPERVISOR_INTERNAL_H
#define GATE_SUPERVISOR_INTERNAL_H

#include "cli/control.h"
#include "cli/expiry.h"
#include "cli/runtime.h"
#include "cli/watchdog.h"
#include "gate/audit/trail.h"
#include "gate/supervisor/admission.h"
#include "gate/supervisor/adoption.h"
#include "gate/supervisor/arrivals.h"
#include "gate/supervisor/census.h"
#include "gate/supervisor/child.h"
#include "gate/supervisor/drainage.h"
#include "gate/supervisor/exports.h"
#include "gate/supervisor/handout.h"
#include "gate/supervisor/health.h"
#include "gate/supervisor/locals.h"
#include "gate/supervisor/refusals.h"
#include "gate/supervisor/renewal.h"
#include "gate/supervisor/survey.h"
#include "gate/supervisor/template.h"
#include "gate/upgrade/upgrade.h"
#include "os/netlink/netlink.h"
#include "os/socket/listener.h"

struct supervisor_legacy;

struct supervisor {
    const struct gate_conf *conf; // that it began with: what it listens on, and hands out
    const char *name_or_file;
    uv_loop_t loop;
    struct runtime runtime;
    struct control *control;
    struct survey *survey;
    struct census *census;
    struct trail *trail; // the audit file
    struct handout *handout;
    struct exports *exports; // NULL: no portal exports anything
    struct watchdog *watchdog;
    struct expiry *expiry;
    struct admission *admission;
    struct adoption *adoption;
    struct arrivals *arrivals;
    struct drainage *drainage;
    struct listener **listeners; // NULL: it listens no more
    struct health *health;
    struct netlink *nl;
    struct locals *locals;
    uv_signal_t terminate, interrupt, hangup, user2;
    uv_timer_t farewell;
    struct renewal *renewal; // what it runs by now
    struct upgrade *upgrade;
    const struct supervisor_legacy *legacy; // NULL: it has begun by itself
    time_t since;
    struct template *template; // what workers are made of
    struct list children;
    size_t child_count;
    struct refusals capped, unproven; // before a worker is started; by a worker
    bool stopping;
    bool retiring; // nobody is let in any more; it ends with the last portal
};

#endif
