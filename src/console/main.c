// SPDX-License-Identifier: GPL-2.0-or-later
// usher-console: a web page about the portals and gates of this machine. See usher-console(8).

#include "base/memory.h"
#include "cli/command.h"
#include "cli/runtime.h"
#include "cli/version.h"
#include "cli/watchdog.h"
#include "console/conf.h"
#include "console/http.h"
#include "console/metrics.h"
#include "console/peer.h"
#include "console/site.h"
#include "console/source.h"
#include "os/process/notify.h"
#include "os/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF "/etc/usher/console.conf"

static const char USAGE[] = "usage: usher-console [FILE]               serve the page (" CONF ")\n"
                            "       usher-console --check [FILE]       judge the configuration\n"
                            "       usher-console --textfile PATH      write metrics into a file, once\n"
                            "       usher-console --version\n"
                            "See usher-console(8).\n";

struct console {
    uv_loop_t loop;
    uv_signal_t signals[3];
    char root[RUNTIME_ROOT_SIZE];
    const struct console_conf *conf;
    struct peer_judge *judge;
    struct source *source;
    struct site *site;
    struct http *http;
    struct watchdog *watchdog;
    const char *textfile; // NULL: it serves
    int code;
};

static void changed(void *owner)
{
    struct console *console = owner;
    if (console->site)
        site_changed(console->site);
}

static void print_link(struct console *console)
{
    char where[ENDPOINT_TEXT_SIZE];
    const struct endpoint at = http_where(console->http);
    const char *link = site_login_link(console->site);
    if (link)
        fprintf(stderr, "usher-console: log in, once, by %s\n", link);
    else
        fprintf(stderr, "usher-console: listens on %s, for who shows a certificate\n", endpoint_text(&at, where));
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void signalled(uv_signal_t *handle, int number)
{
    struct console *console = handle->data;
    if (number == SIGUSR1)
        print_link(console);
    else
        uv_stop(&console->loop);
}

static void watch_signals(struct console *console)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uv_signal_init(&console->loop, &console->signals[i]);
        console->signals[i].data = console;
        uv_signal_start(&console->signals[i], signalled, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
}

static bool start(struct console *console, struct fault *fault)
{
    const struct console_conf *conf = console->conf;
    struct fault why;
    if (conf->ca) {
        console->judge = peer_judge_new((const char *)conf->ca_text.bytes, (const char *)conf->crl_text.bytes, &why);
        if (!console->judge)
            return fault_set(fault, "CA and CRL: one of them %s", why.text);
    }
    console->site = site_new(&console->loop, conf, console->source);
    const struct http_config http = {
        .listen = conf->listen.items[0],
        .certificate = (const char *)conf->certificate_text.bytes,
        .key = (const char *)conf->key_text.bytes,
        .judge = console->judge,
        .handler = site_serve,
        .owner = console->site,
    };
    console->http = http_new(&console->loop, &http, fault);
    if (!console->http)
        return false;
    const struct endpoint where = http_where(console->http);
    site_opened(console->site, &where);
    watch_signals(console);
    return true;
}

static void finish(struct console *console)
{
    http_free(console->http);
    site_free(console->site);
    source_free(console->source);
    watchdog_free(console->watchdog);
    uv_run(&console->loop, UV_RUN_NOWAIT);
    uv_walk(&console->loop, close_handle, NULL);
    uv_run(&console->loop, UV_RUN_DEFAULT);
    uv_loop_close(&console->loop);
    peer_judge_free(console->judge);
}

static bool begin(struct console *console, void (*heard)(void *owner), struct fault *fault)
{
    // One's own places may be none at all, as a service has none.
    if (!runtime_root(console->root, fault))
        snprintf(console->root, sizeof console->root, "/run/usher");
    if (!sandbox_refuse_io_uring(fault))
        return false;
    uv_loop_init(&console->loop);
    const struct source_config config = {
        .roots = {"/run/usher", console->root},
        .etc = "/etc/usher",
        .watched = (console->conf ? console->conf->interval : 2000) * USEC_PER_MSEC,
        .unwatched = HISTORY_STEP_S * USEC_PER_SEC,
        .changed = heard,
        .owner = console,
    };
    console->source = source_new(&console->loop, &config);
    return true;
}

static int serve(const struct console_conf *conf)
{
    struct console console = {.conf = conf};
    struct fault fault;
    log_set_name("usher-console");
    log_set_level(conf->log_level);
    if (!begin(&console, changed, &fault)) {
        fprintf(stderr, "usher-console: %s\n", fault.text);
        return EXIT_FAILED;
    }
    bool ok = start(&console, &fault);
    if (ok) {
        print_link(&console);
        console.watchdog = watchdog_new(&console.loop);
        notify_ready();
        uv_run(&console.loop, UV_RUN_DEFAULT);
        notify_stopping();
    } else {
        fprintf(stderr, "usher-console: %s\n", fault.text);
    }
    finish(&console);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

// Whoever reads the file finds a whole one.
static bool write_file(const char *path, const struct markup *text, struct fault *fault)
{
    char *new;
    if (asprintf(&new, "%s.%d", path, (int)getpid()) < 0)
        return fault_errno(fault, errno, "%s", path);
    int fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text->bytes ? text->bytes : "", text->len) == (ssize_t)text->len;
    ok = fd >= 0 && close(fd) == 0 && ok && rename(new, path) == 0;
    if (!ok)
        fault_errno(fault, errno, "write %s", path);
    if (!ok && fd >= 0)
        unlink(new);
    free(new);
    return ok;
}

static void heard_once(void *owner)
{
    struct console *console = owner;
    struct markup text = {0};
    struct fault fault;
    metrics_write(&text, source_instances(console->source), false);
    if (!write_file(console->textfile, &text, &fault)) {
        fprintf(stderr, "usher-console: %s\n", fault.text);
        console->code = EXIT_FAILED;
    }
    markup_free(&text);
    uv_stop(&console->loop);
}

static int write_textfile(const char *path)
{
    struct console console = {.textfile = path};
    struct fault fault;
    if (!begin(&console, heard_once, &fault)) {
        fprintf(stderr, "usher-console: %s\n", fault.text);
        return EXIT_FAILED;
    }
    uv_run(&console.loop, UV_RUN_DEFAULT);
    finish(&console);
    return console.code;
}

static int run(const char *file, bool check)
{
    const char *path = file ? file : access(CONF, F_OK) == 0 ? CONF : NULL;
    if (geteuid() == 0 && !check) {
        fputs("usher-console: a page needs no root: start usher-console.service, or run it as a user of the group that "
              "may "
              "ask (ControlGroup)\n",
              stderr);
        return EXIT_FAILED;
    }
    sandbox_protect_secrets();
    struct console_conf *conf = console_conf_load(path);
    if (!conf)
        return EXIT_WRONG;
    int code = check ? EXIT_DONE : serve(conf);
    console_conf_free(conf);
    return code;
}

// For a shell: what may stand where `current` is being typed, behind `before` (NULL: the first word); ":files" is the shell's.
static int complete(const char *before, const char *current)
{
    static const char *const options[] = {"--check", "--textfile", "--version"};
    for (size_t i = 0; !before && i < sizeof options / sizeof options[0]; i++)
        if (*current && !strncmp(options[i], current, strlen(current)))
            puts(options[i]);
    if (!before || !strcmp(before, "--check") || !strcmp(before, "--textfile"))
        puts(":files");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "", *second = argc > 2 ? argv[2] : NULL;
    if (!strcmp(first, "--version") && argc == 2) {
        version_print(stdout, "usher-console");
        return EXIT_DONE;
    }
    if (!strcmp(first, "--help") && argc == 2) {
        fputs(USAGE, stdout);
        return EXIT_DONE;
    }
    if (!strcmp(first, "--complete") && argc <= 4)
        return complete(argc == 4 ? second : NULL, argc > 2 ? argv[argc - 1] : "");
    if (!strcmp(first, "--check") && argc <= 3)
        return run(second, true);
    if (!strcmp(first, "--textfile") && argc == 3)
        return write_textfile(second);
    if (argc <= 2 && *first != '-')
        return run(argc == 2 ? first : NULL, false);
    fputs(USAGE, stderr);
    return EXIT_WRONG;
}
