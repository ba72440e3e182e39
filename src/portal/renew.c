// SPDX-License-Identifier: GPL-2.0-or-later
// renew: at once; or, as a process beside a portal, whenever it is due. It is the portal's user without any right, or root with
// those over files, and hears the portal's end from its standard input.

#include "portal/enrol/renew.h"
#include "os/log.h"
#include "os/sandbox/sandbox.h"
#include "portal/commands.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_S = 3600,     // between looks at least: the clock may be set
    SOON_S = 1,        // and at most
    TRY_AGAIN_MIN = 2, // seconds, and doubling
    AFTER_S = 5,       // whatever the authority gives
};

static usec_t wall(void)
{
    return (usec_t)time(NULL) * USEC_PER_SEC;
}

static struct portal_conf *load(const char *name_or_file, FILE *report)
{
    const struct asking asking = {.fd = -1, .nobody = true};
    struct tls_identity *identity;
    struct portal_conf *conf = portal_conf_load(name_or_file, PORTAL_OF_HOST, &asking, &identity, NULL, report);
    if (!conf)
        return NULL;
    tls_identity_free(identity);
    if (conf->renew.count)
        return conf;
    fprintf(report, "usher-tun: %s: its configuration does not say where: Renew = HOST:PORT\n", conf->name);
    portal_conf_free(conf);
    return NULL;
}

static int renew_now(const char *name_or_file, struct fault *fault)
{
    const struct renewal_due all = {.certificate = true, .list = true};
    struct portal_conf *conf = load(name_or_file, stderr);
    if (!conf)
        return EXIT_WRONG;
    bool good = renewal_do(conf, &all, fault);
    if (good)
        fprintf(stderr, "usher-tun: %s: certificate and list are renewed\n", conf->name);
    else
        fprintf(stderr, "usher-tun: %s: %s\n", conf->name, fault->text);
    portal_conf_free(conf);
    return good ? EXIT_DONE : EXIT_FAILED;
}

// False when the portal has ended.
static bool rest(uint64_t seconds)
{
    struct pollfd portal = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&portal, 1, (int)seconds * 1000) == 0;
}

static uint64_t bounded(usec_t wait)
{
    uint64_t seconds = (wait + USEC_PER_SEC - 1) / USEC_PER_SEC;
    return seconds < SOON_S ? SOON_S : seconds > LOOK_S ? LOOK_S : seconds;
}

// Of `again` how long it rests after a failure.
static uint64_t renew_what_is_due(const struct portal_conf *conf, uint64_t *again)
{
    struct renewal_due due;
    struct fault fault;
    bool good = renewal_judge(&due, conf, wall(), &fault);
    if (good && !due.certificate && !due.list)
        return bounded(due.wait);
    good = good && renewal_do(conf, &due, &fault);
    if (good) {
        log_info("%s", due.certificate ? "the certificate is renewed" : "the revocation list is renewed");
        *again = TRY_AGAIN_MIN;
        return AFTER_S;
    }
    log_warning("not renewed: %s", fault.text);
    uint64_t wait = *again;
    *again = *again * 2 < LOOK_S ? *again * 2 : LOOK_S;
    return wait;
}

static int renew_when_due(const char *name_or_file)
{
    struct portal_conf *conf = load(name_or_file, stderr);
    char name[INSTANCE_NAME_MAX + 32];
    uint64_t again = TRY_AGAIN_MIN;
    if (!conf)
        return EXIT_WRONG;
    snprintf(name, sizeof name, "usher-tun %s", conf->name);
    log_set_name(name);
    log_set_level(conf->log_level);
    uint64_t wait = SOON_S;
    while (rest(wait))
        wait = renew_what_is_due(conf, &again);
    portal_conf_free(conf);
    return EXIT_DONE;
}

int command_renew(const struct command_line *line)
{
    struct fault fault;
    sandbox_protect_secrets();
    if (!sandbox_keep_files(&fault) || !tls_library_start(&fault)) {
        fprintf(stderr, "usher-tun: %s\n", fault.text);
        return EXIT_FAILED;
    }
    return line->foreground ? renew_when_due(line->argument) : renew_now(line->argument, &fault);
}
