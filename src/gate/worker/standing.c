// SPDX-License-Identifier: GPL-2.0-or-later
#include "gate/worker/standing.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void standing_fini(struct standing *standing)
{
    policy_free(standing->policy);
    free(standing->locals);
}

void standing_take_locals(struct standing *standing, const struct channel_message *message)
{
    size_t size = message->locals.count * sizeof(*standing->locals);
    standing->locals = memory_resize(standing->locals, size + 1);
    memcpy(standing->locals, message->locals.prefixes, size);
    standing->local_count = message->locals.count;
    if (standing->policy)
        policy_set_local(standing->policy, standing->locals, standing->local_count);
}

void standing_judge_by(struct standing *standing, struct exchange *exchange, const struct access *access,
                       const char *portal)
{
    struct policy *before = standing->policy;
    standing->policy = access_policy(access, portal);
    policy_set_local(standing->policy, standing->locals, standing->local_count);
    exchange_set_policy(exchange, standing->policy);
    policy_free(before);
}

struct tls_identity *standing_identity(const struct handover *news, const struct gate_conf *conf, struct fault *why)
{
    struct tls_material material = credentials_material(&news->force.credentials, &conf->credentials, TLS_GATE);
    enum tls_credential at_fault;
    return tls_identity_new(&material, &at_fault, why);
}

bool standing_lasts(const struct tls *tls, struct tls_identity *identity, const struct gate_conf *conf,
                    const struct access *before, struct fault *why)
{
    bool lasts = tls_peer_is_trusted(tls, identity, why);
    if (lasts && access_lists(before, tls_peer_name(tls)) && !access_lists(&conf->access, tls_peer_name(tls)))
        lasts = fault_set(why, "the gate's configuration lists this portal no longer");
    return lasts;
}
