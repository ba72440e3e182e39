// SPDX-License-Identifier: GPL-2.0-or-later
// usher-pki-serve: what `usher-pki serve` becomes. It listens, and starts a process for each who asks; see pki/serve.c.

#include "base/address.h"
#include "cli/command.h"
#include "link/tls/tls.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/process/helper.h"
#include "os/process/notify.h"
#include "os/sandbox/sandbox.h"
#include "os/socket/socket.h"
#include "pki/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    AT_ONCE = 32, // who asks; those who come then wait in the kernel's queue
    BACKLOG = 128,
    TEND_S = 3600,
    TENDS = 12, // of a certificate's life at least, the last third of which is for renewing it
    TEND_PATIENCE_S = 60,
};

static volatile sig_atomic_t over;

static void stop(int number)
{
    (void)number;
    over = 1;
}

// Signals must come while we wait, and nothing that they interrupt goes on by itself.
static void heed_signals(void)
{
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void tend(const struct serve_config *config)
{
    const char *const argv[] = {config->script, "tend", config->dir, config->life, NULL};
    const struct helper helper = {.name = "usher-pki tend", .argv = argv, .max = 4096, .seconds = TEND_PATIENCE_S};
    struct blob said;
    struct fault fault;
    if (helper_run(&helper, &said, &fault) == HELPER_DONE)
        blob_wipe(&said);
    else
        log_warning("list and certificates of gates were not looked after: %s", fault.text);
}

static unsigned reap(unsigned children)
{
    while (children > 0 && waitpid(-1, NULL, WNOHANG) > 0)
        children--;
    return children;
}

static unsigned take_one(const struct serve_config *config, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        close(listener);
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        serve_one(config, fd);
        _exit(0);
    }
    close(fd);
    if (pid < 0)
        log_error("a process for who asks: out of memory or processes");
    return pid > 0;
}

// Seconds.
static unsigned tend_pause(const struct serve_config *config)
{
    unsigned long pause = strtoul(config->life, NULL, 10) / TENDS;
    return pause < 1 ? 1 : pause < TEND_S ? (unsigned)pause : TEND_S;
}

static void serve(const struct serve_config *config, int listener)
{
    const unsigned pause = tend_pause(config);
    usec_t next = 0;
    unsigned children = 0;
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    while (!over) {
        if (clock_now() >= next) {
            tend(config);
            next = clock_now() + pause * USEC_PER_SEC;
        }
        children = reap(children);
        if (over) // while it was tending
            break;
        ready.revents = 0;
        bool full = children >= AT_ONCE;
        poll(&ready, full ? 0 : 1, full || children ? 100 : pause < 60 ? (int)pause * 1000 : 60 * 1000);
        if (!full && ready.revents & POLLIN)
            children += take_one(config, listener);
    }
}

int main(int argc, char **argv)
{
    struct endpoint at;
    struct fault fault;
    if (argc != 5 || !endpoint_parse(&at, argv[3])) {
        fprintf(stderr, "usher-pki: %s is no address with its port, such as 127.0.0.1:4434\n",
                argc == 5 ? argv[3] : "usher-pki-serve is started by usher-pki serve; that");
        return EXIT_WRONG;
    }
    const struct serve_config config = {.script = argv[1], .dir = argv[2], .life = argv[4]};
    log_set_name("usher-pki");
    sandbox_protect_secrets();
    heed_signals();
    int listener = tls_library_start(&fault) ? socket_listen(&at, BACKLOG, &fault) : -1;
    if (listener < 0) {
        fprintf(stderr, "usher-pki: %s\n", fault.text);
        return EXIT_FAILED;
    }
    log_info("serving %s on %s", config.dir, argv[3]);
    notify_ready();
    serve(&config, listener);
    close(listener);
    return EXIT_DONE;
}
