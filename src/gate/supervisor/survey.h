// SPDX-License-Identifier: GPL-2.0-or-later
// `usher-gate status`: the workers are asked how they are, and the answer goes out when all have told, or after a
// moment without those that have not.
#ifndef GATE_SUPERVISOR_SURVEY_H
#define GATE_SUPERVISOR_SURVEY_H

#include "cli/control.h"
#include "config/gate_conf.h"
#include "gate/audit/trail.h"
#include "gate/supervisor/admission.h"
#include "gate/supervisor/arrivals.h"
#include "gate/supervisor/child.h"
#include "gate/supervisor/renewal.h"

struct survey;

// What it tells of, all of it borrowed.
struct survey_config {
    const struct gate_conf *conf;
    const char *name_or_file; // where that was read
    const struct list *children;
    const struct admission *admission;
    const struct arrivals *arrivals;
    const struct trail *trail;
};

struct survey *survey_new(uv_loop_t *loop, const struct survey_config *config);
// Also of this, which comes later.
void survey_set_renewal(struct survey *survey, const struct renewal *renewal);
// When an earlier program in this process has started.
void survey_set_since(struct survey *survey, time_t since);
// What the gate is at, while that is not "up"; static.
void survey_set_state(struct survey *survey, const char *state);
void survey_free(struct survey *survey);

void survey_request(struct survey *survey, struct control_request *request);
// `usher-gate denials`.
void survey_request_denials(struct survey *survey, struct control_request *request);
// A worker has answered, or is gone.
void survey_heard(struct survey *survey);
// A worker tells what its portal was refused.
void survey_denied(struct survey *survey, const struct child *child, const struct channel_denial *denial);

#endif
