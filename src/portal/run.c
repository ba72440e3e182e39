// SPDX-License-Identifier: GPL-2.0-or-later
#include "portal/run.h"

#include "cli/expiry.h"
#include "cli/watchdog.h"
#include "os/log.h"
#include "portal/setup.h"

#include <signal.h>
#include <stdio.h>

int portal_run(struct portal *portal)
{
    uv_loop_t loop;
    char name[INSTANCE_NAME_MAX + sizeof "usher-tun "];
    snprintf(name, sizeof name, "usher-tun %s", portal->conf->name);
    log_set_name(name);
    log_set_field(LOG_PORTAL, portal->conf->name);
    log_set_level(portal->conf->log_level);
    uv_loop_init(&loop);
    signal(SIGPIPE, SIG_IGN);
    portal_open(portal, &loop);
    struct watchdog *watchdog = watchdog_new(&loop);
    portal->expiry = expiry_new(
        &loop, credentials_validity(tls_identity_expires(portal->identity), &portal->conf->credentials, TLS_PORTAL));
    if (setup_take(portal, &portal->failure)) {
        portal_hurry(portal);
        uv_run(&loop, UV_RUN_DEFAULT);
        setup_undo(portal);
    }
    portal_close(portal);
    watchdog_free(watchdog);
    expiry_free(portal->expiry);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (*portal->failure.text)
        background_failed(portal->background, portal->failure.text);
    return *portal->failure.text ? 1 : 0;
}
